"""Tests of the audio processor with the local emulation of Amazon Transcribe, over real sockets.

The emulation recognises real speech, and fails on demand (`local/emulation/faults.py`). The clock runs ten times as fast
as real time, so the tests are short. `test_one_attempt` tests durations.
"""

import base64
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any

import pytest

from handlers.transcription.audio_processor.stream import StreamRequest, TranscribeStream
from handlers.transcription.audio_processor.transcription import UtteranceEnd
from local.emulation.faults import Fault, Faults
from local.flows.speech_clips import clip_texts, join_clips
from tests.handlers.common.fakes import Clock
from tests.handlers.transcription.router_harness import TranscriptionHarness
from tests.local.emulation.fake_account import TIMEOUT_SECONDS
from tests.local.emulation.transcribe.stream_listener import presign_url, serve_transcribe
from tests.lost_responses import repeat_every_call

CLOCK_SPEED = 10
LONG_THRESHOLDS = {"dedupCacheTtl": 60, "orphanTimeout": 60, "maxBufferTimeout": 10}
"""Thresholds that are not reached even if the machine is slow."""


class RunningClock(Clock):
    """Clock that advances by itself."""

    def __call__(self) -> int:
        return CLOCK_SPEED * time.monotonic_ns() // 1_000_000 + super().__call__()


FAULTS = Faults()


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with serve_transcribe(FAULTS) as url:
        yield url


@pytest.fixture
def streaming_processor(dynamodb: Any, endpoint: str) -> TranscriptionHarness:
    """Return a processor whose streams are real connections to the emulation."""
    harness = TranscriptionHarness(
        dynamodb,
        clock=RunningClock(0),
        last_results_ms=round(1000 * TIMEOUT_SECONDS * CLOCK_SPEED),  # even a slow machine does not exceed it
    )

    def open_stream(request: StreamRequest, _seconds: float) -> AbstractContextManager[TranscribeStream]:
        harness.transcribe.requests.append(request)
        return TranscribeStream.open(presign_url(endpoint, stabilised=request.stabilised), TIMEOUT_SECONDS)

    harness.open_stream = open_stream
    return harness


def process_speech(processor: TranscriptionHarness, clip: str, attempt: int = 1) -> UtteranceEnd | None:
    audio = base64.b64encode(join_clips(clip)).decode()
    return processor.process_utterance(audio=audio, attempt=attempt, settings=LONG_THRESHOLDS)


def test_an_utterance_is_shown_once_even_if_every_write_to_dynamodb_is_repeated(
    streaming_processor: TranscriptionHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """botocore repeats a write whose response is lost. The processor must not mistake the first of its two writes for
    that of another invocation, which has already started to process the utterance."""
    repeat_every_call(streaming_processor.dynamodb, "put_item", monkeypatch)
    assert process_speech(streaming_processor, "sky") is UtteranceEnd.DONE
    assert streaming_processor.shown_lines() == clip_texts("sky")
    assert streaming_processor.messages("done")[0]["finals"] == 1
    assert len(streaming_processor.transcribe.requests) == 1
    assert "TranscribeFallbackTriggered" not in streaming_processor.cloudwatch.values


@pytest.mark.parametrize("fault", [Fault.STREAM_THROTTLED, Fault.STREAM_DROPPED, Fault.STREAM_MALFORMED])
def test_a_stream_that_fails_in_the_middle_is_followed_by_one_for_finals(
    streaming_processor: TranscriptionHarness, capsys: pytest.CaptureFixture[str], fault: Fault
) -> None:
    FAULTS.set(fault)
    assert process_speech(streaming_processor, "sky") is UtteranceEnd.BROKEN
    assert streaming_processor.messages("failed")[0]["retryable"] is True
    assert streaming_processor.cloudwatch.values["TranscribeFallbackTriggered"] == 1
    cause = "throttled" if fault is Fault.STREAM_THROTTLED else "broken"
    assert f'"cause":"{cause}"' in capsys.readouterr().out
    assert process_speech(streaming_processor, "sky", attempt=2) is UtteranceEnd.DONE
    assert streaming_processor.shown_lines() == clip_texts("sky")
    assert streaming_processor.messages("done")[0]["fallback"] == "retried"
    assert [request.stabilised for request in streaming_processor.transcribe.requests] == [True, False]
