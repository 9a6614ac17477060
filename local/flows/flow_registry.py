"""List of the five flows. A flow uses one backend from end to end, and the demo runs all flows."""

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
"""Number of files of ingestion's flow. They fill one manifest, a list of 200 files for one Spark run, and begin another.
"""


@dataclass(frozen=True)
class Flow:
    """Flow of one subsystem, as the demo shows it."""

    title: str
    scripted_parts_note: str
    """Note for users about parts that are not real. A scripted model answers by fixed rules."""
    promise: str
    """Statement that is true if the flow has no problems."""
    play: Callable[[Deployment, StepReporter], list[str]]
    """Function that runs the flow and returns its problems."""


def _play_ingestion(deployment: Deployment, report_step: StepReporter) -> list[str]:
    # Each run has its own prefix, because the flow counts the files below the prefix.
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
        "the local Transcribe recognises real speech; the speakers are recordings",
        "every sentence is shown once, in order",
        lambda deployment, report_step: transcription_flow.play(TranscriptionBackend(deployment), report_step),
    ),
    "voice-qa": Flow(
        "a lecture, a question, an answer",
        "the local agent recognises both, and quotes the lecture",
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
        "real ffmpeg and real speech; the model is scripted",
        "only the user who recorded the meeting can read it",
        lambda deployment, report_step: meetings_flow.play(MeetingsBackend(deployment), report_step),
    ),
}
