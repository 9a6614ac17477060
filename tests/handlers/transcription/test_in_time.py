"""An utterance has its own length and two seconds more, whatever anybody else does or leaves undone."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from handlers.transcription.audio_processor.transcribe_stream.stream_client import StreamFailureCode
from handlers.transcription.audio_processor.utterance_transcription import GRACE_MS, LAST_CAPTIONS_MS, UtteranceEnd
from handlers.transcription.caption_thresholds import SessionSettings
from handlers.transcription.live_table import session_slots_key
from tests.handlers.transcription.live_setup import ENDED, SESSION, Booth, final, partial, recorded
from tests.handlers.transcription.router_setup import LIVE, START_MS, Pace, Step, transcript


def test_a_stream_that_never_ends_is_cut_and_what_was_heard_is_shown(booth: Booth) -> None:
    assert booth.hears(partial(300, "Hello world")) is UtteranceEnd.CUT
    assert booth.clock.now_ms - START_MS == 1_000 + GRACE_MS
    assert booth.said() == [("Hello world", False), ("Hello world", True)]
    assert booth.clients.of("c1", "caption")[-1]["orphan"]
    assert booth.cloudwatch.values["OrphanedResultsFlushed"] == 1
    assert booth.flight.done == ("u1",)


def test_less_time_than_the_utterance_needs_is_enough_to_say_so(booth: Booth) -> None:
    assert booth.hears(partial(300, "Hello"), seconds=2.4, remaining_ms=4_000) is UtteranceEnd.BROKEN
    assert booth.clock.now_ms - START_MS == 1_000, "the rest is kept for the answer"
    assert len(booth.said("resend")) == 1
    assert len(booth.said("retract")) == 1, "half of the audio never got out: all of it comes again"


def test_captions_that_cannot_be_shown_in_time_are_sent_again_with_the_utterance(
    booth: Booth, monkeypatch: pytest.MonkeyPatch
) -> None:
    booth.shows_slowly(monkeypatch, 900)
    finals = [final(200, f"Sentence {number}.", f"r{number}", at_ms=100 * number) for number in range(6)]
    assert booth.hears(*finals, ENDED) is UtteranceEnd.BROKEN
    assert booth.clock.now_ms - START_MS <= 1_000 + GRACE_MS + LAST_CAPTIONS_MS + 900
    [told] = booth.said("resend")
    assert told["utterances"][0]["fromMs"] > 0, "what was shown as final holds"


EVENTS = st.lists(
    st.tuples(
        st.integers(0, 6_000),
        st.one_of(
            st.sampled_from(list(StreamFailureCode)),
            st.none(),
            st.builds(
                lambda which, final, text: transcript(f"r{which}", text, final=final),
                st.integers(0, 3),
                st.booleans(),
                st.sampled_from(["One", "One two", "Three.", "Four five"]),
            ),
            st.just(b"garbage"),
        ),
    ),
    max_size=12,
)


PACES = st.builds(
    Pace,
    opening_ms=st.tuples(*[st.sampled_from([0, 40, 400, 990, 9_999])] * 2),
    taking_ms=st.tuples(*[st.sampled_from([None, None, 0, 490, 900, 1_400, 2_400])] * 2),
    closing_ms=st.sampled_from([0, 2, 9_999]),
    calling_ms=st.sampled_from([0, 5, 20]),
)


SLOW = Pace(opening_ms=(0, 990), closing_ms=9_999, calling_ms=20)
"""As slow as each may be: the second stream, the peer's good-bye, and AWS' own services on a bad day."""


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(first=EVENTS, second=EVENTS, seconds=st.sampled_from([0.2, 1.0, 2.5]), pace=PACES)
@example([final(2_400, f"Word {one}.", f"r{one}") for one in range(8)], [], 1.0, SLOW)
@example([partial(2_190, f"Word {one}", f"r{one}") for one in range(8)], [], 1.0, SLOW)
@example([(830, StreamFailureCode.DROPPED)], [], 1.0, replace(SLOW, taking_ms=(None, 490)))
def test_no_invocation_outlives_its_audio_by_more_than_two_seconds(
    dynamodb: Any, first: list[Step], second: list[Step], seconds: float, pace: Pace
) -> None:
    """What a peer suffered that opened a stream for each piece of audio: 57 of 57 invocations ran into their timeout.

    Whatever Transcribe says or does not say, and however long it takes to; metrics and the answer included.
    """
    dynamodb.delete_item(TableName=LIVE, Key={"pk": {"S": session_slots_key(SESSION)}})
    dynamodb.delete_item(TableName="sessions", Key={"session_id": {"S": SESSION}})
    scripts = [sorted(one, key=lambda step: step[0]) for one in (first, second)]
    booth = Booth(dynamodb, scripts, pace=pace)
    booth.open()
    booth.take("u1")
    begun_ms = booth.clock.now_ms
    assert booth.call(seconds=seconds) in set(UtteranceEnd)
    assert booth.clock.now_ms - begun_ms <= seconds * 1_000 + 2_000
    assert booth.flight.slots == (), "whatever happened, the place is free again"
    ends = [*booth.said("done"), *booth.said("resend"), *booth.said("error")]
    assert len(ends) == 1, "and the client knows how it ended"


def test_lines_that_cannot_be_taken_away_in_time_are_the_clients_to_take_away(
    dynamodb: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It does so when it is told to send the utterance again, and from where on."""
    booth = Booth(dynamodb, pace=Pace(calling_ms=20))
    booth.open()
    recorded(monkeypatch, "flac")
    finals = [final(40 * one, f"Word {one}.", f"r{one:02}", at_ms=10 * one) for one in range(30)]
    begun_ms = booth.clock.now_ms
    assert booth.hears(*finals, (2_400, StreamFailureCode.DROPPED)) is UtteranceEnd.BROKEN
    assert booth.clock.now_ms - begun_ms <= 1_000 + 2_000
    assert 0 < len(booth.said("retract")) < 30
    [told] = booth.said("resend")
    assert told["utterances"] == [{"utterance": "u1", "fromMs": 0}]


def test_orphans_are_looked_for_while_the_stream_goes_on(dynamodb: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    booth = Booth(dynamodb, settings=SessionSettings(orphan_timeout=5))
    booth.open()
    recorded(monkeypatch, "flac", seconds=5)
    shown: list[int] = []
    post = booth.clients.post

    def noted(connection: str, message: Any) -> bool:
        shown.append(booth.clock.now_ms - START_MS) if getattr(message, "orphan", False) else None
        return post(connection, message)

    monkeypatch.setattr(booth.clients, "post", noted)
    assert booth.hears(partial(300, "Hello"), (6_400, None)) is UtteranceEnd.DONE
    assert shown == [5_300], "fifteen seconds are a setting; here it is the least"


def test_nothing_is_waited_for_longer_than_orphans_may_wait_for_a_look(
    booth: Booth, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("handlers.transcription.audio_processor.utterance_transcription.GRACE_MS", 60_000)
    booth.hears((16_000, None), seconds=0.2)
    assert max(booth.transcribe.conversations[0].waited_ms) == 5_000
