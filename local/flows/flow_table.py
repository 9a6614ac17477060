"""The five flows as the demo shows them: what each is, what in it is scripted, and what must have come of it."""

from collections.abc import Callable
from dataclasses import dataclass

from local.flows import (
    Checks,
    Deployment,
    Tell,
    ingestion_flow,
    livestream_flow,
    meetings_flow,
    transcription_flow,
    voice_qa_flow,
)
from local.flows.ingestion_client import Runs
from local.flows.livestream_client import Livestream
from local.flows.meetings_client import Meetings
from local.flows.transcription_client import Captioning
from local.flows.voice_qa_client import Lectures

FILES = 230
"""One full manifest and a flushed one."""


@dataclass(frozen=True)
class Flow:
    """One flow."""

    title: str
    scripted: str
    promise: str
    """What holds when it went well."""
    play: Callable[[Deployment, Tell], list[str]]
    """Plays it and returns what is not as it should be."""


def _ingestion(deployment: Deployment, tell: Tell) -> list[str]:
    outcome, expected = (
        ingestion_flow.play(Runs(deployment), "incoming/demo", FILES, tell),
        ingestion_flow.expected(FILES),
    )
    checks = Checks()
    checks.equal("the manifests' files", outcome.sizes, [200, FILES - 200])
    checks.equal("rows", len(outcome.rows), len(expected))
    checks.equal("whether the rows are right", outcome.rows == expected, expected=True)
    return checks.problems


FLOWS = {
    "ingestion": Flow(
        "files to rows", "nothing is scripted", "every row of every file is there once, and nothing else", _ingestion
    ),
    "transcription": Flow(
        "speech to captions",
        "the words are tones, which the local Transcribe hears",
        "every sentence is on the screen once, and in order",
        lambda deployment, tell: transcription_flow.play(Captioning(deployment), tell),
    ),
    "voice-qa": Flow(
        "a lecture, a question, an answer",
        "the local agent listens to both, and quotes",
        "every piece came once, in order, and quotes what the lecture says",
        lambda deployment, tell: voice_qa_flow.play(Lectures(deployment), tell),
    ),
    "livestream": Flow(
        "episodes over HTTP, a video cut, a transcript checked",
        "real ffmpeg; the model is scripted",
        "every answer is what the API's document says",
        lambda deployment, tell: livestream_flow.play(Livestream(deployment), tell),
    ),
    "meetings": Flow(
        "a recording put together, transcribed, summarised",
        "real ffmpeg; words are tones, the model is scripted",
        "what was said is read by whoever recorded it, and by nobody else",
        lambda deployment, tell: meetings_flow.play(Meetings(deployment), tell),
    ),
}
