"""Registry of the five flows that the demo runs, each with a title, its function and the statement that it proves."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass

from local.flows import (
    Checks,
    Deployment,
    StepReporter,
    ingestion_flow,
    livestream_flow,
    meetings_flow,
    transcription_flow,
    voice_qa_flow,
)
from local.flows.ingestion_client import IngestionRuns
from local.flows.livestream_client import LivestreamBackend
from local.flows.meetings_client import MeetingsBackend
from local.flows.transcription_client import TranscriptionBackend
from local.flows.voice_qa_client import VoiceQaBackend

FILE_COUNT = 230
"""Number of files of ingestion's flow: enough for one full manifest and a partial one."""


@dataclass(frozen=True)
class Flow:
    """Flow of one subsystem, as the demo shows it."""

    title: str
    scripted: str
    """Note about the scripted, simulated and real parts. A scripted part answers by fixed rules in place of a language
    model."""
    promise: str
    """Statement that holds if the flow has no problems."""
    play: Callable[[Deployment, StepReporter], list[str]]
    """Function that runs the flow and returns its problems."""


def _play_ingestion(deployment: Deployment, report_step: StepReporter) -> list[str]:
    # A separate prefix, because the flow counts the files below it, and the platform keeps those of earlier runs.
    prefix = f"incoming/demo-{uuid.uuid4().hex}"
    outcome = ingestion_flow.play(IngestionRuns(deployment), prefix, FILE_COUNT, report_step)
    expected = ingestion_flow.list_expected_rows(FILE_COUNT)
    checks = Checks()
    checks.equal("files per manifest", outcome.manifest_sizes, [200, FILE_COUNT - 200])
    checks.equal("number of rows", len(outcome.rows), len(expected))
    checks.equal("rows equal the expected rows", outcome.rows == expected, expected=True)
    return checks.problems


FLOWS = {
    "ingestion": Flow(
        "files to rows", "nothing is scripted", "every row of every file exists exactly once", _play_ingestion
    ),
    "transcription": Flow(
        "speech to captions",
        "words are tones, which the local Transcribe recognises",
        "every sentence is shown once, in order",
        lambda deployment, report_step: transcription_flow.play(TranscriptionBackend(deployment), report_step),
    ),
    "voice-qa": Flow(
        "a lecture, a question, an answer",
        "the local agent recognises both and quotes the lecture",
        "every piece arrived once, in order, and quotes the lecture",
        lambda deployment, report_step: voice_qa_flow.play(VoiceQaBackend(deployment), report_step),
    ),
    "livestream": Flow(
        "episodes over HTTP, a video cut, a transcript checked",
        "real ffmpeg; the model is scripted",
        "every response is as documented",
        lambda deployment, report_step: livestream_flow.play(LivestreamBackend(deployment), report_step),
    ),
    "meetings": Flow(
        "a recording joined, transcribed and summarised",
        "real ffmpeg; words are tones, the model is scripted",
        "only the user who recorded the meeting can read it",
        lambda deployment, report_step: meetings_flow.play(MeetingsBackend(deployment), report_step),
    ),
}
