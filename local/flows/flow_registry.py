"""List of the five flows. A flow uses one backend from end to end. `make demo` runs all flows on the local platform, and
`python -m operations verify` on a deployed stack.
"""

from collections.abc import Callable
from dataclasses import dataclass

from local.flows import (
    Stack,
    StepReporter,
    ingestion_flow,
    livestream_flow,
    meetings_flow,
    transcription_flow,
    voice_qa_flow,
)
from local.flows.ingestion_client import IngestionBackend
from local.flows.livestream_client import LivestreamBackend
from local.flows.meetings_client import MeetingsBackend
from local.flows.transcription_client import TranscriptionBackend
from local.flows.voice_qa_client import VoiceQaBackend


@dataclass(frozen=True)
class Flow:
    """Flow of one subsystem."""

    title: str
    reality_note: str
    """Note of the demo about what is real on the local platform. A scripted model, which answers by fixed rules, is not."""
    promise: str
    """Statement that is true if the flow has no problems."""
    play: Callable[[Stack, StepReporter], list[str]]
    """Function that runs the flow and returns its problems."""


FLOWS = {
    "ingestion": Flow(
        "files to rows",
        "nothing is scripted",
        "every file became its rows",
        lambda stack, report_step: ingestion_flow.play(IngestionBackend(stack), report_step),
    ),
    "transcription": Flow(
        "speech to captions",
        "the local Transcribe recognises real speech; the speakers are recordings",
        "every sentence is shown once, in order",
        lambda stack, report_step: transcription_flow.play(TranscriptionBackend(stack), report_step),
    ),
    "voice-qa": Flow(
        "a lecture, a question, an answer",
        "the local agent recognises the speech of both, and quotes the lecture",
        "every piece arrived once, in order",
        lambda stack, report_step: voice_qa_flow.play(VoiceQaBackend(stack), report_step),
    ),
    "livestream": Flow(
        "episodes over HTTP, a video cut, a transcript checked",
        "real ffmpeg; the model is scripted",
        "every response is as documented",
        lambda stack, report_step: livestream_flow.play(LivestreamBackend(stack), report_step),
    ),
    "meetings": Flow(
        "a recording joined, transcribed and summarised",
        "real ffmpeg and real speech; the model is scripted",
        "only the user who recorded the meeting can read it",
        lambda stack, report_step: meetings_flow.play(MeetingsBackend(stack), report_step),
    ),
}
