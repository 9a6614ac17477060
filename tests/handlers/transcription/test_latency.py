"""How late captions are said to be: an alarm must hear of all that keeps them, and of nothing that is only speech."""

from typing import Any

import pytest

from handlers.transcription.audio_processor.transcribe_stream.stream_client import StreamFailureCode
from handlers.transcription.audio_processor.utterance_transcription import UtteranceEnd
from handlers.transcription.caption_thresholds import SessionSettings
from handlers.transcription.environment import FALLBACK_METRIC
from tests.handlers.transcription.live_setup import ENDED, Booth, final, partial
from tests.handlers.transcription.router_setup import START_MS, Pace, Scene


def test_the_router_says_when_it_took_an_utterance_in(scene: Scene) -> None:
    session = scene.opens()
    scene.clock.now_ms += 700
    scene.utters(session)
    assert [one.accepted_ms for one in scene.handed] == [scene.clock.now_ms]


def test_a_caption_that_comes_as_its_words_are_streamed_is_not_late_however_long_they_are(booth: Booth) -> None:
    booth.hears(
        partial(2_050, "Some words of it.", at_ms=1_600),
        final(2_300, "Some words of it.", at_ms=1_850),
        (2_500, None),
        seconds=2.4,
    )
    assert booth.cloudwatch.latencies_ms == [50, 50]


@pytest.mark.parametrize("waited_ms", [0, 400, 19_000])
@pytest.mark.parametrize("opening_ms", [0, 900])
def test_what_an_utterance_waited_for_its_processor_and_its_stream_is_counted(
    dynamodb: Any, waited_ms: int, opening_ms: int
) -> None:
    """In Lambda's queue, or for a cold start: no invocation knows of it by itself."""
    booth = Booth(dynamodb, [[final(1_100, "Hello.", at_ms=900), ENDED]], pace=Pace(opening_ms=(opening_ms,)))
    booth.open()
    booth.take("u1")
    booth.clock.now_ms += waited_ms
    assert booth.call() is UtteranceEnd.DONE
    assert booth.cloudwatch.latencies_ms == [waited_ms + opening_ms + 100]


def test_what_a_result_waited_while_another_was_posted_is_counted(
    booth: Booth, monkeypatch: pytest.MonkeyPatch
) -> None:
    booth.shows_slowly(monkeypatch, 400)
    finals = [final(1_000, f"Sentence{one}.", f"r{one}", at_ms=900) for one in range(3)]
    booth.hears(*finals, ENDED)
    assert booth.cloudwatch.latencies_ms == [400, 800, 1_200]


def test_a_stream_that_failed_before_is_counted(booth: Booth) -> None:
    booth.scripts += [[(400, StreamFailureCode.DROPPED)], [final(200, "Hello.", at_ms=0), (1_050, None)]]
    booth.hears()
    assert booth.cloudwatch.latencies_ms == [500]


def test_an_utterance_that_is_sent_again_counts_from_then_on_and_from_where_its_captions_hold(booth: Booth) -> None:
    booth.hears(final(250, "Two.", at_ms=100), (350, None), from_ms=700, attempts=2)
    assert booth.cloudwatch.latencies_ms == [50], "the 700 ms before were not streamed again"


@pytest.mark.parametrize(("accepted_ms", "latency"), [(START_MS + 60_000, 0), (None, 100)])
def test_a_router_whose_clock_is_ahead_or_that_says_nothing_yet_makes_nothing_negative(
    booth: Booth, accepted_ms: int | None, latency: int
) -> None:
    """Both functions are rolled out and back each for itself."""
    booth.hears(final(1_100, "Hello.", at_ms=900), ENDED, accepted_ms=accepted_ms)
    assert booth.cloudwatch.latencies_ms == [latency]


@pytest.mark.parametrize("partials", [True, False])
def test_calls_so_slow_that_an_utterance_comes_again_ring_as_a_stream_that_failed_does(
    dynamodb: Any, partials: bool
) -> None:
    settings = SessionSettings(partial_results_enabled=partials)
    booth = Booth(dynamodb, settings=settings, pace=Pace(calling_ms=200))
    booth.open()
    finals = [final(1_000, f"Sentence{one}.", f"r{one}", at_ms=900) for one in range(9)]
    assert booth.hears(*finals, ENDED) is UtteranceEnd.BROKEN
    assert booth.cloudwatch.values[FALLBACK_METRIC] == 1
