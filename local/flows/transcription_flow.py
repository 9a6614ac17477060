"""Flow of transcription: a sentence, and two utterances at the same time.

An utterance is a message with a few seconds of speech, which `Speaker` makes of clips. Partial captions may still
change, and final captions may not.
"""

from local.flows import Checks, Stack, StepReporter
from local.flows.speech_clips import clip_texts
from local.flows.transcription_client import Speaker, TranscriptionBackend

SENTENCE = ("hello",)
FIRST = ("slowly",)
"""Clips of the first utterance."""
SECOND = ("hear",)
"""Clips of the second utterance, which is sent while the first is transcribed."""


def play(stack: Stack, report_step: StepReporter) -> list[str]:
    """Run the flow. Return the problems."""
    backend, checks = TranscriptionBackend(stack), Checks()
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
        captions = speaker.screen.text()
    checks.recognised("captions of both utterances in the order of speech", captions, clip_texts(*FIRST, *SECOND))
    report_step(f"two simultaneous utterances: {captions}")

    return checks.problems
