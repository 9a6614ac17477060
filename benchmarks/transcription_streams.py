"""A stream for a whole utterance, or one for each small chunk of it: the same speech both ways, against the local Transcribe.

Ours is the processor's code from the audio to the message for the client; the tables and the gateway are left out. The
other way opens a stream for each 100 ms as they are spoken, sends them, ends it and waits for the last result. The
service is a process of its own, without TLS or distance, and answers a chunk at once: neither is so on AWS.
"""

import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from botocore.credentials import Credentials

from benchmarks.figures import at_share
from handlers.common import clock
from handlers.common.logging import EventLog
from handlers.transcription.audio import CHUNK_MS, Encoding, utterance
from handlers.transcription.captions import Captions
from handlers.transcription.delivery import Delivery
from handlers.transcription.live_table import LiveTable, State
from handlers.transcription.messages import Work
from handlers.transcription.results import results_of
from handlers.transcription.sessions import Session, Status
from handlers.transcription.signing import Encoding as Signed
from handlers.transcription.signing import StreamRequest, presigned_url
from handlers.transcription.thresholds import SessionSettings
from handlers.transcription.transcribe import Stream, StreamFailed
from handlers.transcription.transcribing import End, Transcribing
from local.services import serving
from local.services.audio import encoded
from local.services.tones import WORDS, silence, speech
from tests.handlers.transcription.captioning import DEPLOYED
from tests.handlers.transcription.stage import Clients

UTTERANCES = 57
SPEAKERS = 8
QUOTA = 25
"""Streams at once, of an account that has not asked for more."""
SECONDS = 5
SPOKEN = 17
"""Words in as many seconds."""
RATE = 16_000
CONNECTION = "c1"
LATE_SECONDS = 2
PATIENCE_SECONDS = 20
TAILS_SECONDS = (0.0, 0.1, 0.25, 0.5, 1.0)
"""What each stream may take longer on AWS: the way there, TLS, and the model's last word."""
PLAIN_WORDS = WORDS[: WORDS.index("throttled")]


@dataclass
class Way:
    """What one way of streaming came to."""

    endpoint: str
    opened: int = 0
    most_at_once: int = 0
    words: int = 0
    handshakes: list[float] = field(default_factory=list)
    invocations: list[float] = field(default_factory=list)
    late: list[float] = field(default_factory=list)
    """Of each invocation, what it took beyond its audio's own length."""
    waited: list[float] = field(default_factory=list)
    """Until there was a place for it in the quota."""
    failures: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._at_once = 0

    @contextmanager
    def stream(
        self, encoding: Signed, *, stabilised: bool = True, seconds: float = PATIENCE_SECONDS
    ) -> Iterator[Stream]:
        """A stream, counted."""
        begun = time.perf_counter()
        request = StreamRequest("en-US", RATE, encoding, stabilised=stabilised)
        url = presigned_url(
            Credentials("key", "secret"), "us-east-1", request, expires_seconds=60, endpoint=self.endpoint
        )
        with self._lock:
            self.opened += 1
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            with Stream.open(url, seconds) as stream:
                self.handshakes.append(time.perf_counter() - begun)
                yield stream
        finally:
            with self._lock:
                self._at_once -= 1

    def heard(self, text: str) -> None:
        """A final."""
        with self._lock:
            self.words += len(text.split())

    def ended(self, seconds: float, audio_seconds: float, failure: str | None) -> None:
        """An invocation is over."""
        self.invocations.append(seconds)
        self.late.append(seconds - audio_seconds)
        with self._lock:
            self.failures.update([failure] if failure else [])


def said(number: int) -> bytes:
    """An utterance; each begins with another word."""
    words = [PLAIN_WORDS[(number + word) % len(PLAIN_WORDS)] for word in range(SPOKEN)]
    samples = speech(words, RATE)
    return samples + silence(SECONDS, RATE)[len(samples) :]


class Places(LiveTable):
    """A table in which the one attempt has its place."""

    def read(self, model: type[State], key: str) -> State:  # noqa: ARG002 - there is one
        return model.model_validate(
            {"places": [{"utterance": "u1", "attempt": 1, "overdue_ms": clock.now_ms() + 60_000}]}
        )


def by_utterance(way: Way, samples: bytes) -> None:
    """One invocation of ours."""
    audio, clients = encoded(samples, RATE, "ogg-opus"), Clients()
    begun = time.perf_counter()
    spoken = utterance(audio, Encoding.OGG_OPUS, RATE)
    session = Session(
        session_id="01M7W8GQNQY865WCQPRM59D2J7",
        owner="somebody",
        status=Status.OPEN,
        language="en-US",
        encoding=spoken.encoding,
        sample_rate=RATE,
        settings=SessionSettings(),
        secret="-",  # noqa: S106 - nothing is hashed with it
        created_at="",
        ends_at=0,
    )
    delivery = Delivery(
        Work.model_validate(
            {"session_id": session.session_id, "utterance": "u1", "sequence": 1, "attempt": 1, "audio": "-"}
        ),
        session,
        CONNECTION,
        live=Places(None, "none", clock.now_ms),  # type: ignore[arg-type] # there is no table to ask
        connections=clients,
        dedup_seconds=0,
        clock_ms=clock.now_ms,
        log=EventLog("CRITICAL"),
    )
    ending = Transcribing(
        spoken,
        open_stream=lambda partials, seconds: way.stream("ogg-opus", stabilised=partials, seconds=seconds),
        captions_of=lambda finals_only: Captions(DEPLOYED, final_only=finals_only),
        delivery=delivery,
        clock_ms=clock.now_ms,
    ).run(clock.now_ms(), 0, 60_000, finals_only=False)
    failure = None if ending.end is End.DONE else ending.end.value
    way.ended(time.perf_counter() - begun, spoken.duration_ms / 1000, failure)
    for caption in clients.of(CONNECTION, "caption"):
        if caption["final"]:
            way.heard(caption["text"])


def by_chunk(way: Way, chunk: bytes, due: float) -> None:
    """One invocation of the other way."""
    begun = time.perf_counter()
    way.waited.append(begun - due)
    failure = None
    try:
        with way.stream("pcm") as stream:
            stream.send(chunk)
            stream.end()
            while not stream.ended and time.perf_counter() - begun < PATIENCE_SECONDS:
                payload = stream.receive(PATIENCE_SECONDS)
                for result in results_of(payload) if payload else ():
                    if result.final:
                        way.heard(result.text)
    except StreamFailed as error:
        failure = error.code.value
    way.ended(time.perf_counter() - begun, CHUNK_MS / 1000, failure)


def speak(way: Way, samples: bytes, places: ThreadPoolExecutor) -> None:
    """Speaks an utterance, and has each chunk streamed as soon as it is spoken."""
    begun, size = time.perf_counter(), 2 * RATE * CHUNK_MS // 1000
    under_way: list[Future[None]] = []
    for start in range(0, len(samples), size):
        due = begun + (start // size + 1) * CHUNK_MS / 1000
        time.sleep(max(0, due - time.perf_counter()))
        under_way.append(places.submit(by_chunk, way, samples[start : start + size], due))
    for one in under_way:
        one.result()


def main() -> None:
    """Prints one table."""
    endpoint = serving.started()[serving.STREAMING]
    audio = [said(number) for number in range(UTTERANCES)]
    ours, theirs = Way(endpoint), Way(endpoint)
    with ThreadPoolExecutor(SPEAKERS) as speakers:
        list(speakers.map(lambda samples: by_utterance(ours, samples), audio))
    with ThreadPoolExecutor(QUOTA) as places, ThreadPoolExecutor(SPEAKERS) as speakers:
        list(speakers.map(lambda samples: speak(theirs, samples, places), audio))
    spoken = UTTERANCES * SECONDS
    print(f"{UTTERANCES} utterances of {SECONDS} s, {SPEAKERS} speakers at once, {QUOTA} streams at once at most\n")
    print(f"{'':48}{'an utterance':>14}{f'{CHUNK_MS} ms':>14}{'ratio':>9}")
    _line("invocations", len(ours.invocations), len(theirs.invocations))
    _line("streams opened, each with a handshake", ours.opened, theirs.opened)
    _line("streams opened a second of speech", ours.opened / spoken, theirs.opened / spoken)
    _line("most streams at once", ours.most_at_once, theirs.most_at_once)
    for name, share in (("p50", 0.5), ("p95", 0.95)):
        _line(f"handshake ms, {name}", *(1000 * at_share(one.handshakes, share) for one in (ours, theirs)))
        _line(f"invocation ms, {name}", *(1000 * at_share(one.invocations, share) for one in (ours, theirs)))
        _line(f"invocation ms beyond its audio, {name}", *(1000 * at_share(one.late, share) for one in (ours, theirs)))
    _line(
        f"invocations over {LATE_SECONDS} s beyond their audio",
        *(sum(late > LATE_SECONDS for late in one.late) for one in (ours, theirs)),
    )
    used = [sum(one.invocations) / spoken for one in (ours, theirs)]
    _line("invocation-seconds a second of speech", *used)
    _line("words in finals", ours.words, theirs.words)
    print(f"{'of them spoken':48}{UTTERANCES * SPOKEN:14}")
    print(f"failures: {dict(ours.failures)} and {dict(theirs.failures)}")
    print(f"a chunk waited for a place: p95 {1000 * at_share(theirs.waited, 0.95):.1f} ms")
    rates = ours.opened / spoken, theirs.opened / spoken
    even = (used[0] - used[1]) / (rates[1] - rates[0])
    print("\nreckoned, not measured: invocation-seconds a second of speech, if each stream takes longer by")
    for tail in TAILS_SECONDS:
        _line(f"  {tail:g} s", *(seconds + rate * tail for seconds, rate in zip(used, rates, strict=True)))
    print(f"both ways take the same at {1000 * even:.0f} ms")


def _line(name: str, ours: float, theirs: float) -> None:
    ratio = f"{theirs / ours:9.2f}" if ours > 0 else " " * 8 + "-"
    print(f"{name:48}{ours:14.2f}{theirs:14.2f}{ratio}")


if __name__ == "__main__":
    main()
