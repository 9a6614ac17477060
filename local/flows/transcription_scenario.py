"""Transcription's flow: a sentence spoken into a live session, two utterances that overlap, a stream that breaks off.

One piece of code for the demo and for the end-to-end test: it drives and measures, whoever runs it compares. The audio
alone decides what is heard, faults included: the local Transcribe fails at words that say how.
"""

from dataclasses import dataclass

from local.flows import Tell, eventually
from local.flows.transcription import Captioning, Speaker

SENTENCE = "hello world this is a live test of the stream we speak"
FIRST = "we speak in tones ."
SECOND = "we speak in tones . good day"
"""Begins with what the first says: the client cut its audio with some overlap."""
DROPPED = "dropped captions come back"


@dataclass(frozen=True)
class Outcome:
    """What a reader saw."""

    live: list[str]
    """The sentence, when it was done."""
    growing: list[str]
    """Its captions before they were final."""
    overlapping: list[str]
    fallen_back: list[str]
    fallback: str | None
    fallbacks_counted: float
    lost: int


EXPECTED = {
    "live": ["Hello world this is a live test of the stream we speak."],
    "overlapping": ["We speak in tones.", "Good day."],
    "fallen_back": ["Dropped captions come back."],
    "fallback": "stream_failed",
    "fallbacks_counted": 1,
    "lost": 0,
}
"""What the words above become; `growing` depends on the pace of the machine."""


def play(captioning: Captioning, tell: Tell) -> Outcome:
    """Speaks three times, and has the schedule's call made."""
    url = captioning.url
    with Speaker(url) as speaker:
        speaker.open(encoding="ogg-opus")
        speaker.say("sentence", SENTENCE)
        speaker.done("sentence", SENTENCE)
        live = speaker.screen.text()
        growing = [one["text"] for one in speaker.screen.shown if not one["final"]]
    tell(f"a sentence spoken as Opus: {len(growing)} captions while it grew, then {live}")
    with Speaker(url) as speaker:
        speaker.open(encoding="pcm")
        speaker.say("first", FIRST, sequence=1)
        speaker.say("second", SECOND, sequence=2)
        speaker.done("first", FIRST, sequence=1)
        speaker.done("second", SECOND, sequence=2)
        overlapping = speaker.screen.text()
    tell(f"two utterances at once that overlap: {overlapping}")
    before = captioning.fallbacks()
    with Speaker(url) as speaker:
        speaker.open(encoding="pcm")
        speaker.say("dropped", DROPPED)
        done = speaker.ended("dropped")
        fallen_back = speaker.screen.text()
    after = eventually(
        lambda: now if (now := captioning.fallbacks()) > before else None,
        "the metric that the fallback's alarm watches",
    )
    tell(f"a stream of Transcribe's that broke off: finals only, {fallen_back}; counted where an alarm looks")
    lost = captioning.operate(kind="sweep")["lost"]
    tell(f"the sweep, which the schedule calls every minute: {lost} utterances lost on the way")
    return Outcome(live, growing, overlapping, fallen_back, done.get("fallback"), after - before, lost)
