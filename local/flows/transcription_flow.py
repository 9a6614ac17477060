"""Flow of transcription: a sentence, two utterances that overlap, and a Transcribe stream that fails.

An utterance is a message with a few seconds of speech. `Speaker` turns words into tones, and the local Transcribe
recognises the same words again. Partial captions may still change, and final captions may not. The word `dropped` makes
the local Transcribe close the stream without a message. The backend then shows only final captions (a fallback).
"""

from local.flows import Checks, StepReporter, eventually
from local.flows.transcription_client import Speaker, TranscriptionBackend

SENTENCE = "hello world this is a live test of the stream we speak"
FIRST = "we speak in tones ."
"""Words of the first utterance. The full stop is separate, because it becomes a silence that ends the sentence."""
SECOND = "we speak in tones . good day"
"""Words of the second utterance. They begin with those of the first, because clients let their utterances overlap."""
DROPPED = "dropped captions come back"
"""Words whose stream fails because of the first word."""


def play(backend: TranscriptionBackend, report_step: StepReporter) -> list[str]:
    """Run the flow. Return the problems."""
    checks = Checks()

    with Speaker(backend) as speaker:
        speaker.open(encoding="ogg-opus")
        speaker.say("sentence", SENTENCE)
        speaker.wait_until_done("sentence", SENTENCE)
        sentence_captions = speaker.screen.text()
        partials = [caption["text"] for caption in speaker.screen.shown if not caption["final"]]
    checks.equal(
        "captions of the sentence", sentence_captions, ["Hello world this is a live test of the stream we speak."]
    )
    checks.equal("partial captions were shown", partials != [], expected=True)
    checks.equal("partial captions without the first word", [text for text in partials if "Hello" not in text], [])
    report_step(f"a sentence sent as Opus: {len(partials)} partial captions, then {sentence_captions}")

    with Speaker(backend) as speaker:
        speaker.open(encoding="pcm")
        speaker.say("first", FIRST, sequence=1)
        speaker.say("second", SECOND, sequence=2)
        speaker.wait_until_done("first", FIRST, sequence=1)
        speaker.wait_until_done("second", SECOND, sequence=2)
        overlapping = speaker.screen.text()
    checks.equal("captions of overlapping utterances", overlapping, ["We speak in tones.", "Good day."])
    report_step(f"two simultaneous utterances that overlap: {overlapping}")

    fallbacks_before = backend.count_fallbacks()
    with Speaker(backend) as speaker:
        speaker.open(encoding="pcm")
        speaker.say("dropped", DROPPED)
        done = speaker.wait_for_end("dropped")
        final_captions = speaker.screen.text()
    fallbacks = eventually(
        lambda: count if (count := backend.count_fallbacks()) > fallbacks_before else None,
        "the metric of the fallback alarm",
    )
    checks.equal("captions of a failed stream", final_captions, ["Dropped captions come back."])
    checks.equal("fallback and its metric", (done.get("fallback"), fallbacks - fallbacks_before), ("stream_failed", 1))
    report_step(
        f"a Transcribe stream that failed: final captions only, {final_captions}; counted in the alarm's metric"
    )
    return checks.problems
