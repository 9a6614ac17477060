"""Audio processor with the local Transcribe emulation over real sockets: whatever the service sends, each caption is
shown once.

Time runs ten times faster, so audio is sent in fewer bursts. `test_utterance_time_limits` tests durations.
"""

import base64
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import pytest

from handlers.transcription.audio_processor import utterance_transcription
from handlers.transcription.audio_processor.transcribe_stream.stream_client import TranscribeStream
from handlers.transcription.audio_processor.utterance_transcription import UtteranceEnd
from handlers.transcription.caption_thresholds import SessionSettings
from handlers.transcription.stream_signing import StreamRequest
from local.emulation.speech.tone_words import silence, speech
from local.flows.transcription_client import Screen
from tests.handlers.transcription.processor_harness import ProcessorHarness
from tests.handlers.transcription.router_harness import Clock
from tests.local.emulation.server_threads import PATIENCE
from tests.local.emulation.transcribe.stream_listener import RATE, address, listening
from tests.lost_responses import repeated

FASTER = 10
PATIENT = SessionSettings(dedup_cache_ttl=60, orphan_timeout=60, max_buffer_timeout=10)
"""Time limit that even a slow machine does not exceed."""


class RunningClock(Clock):
    """Clock that runs by itself."""

    def __call__(self) -> int:
        return FASTER * time.monotonic_ns() // 1_000_000 + super().__call__()


@dataclass
class EmulatedSession:
    """A session whose utterances are sent to the running emulation."""

    dynamodb: Any
    endpoint: str
    requests: list[StreamRequest] = field(default_factory=list)

    @cached_property
    def processor(self) -> ProcessorHarness:
        made = ProcessorHarness(self.dynamodb, settings=PATIENT, clock=RunningClock(0))
        made.open_stream = self._stream
        made.open()
        return made

    def send(self, audio: bytes, utterance: str = "u1") -> UtteranceEnd | None:
        """Send an utterance."""
        self.processor.take(utterance)
        return self.processor.call(utterance, audio=base64.b64encode(audio).decode())

    @property
    def shown_lines(self) -> Screen:
        """Return the lines that the client shows."""
        return self.processor.shown_lines()

    @property
    def fallbacks(self) -> float:
        """Return the number of fallbacks that the metric counts."""
        return self.processor.cloudwatch.values.get("TranscribeFallbackTriggered", 0)

    def _stream(self, request: StreamRequest, _seconds: float) -> AbstractContextManager[TranscribeStream]:
        self.requests.append(request)
        return TranscribeStream.open(address(self.endpoint, stabilised=request.stabilised), PATIENCE)


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Raise the time limits for slow machines."""
    monkeypatch.setattr(utterance_transcription, "GRACE_MS", round(1000 * PATIENCE * FASTER))


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with listening() as found:
        yield found


@pytest.fixture
def line(dynamodb: Any, endpoint: str) -> EmulatedSession:
    return EmulatedSession(dynamodb, endpoint)


def words(text: str) -> bytes:
    return speech(text.split(), RATE)


def test_sentences_are_shown_once_and_in_order(line: EmulatedSession) -> None:
    assert line.send(words("hello world . good day")) is UtteranceEnd.DONE
    assert line.shown_lines.text() == ["Hello world.", "Good day."]
    assert [caption["text"] for caption in line.shown_lines.shown if caption["final"]] == ["Hello world.", "Good day."]
    assert line.processor.sent_messages("done")[0]["finals"] == 2
    assert (len(line.requests), line.fallbacks) == (1, 0)


def test_an_utterance_whose_writes_are_all_retried_is_shown_once(
    line: EmulatedSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The retried write must not be mistaken for a slot or a start of another attempt."""
    repeated(line.dynamodb, "update_item", monkeypatch)
    assert line.send(words("hello world . good day")) is UtteranceEnd.DONE
    assert line.shown_lines.text() == ["Hello world.", "Good day."]
    assert line.processor.sent_messages("done")[0]["finals"] == 2


@pytest.mark.parametrize(
    ("fault", "cause"), [("throttled", "throttled"), ("dropped", "dropped"), ("malformed", "malformed")]
)
def test_a_stream_that_fails_in_the_middle_is_followed_by_one_for_finals(
    line: EmulatedSession, capsys: pytest.CaptureFixture[str], fault: str, cause: str
) -> None:
    assert line.send(words(f"hello {fault} world")) is UtteranceEnd.DONE
    assert line.shown_lines.text() == [f"Hello {fault} world."]
    assert line.processor.sent_messages("done")[0]["fallback"] == "stream_failed"
    assert [request.stabilised for request in line.requests] == [True, False]
    assert line.fallbacks == 1
    assert f'"cause":"{cause}"' in capsys.readouterr().out


def test_a_service_that_always_fails_leaves_no_line(line: EmulatedSession) -> None:
    assert line.send(words("hello broken world")) is UtteranceEnd.BROKEN
    assert line.shown_lines.text() == []
    assert len(line.processor.sent_messages("resend")) == 1
    assert line.processor.slots.slots == ()


def test_silence_is_an_utterance_without_captions(line: EmulatedSession) -> None:
    assert line.send(silence(0.5, RATE)) is UtteranceEnd.DONE
    assert line.processor.sent_messages("done")[0]["finals"] == 0
    assert line.fallbacks == 0


def test_a_stream_that_times_out_waiting_for_audio_is_retried(
    dynamodb: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """The timeout is fifteen seconds on AWS, longer than any utterance, so only a blocked processor meets it."""
    with listening(silence_seconds=0.001) as endpoint:
        line = EmulatedSession(dynamodb, endpoint)
        assert line.send(words("hello world")) is UtteranceEnd.BROKEN
    assert [request.stabilised for request in line.requests] == [True, False]
    assert len(line.processor.sent_messages("resend")) == 1
    assert line.fallbacks == 1
    assert '"cause":"silent"' in capsys.readouterr().out


def test_a_final_that_comes_twice_with_different_words_is_shown_once(line: EmulatedSession) -> None:
    line.send(words("repeating test . good day"))
    assert line.shown_lines.text() == ["Repeating test.", "Good day."]
    assert [caption["text"] for caption in line.shown_lines.shown if caption["final"]] == [
        "Repeating test.",
        "Good day.",
    ]


def test_a_sentence_without_a_final_is_shown_in_its_last_version(line: EmulatedSession) -> None:
    assert line.send(words("endless test . good day")) is UtteranceEnd.DONE
    assert line.shown_lines.text() == ["Endless test", "Good day."]
    assert {caption["text"]: caption["orphan"] for caption in line.shown_lines.shown if caption["final"]} == {
        "Endless test": True,
        "Good day.": False,
    }
    assert line.processor.cloudwatch.values["OrphanedResultsFlushed"] == 1


def test_a_service_without_stability_marks_loses_no_final(line: EmulatedSession) -> None:
    assert line.send(words("unflagged test")) is UtteranceEnd.DONE
    assert line.shown_lines.text() == ["Unflagged test."]


def test_two_overlapping_utterances_show_their_common_words_once(line: EmulatedSession) -> None:
    line.send(words("we speak in tones"), "u1")
    line.send(words("we speak in tones . good day"), "u2")
    assert line.shown_lines.text() == ["We speak in tones.", "Good day."]
