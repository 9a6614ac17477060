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
        title="files to rows",
        reality_note="nothing is scripted",
        promise="every file became its rows",
        play=ingestion_flow.play,
    ),
    "transcription": Flow(
        title="speech to captions",
        reality_note="the local Transcribe recognises real speech; the speakers are recordings",
        promise="every sentence is shown once, in order",
        play=transcription_flow.play,
    ),
    "voice-qa": Flow(
        title="a lecture, a question, an answer",
        reality_note="the local agent recognises the speech of both, and quotes the lecture",
        promise="every piece arrived once, in order",
        play=voice_qa_flow.play,
    ),
    "livestream": Flow(
        title="episodes over HTTP, a video cut, a transcript checked",
        reality_note="real ffmpeg; the model is scripted",
        promise="every response is as documented",
        play=livestream_flow.play,
    ),
    "meetings": Flow(
        title="a recording joined, transcribed and summarised",
        reality_note="real ffmpeg and real speech; the model is scripted",
        promise="only the user who recorded the meeting can read it",
        play=meetings_flow.play,
    ),
}
"""Flows by the name of their subsystem."""
