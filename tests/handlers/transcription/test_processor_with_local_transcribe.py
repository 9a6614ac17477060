"""Audio processor with the local Transcribe emulation over real sockets: whatever the service sends, each caption is
shown once.

Time runs ten times faster, so audio is sent in fewer bursts. `test_utterance_time_limits` tests durations.
"""

import base64
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any

import pytest

from handlers.transcription.audio_processor import utterance_transcription
from handlers.transcription.audio_processor.transcribe_stream.stream_client import TranscribeStream
from handlers.transcription.audio_processor.utterance_transcription import UtteranceEnd
from handlers.transcription.caption_thresholds import SessionSettings
from handlers.transcription.transcribe_stream_urls import StreamRequest
from local.emulation.speech.tone_words import speech
from tests.handlers.transcription.processor_harness import ProcessorHarness
from tests.handlers.transcription.router_harness import Clock
from tests.local.emulation.server_threads import TIMEOUT_SECONDS
from tests.local.emulation.transcribe.stream_listener import RATE, presign_url, serve_transcribe
from tests.lost_responses import repeat_next_call

FASTER = 10
PATIENT = SessionSettings(dedup_cache_ttl=60, orphan_timeout=60, max_buffer_timeout=10)


class RunningClock(Clock):
    """Clock that runs by itself."""

    def __call__(self) -> int:
        return FASTER * time.monotonic_ns() // 1_000_000 + super().__call__()


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with serve_transcribe() as found:
        yield found


@pytest.fixture
def streamed(dynamodb: Any, endpoint: str, monkeypatch: pytest.MonkeyPatch) -> ProcessorHarness:
    """Return a processor whose streams are real connections to the emulation."""
    # Time limits that even a slow machine does not exceed.
    monkeypatch.setattr(utterance_transcription, "GRACE_MS", round(1000 * TIMEOUT_SECONDS * FASTER))
    harness = ProcessorHarness(dynamodb, settings=PATIENT, clock=RunningClock(0))

    def open_stream(request: StreamRequest, _seconds: float) -> AbstractContextManager[TranscribeStream]:
        harness.transcribe.requests.append(request)
        return TranscribeStream.open(presign_url(endpoint, stabilised=request.stabilised), TIMEOUT_SECONDS)

    harness.open_stream = open_stream
    return harness


def send(processor: ProcessorHarness, text: str) -> UtteranceEnd | None:
    return processor.process_utterance(audio=base64.b64encode(speech(text.split(), RATE)).decode())


def test_an_utterance_whose_writes_are_all_retried_is_shown_once(
    streamed: ProcessorHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The retried write must not be mistaken for a slot or a start of another attempt."""
    repeat_next_call(streamed.dynamodb, "update_item", monkeypatch)
    assert send(streamed, "hello world . good day") is UtteranceEnd.DONE
    assert streamed.shown_lines() == ["Hello world.", "Good day."]
    assert streamed.messages("done")[0]["finals"] == 2
    assert len(streamed.transcribe.requests) == 1
    assert "TranscribeFallbackTriggered" not in streamed.cloudwatch.values


@pytest.mark.parametrize("fault", ["throttled", "dropped", "malformed"])
def test_a_stream_that_fails_in_the_middle_is_followed_by_one_for_finals(
    streamed: ProcessorHarness, capsys: pytest.CaptureFixture[str], fault: str
) -> None:
    assert send(streamed, f"hello {fault} world") is UtteranceEnd.DONE
    assert streamed.shown_lines() == [f"Hello {fault} world."]
    assert streamed.messages("done")[0]["fallback"] == "stream_failed"
    assert [request.stabilised for request in streamed.transcribe.requests] == [True, False]
    assert streamed.cloudwatch.values["TranscribeFallbackTriggered"] == 1
    assert f'"cause":"{fault}"' in capsys.readouterr().out
