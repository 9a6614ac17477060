"""Flow of transcription: a sentence, two utterances that overlap, and a Transcribe stream that fails.

An utterance is a message with a few seconds of speech, which `Speaker` makes of clips. Partial captions may still
change, and final captions may not. If Transcribe closes a stream without a message, the backend shows only final
captions (a fallback).
"""

from local.emulation.faults import Fault
from local.flows import Checks, StepReporter, eventually
from local.flows.speech_clips import clip_texts
from local.flows.transcription_client import Speaker, TranscriptionBackend

SENTENCE = ("hello",)
FIRST = ("slowly",)
"""Clips of the first utterance."""
SECOND = ("slowly", "hear")
"""Clips of the second utterance. They begin with those of the first, because clients let their utterances overlap."""
INTERRUPTED = ("sky",)
"""Clips whose stream fails."""


def play(backend: TranscriptionBackend, report_step: StepReporter) -> list[str]:
    """Run the flow. Return the problems."""
    checks = Checks()

    with Speaker(backend) as speaker:
        speaker.open(encoding="ogg-opus")
        speaker.say("sentence", *SENTENCE)
        speaker.wait_until_done("sentence", *SENTENCE)
        captions = speaker.screen.text()
        partials = [caption["text"] for caption in speaker.screen.shown if not caption["final"]]
    checks.recognised("captions of the sentence", captions, clip_texts(*SENTENCE))
    checks.equal("partial captions were shown", partials != [], expected=True)
    report_step(f"a sentence sent as Opus: {len(partials)} partial captions, then {captions}")

    with Speaker(backend) as speaker:
        speaker.open(encoding="ogg-opus")
        speaker.say("first", *FIRST, sequence=1)
        speaker.say("second", *SECOND, sequence=2)
        speaker.wait_until_done("first", *FIRST, sequence=1)
        speaker.wait_until_done("second", *SECOND, sequence=2)
        overlapping = speaker.screen.text()
    checks.recognised("captions of overlapping utterances", overlapping, clip_texts(*SECOND))
    report_step(f"two simultaneous utterances that overlap: {overlapping}")

    _play_failure(backend, checks, report_step)
    return checks.problems


def _play_failure(backend: TranscriptionBackend, checks: Checks, report_step: StepReporter) -> None:
    """Let Transcribe fail in the middle of an utterance."""
    fallbacks_before = backend.count_fallbacks()
    backend.faults.set(Fault.STREAM_DROPPED)
    with Speaker(backend) as speaker:
        speaker.open(encoding="pcm")
        speaker.say("dropped", *INTERRUPTED)
        done = speaker.wait_for_end("dropped")
        final_captions = speaker.screen.text()
    fallbacks = eventually(
        lambda: count if (count := backend.count_fallbacks()) > fallbacks_before else None,
        "the metric of the fallback alarm",
    )
    checks.recognised("captions of a failed stream", final_captions, clip_texts(*INTERRUPTED))
    checks.equal("fallback and its metric", (done.get("fallback"), fallbacks - fallbacks_before), ("stream_failed", 1))
    report_step(
        f"a Transcribe stream that failed: final captions only, {final_captions}; counted in the alarm's metric"
    )
