"""Tests of the latency of captions, a metric: the time from the end of the speech to the delivery of its caption.

`final_at(1_100, ..., at_ms=900)` is a caption that Amazon Transcribe sends 1100 ms after its stream opened. Its speech
starts at 900 ms of the stream's audio, and each word is 100 ms long. The audio is sent at the pace of speech.
"""

from typing import Any

import pytest

from handlers.transcription.audio_processor.stream import StreamFailureCode
from handlers.transcription.audio_processor.utterance_transcription import UtteranceEnd
from handlers.transcription.caption_thresholds import SessionSettings
from handlers.transcription.names_shared_with_deployment import FALLBACK_METRIC
from tests.handlers.transcription.processor_harness import STREAM_END, ProcessorHarness, final_at, partial_at
from tests.handlers.transcription.router_harness import START_MS, PeerDelays


def test_the_latency_of_a_caption_counts_from_the_end_of_its_own_words(processor: ProcessorHarness) -> None:
    processor.process_utterance(
        partial_at(2_050, "Some words of it.", at_ms=1_600),
        final_at(2_300, "Some words of it.", at_ms=1_850),
        (2_500, None),
        seconds=2.4,
    )
    assert processor.cloudwatch.latencies_ms == [50, 50]


@pytest.mark.parametrize("waiting_ms", [0, 19_000])
@pytest.mark.parametrize("opening_ms", [0, 900])
def test_the_latency_includes_the_wait_for_the_invocation_and_for_the_stream(
    dynamodb: Any, waiting_ms: int, opening_ms: int
) -> None:
    """An invocation may wait in Lambda's queue and for a cold start. It cannot measure this time itself."""
    processor = ProcessorHarness(
        dynamodb, [[final_at(1_100, "Hello.", at_ms=900), STREAM_END]], delays=PeerDelays(opening_ms=(opening_ms,))
    )
    processor.take_slot("u1")
    processor.clock.now_ms += waiting_ms
    assert processor.invoke() is UtteranceEnd.DONE
    assert processor.cloudwatch.latencies_ms == [waiting_ms + opening_ms + 100]


def test_the_latency_includes_the_time_in_which_earlier_captions_are_posted(processor: ProcessorHarness) -> None:
    processor.slow_down_posts(400)
    finals = [final_at(1_000, f"Sentence{index}.", f"r{index}", at_ms=900) for index in range(3)]
    processor.process_utterance(*finals, STREAM_END)
    assert processor.cloudwatch.latencies_ms == [400, 800, 1_200]


def test_the_latency_includes_the_time_of_a_failed_stream(processor: ProcessorHarness) -> None:
    processor.scripts += [[(400, StreamFailureCode.BROKEN)], [final_at(200, "Hello.", at_ms=0), (1_050, None)]]
    processor.process_utterance()
    assert processor.cloudwatch.latencies_ms == [400 + 200 - 100], "the word ends 100 ms after the start of the speech"


def test_the_latency_of_a_second_attempt_counts_from_its_acceptance_and_position(processor: ProcessorHarness) -> None:
    processor.process_utterance(final_at(250, "Two.", at_ms=100), (350, None), from_ms=700, utterance_attempt=2)
    assert processor.cloudwatch.latencies_ms == [50], "the first 700 ms of the audio are not streamed again"


@pytest.mark.parametrize(("accepted_ms", "latency"), [(START_MS + 60_000, 0), (None, 100)])
def test_an_acceptance_time_that_is_missing_or_in_the_future_gives_no_negative_latency(
    processor: ProcessorHarness, accepted_ms: int | None, latency: int
) -> None:
    """The router states when it accepted the attempt. Its clock may be ahead, and an older release of the router states
    no time."""
    processor.process_utterance(final_at(1_100, "Hello.", at_ms=900), STREAM_END, accepted_ms=accepted_ms)
    assert processor.cloudwatch.latencies_ms == [latency]


@pytest.mark.parametrize("partials_enabled", [True, False])
def test_an_utterance_that_fails_because_aws_calls_are_slow_is_counted_like_a_failed_stream(
    dynamodb: Any, partials_enabled: bool
) -> None:
    """The attempt ends as `BROKEN`, so the client must send the utterance again."""
    settings = SessionSettings(partial_results_enabled=partials_enabled)
    processor = ProcessorHarness(dynamodb, settings=settings, delays=PeerDelays(calling_ms=200))
    finals = [final_at(1_000, f"Sentence{index}.", f"r{index}", at_ms=900) for index in range(9)]
    assert processor.process_utterance(*finals, STREAM_END) is UtteranceEnd.BROKEN
    assert processor.cloudwatch.values[FALLBACK_METRIC] == 1
