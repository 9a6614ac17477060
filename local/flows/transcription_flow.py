"""Transcription's flow: a sentence spoken into a live session, two utterances that overlap, a stream that breaks off.

The audio alone decides what is heard, faults included: the local Transcribe fails at words that say how.
"""

from local.flows import Checks, Tell, eventually
from local.flows.transcription_client import Captioning, Speaker

SENTENCE = "hello world this is a live test of the stream we speak"
FIRST = "we speak in tones ."
SECOND = "we speak in tones . good day"
"""Begins with what the first says: the client cut its audio with some overlap."""
DROPPED = "dropped captions come back"


def play(captioning: Captioning, tell: Tell) -> list[str]:
    """Speak three times, and make the schedule's call; return what was not as it should be."""
    checks = Checks()
    url = captioning.url
    with Speaker(url) as speaker:
        speaker.open(encoding="ogg-opus")
        speaker.say("sentence", SENTENCE)
        speaker.done("sentence", SENTENCE)
        live = speaker.screen.text()
        growing = [one["text"] for one in speaker.screen.shown if not one["final"]]
    checks.equal("the sentence", live, ["Hello world this is a live test of the stream we speak."])
    checks.equal("whether captions came before it was over", growing != [], expected=True)
    checks.equal("captions without its beginning", [text for text in growing if "Hello" not in text], [])
    tell(f"a sentence spoken as Opus: {len(growing)} captions while it grew, then {live}")
    with Speaker(url) as speaker:
        speaker.open(encoding="pcm")
        speaker.say("first", FIRST, sequence=1)
        speaker.say("second", SECOND, sequence=2)
        speaker.done("first", FIRST, sequence=1)
        speaker.done("second", SECOND, sequence=2)
        overlapping = speaker.screen.text()
    checks.equal("utterances that overlap", overlapping, ["We speak in tones.", "Good day."])
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
    checks.equal("a stream that broke off", fallen_back, ["Dropped captions come back."])
    checks.equal("its fallback, and how many are counted", (done.get("fallback"), after - before), ("stream_failed", 1))
    tell(f"a stream of Transcribe's that broke off: finals only, {fallen_back}; counted where an alarm looks")
    lost = captioning.operate(kind="sweep")["lost"]
    checks.equal("lost utterances", lost, 0)
    tell(f"the sweep, which the schedule calls every minute: {lost} utterances lost on the way")
    return checks.problems
