"""Table of the five flows: title, scripted parts, and the result that each guarantees."""

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
from local.flows.livestream_client import LivestreamClient
from local.flows.meetings_client import Meetings
from local.flows.transcription_client import Captioning
from local.flows.voice_qa_client import Lectures

FILES = 230
"""Number of files: enough for one full manifest and a partial one."""


@dataclass(frozen=True)
class Flow:
    """Flow of one subsystem, as the demo shows it."""

    title: str
    scripted: str
    """Names of the parts that are scripted or simulated."""
    promise: str
    """Statement that holds if the flow has no problems."""
    play: Callable[[Deployment, Tell], list[str]]
    """Function that runs the flow and returns its problems."""


def _ingestion(deployment: Deployment, tell: Tell) -> list[str]:
    outcome, expected = (
        ingestion_flow.play(Runs(deployment), "incoming/demo", FILES, tell),
        ingestion_flow.list_expected_rows(FILES),
    )
    checks = Checks()
    checks.equal("files per manifest", outcome.sizes, [200, FILES - 200])
    checks.equal("number of rows", len(outcome.rows), len(expected))
    checks.equal("rows equal the expected rows", outcome.rows == expected, expected=True)
    return checks.problems


FLOWS = {
    "ingestion": Flow(
        "files to rows", "nothing is scripted", "every row of every file exists exactly once", _ingestion
    ),
    "transcription": Flow(
        "speech to captions",
        "words are tones, which the local Transcribe recognizes",
        "every sentence is shown once, in order",
        lambda deployment, tell: transcription_flow.play(Captioning(deployment), tell),
    ),
    "voice-qa": Flow(
        "a lecture, a question, an answer",
        "the local agent recognizes both and quotes the lecture",
        "every piece arrived once, in order, and quotes the lecture",
        lambda deployment, tell: voice_qa_flow.play(Lectures(deployment), tell),
    ),
    "livestream": Flow(
        "episodes over HTTP, a video cut, a transcript checked",
        "real ffmpeg; the model is scripted",
        "every response is as documented",
        lambda deployment, tell: livestream_flow.play(LivestreamClient(deployment), tell),
    ),
    "meetings": Flow(
        "a recording joined, transcribed and summarised",
        "real ffmpeg; words are tones, the model is scripted",
        "only the user who recorded the meeting can read it",
        lambda deployment, tell: meetings_flow.play(Meetings(deployment), tell),
    ),
}
