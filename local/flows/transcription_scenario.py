"""Transcription's flow: a sentence spoken into a live session, two utterances that overlap, a stream that is throttled.

One piece of code for the demo and for the end-to-end test: it drives and measures, whoever runs it compares. The audio
alone decides what is heard, faults included: the local Transcribe fails at words that say how.
"""

import time
from dataclasses import dataclass
from typing import Any

from local.aws import Clients
from local.flows import Tell, eventually
from local.flows.transcription import Speaker

SENTENCE = "hello world this is a live test of the stream we speak"
FIRST = "we speak in tones ."
SECOND = "we speak in tones . good day"
"""Begins with what the first says: the client cut its audio with some overlap."""
THROTTLED = "throttled captions come back"
NAMESPACE = "AudioTranscription/PartialResults"
FALLBACK = "TranscribeFallbackTriggered"


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


EXPECTED = {
    "live": ["Hello world this is a live test of the stream we speak."],
    "overlapping": ["We speak in tones.", "Good day."],
    "fallen_back": ["Throttled captions come back."],
    "fallback": "stream_failed",
}
"""What the words above become; `growing` depends on the pace of the machine."""


def play(url: str, client: Clients, tell: Tell) -> Outcome:
    """Speaks three times."""
    with Speaker(url) as speaker:
        speaker.open(encoding="ogg-opus")
        speaker.say("sentence", SENTENCE)
        speaker.ended("sentence")
        live = speaker.screen.text()
        growing = [one["text"] for one in speaker.screen.shown if not one["final"]]
    tell(f"a sentence spoken as Opus: {len(growing)} captions while it grew, then {live}")
    with Speaker(url) as speaker:
        speaker.open(encoding="pcm")
        speaker.say("first", FIRST, sequence=1)
        speaker.say("second", SECOND, sequence=2)
        speaker.ended("first")
        speaker.ended("second")
        overlapping = speaker.screen.text()
    tell(f"two utterances at once that overlap: {overlapping}")
    before = counted(client)
    with Speaker(url) as speaker:
        speaker.open(encoding="flac")
        speaker.say("throttled", THROTTLED)
        done = speaker.ended("throttled")
        fallen_back = speaker.screen.text()
    after = eventually(lambda: now if (now := counted(client)) > before else None, "the fallback's metric")
    tell(f"Transcribe throttled in mid-stream: finals only, {fallen_back}; counted where an alarm looks")
    return Outcome(live, growing, overlapping, fallen_back, done.get("fallback"), after - before)


def counted(client: Clients) -> float:
    """How many fallbacks CloudWatch knows of."""
    now = time.time()
    points: list[dict[str, Any]] = client("cloudwatch").get_metric_statistics(
        Namespace=NAMESPACE,
        MetricName=FALLBACK,
        Dimensions=[{"Name": "FunctionName", "Value": "polyphony-local-transcription-audio-processor"}],
        StartTime=now - 3600,
        EndTime=now + 60,
        Period=3600,
        Statistics=["Sum"],
    )["Datapoints"]
    return sum(float(one["Sum"]) for one in points)
