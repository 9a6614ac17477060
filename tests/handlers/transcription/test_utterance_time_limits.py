"""Time limits of an utterance: its own length and two more seconds, whatever its peers do."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from handlers.transcription.audio_processor.transcribe_stream.stream_client import StreamFailureCode
from handlers.transcription.audio_processor.utterance_transcription import GRACE_MS, LAST_CAPTIONS_MS, UtteranceEnd
from handlers.transcription.caption_thresholds import SessionSettings
from handlers.transcription.live_table import session_utterances_key
from handlers.transcription.utterance_audio_validation import CODER_PADDING_SECONDS, MAX_SECONDS
from tests.handlers.transcription.caption_samples import DEFAULT_THRESHOLDS
from tests.handlers.transcription.processor_harness import (
    SESSION_ID,
    STREAM_END,
    ProcessorHarness,
    final_at,
    partial_at,
    use_encoding,
)
from tests.handlers.transcription.router_harness import LIVE_TABLE_NAME, START_MS, PeerDelays, Step, transcript_payload


def test_a_stream_that_never_ends_is_cut_and_its_results_are_shown(processor: ProcessorHarness) -> None:
    assert processor.process_utterance(partial_at(300, "Hello world")) is UtteranceEnd.DEADLINE
    assert processor.clock.now_ms - START_MS == 1_000 + GRACE_MS
    assert processor.captions() == [("Hello world", "partial"), ("Hello world", "final")]
    assert processor.messages("caption")[-1]["orphan"]
    assert processor.cloudwatch.values["OrphanedResultsFlushed"] == 1
    assert processor.utterances.done == ("u1",)


def test_the_client_is_notified_even_if_the_invocation_has_less_time_than_the_utterance(
    processor: ProcessorHarness,
) -> None:
    assert processor.process_utterance(partial_at(300, "Hello"), seconds=2.4, remaining_ms=4_000) is UtteranceEnd.BROKEN
    assert processor.clock.now_ms - START_MS == 1_000, "the rest of the time is reserved for the answer"
    assert len(processor.messages("resend")) == 1
    assert len(processor.messages("retract")) == 1, "half of the audio was not sent, so the utterance is repeated"


def test_captions_that_cannot_be_delivered_in_time_are_transcribed_again(processor: ProcessorHarness) -> None:
    processor.slow_down_posts(900)
    finals = [final_at(200, f"Sentence {number}.", f"r{number}", at_ms=100 * number) for number in range(6)]
    assert processor.process_utterance(*finals, STREAM_END) is UtteranceEnd.BROKEN
    assert processor.clock.now_ms - START_MS <= 1_000 + GRACE_MS + LAST_CAPTIONS_MS + 900
    [told] = processor.messages("resend")
    assert told["utterances"][0]["fromMs"] > 0, "delivered finals remain valid"


def test_captions_of_events_that_arrived_before_the_deadline_are_still_delivered(processor: ProcessorHarness) -> None:
    processor.slow_down_posts(20)
    finals = [final_at(2_490, f"Sentence {number}.", f"r{number}", at_ms=100 * number) for number in range(3)]
    assert processor.process_utterance(*finals) is UtteranceEnd.DEADLINE
    assert len(processor.captions()) == 3


EVENTS = st.lists(
    st.tuples(
        st.integers(0, 6_000),
        st.one_of(
            st.sampled_from(list(StreamFailureCode)),
            st.none(),
            st.builds(
                lambda which, final, text: transcript_payload(f"r{which}", text, final=final),
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
    PeerDelays,
    opening_ms=st.tuples(*[st.sampled_from([0, 40, 400, 990, 9_999])] * 2),
    accepting_ms=st.tuples(*[st.sampled_from([None, None, 0, 490, 900, 1_400, 2_400])] * 2),
    closing_ms=st.sampled_from([0, 2, 9_999]),
    calling_ms=st.sampled_from([0, 5, 20]),
)


SLOW = PeerDelays(opening_ms=(0, 990), closing_ms=9_999, calling_ms=20)
"""Slowest possible peers: the second stream, the peer's closing handshake, and slow AWS calls."""


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(first=EVENTS, second=EVENTS, seconds=st.sampled_from([0.2, 1.0, 2.5]), pace=PACES)
@example([final_at(2_400, f"Word {index}.", f"r{index}") for index in range(8)], [], 1.0, SLOW)
@example([partial_at(2_190, f"Word {index}", f"r{index}") for index in range(8)], [], 1.0, SLOW)
@example([(830, StreamFailureCode.DROPPED)], [], 1.0, replace(SLOW, accepting_ms=(None, 490)))
def test_no_invocation_outlives_its_audio_by_more_than_two_seconds(
    dynamodb: Any, first: list[Step], second: list[Step], seconds: float, pace: PeerDelays
) -> None:
    """The limit includes metrics and the answer, whatever Amazon Transcribe sends and however slow it is. A
    comparable system that opened a stream for each chunk of audio had timeouts in 57 of 57 invocations."""
    dynamodb.delete_item(TableName=LIVE_TABLE_NAME, Key={"pk": {"S": session_utterances_key(SESSION_ID)}})
    dynamodb.delete_item(TableName="sessions", Key={"session_id": {"S": SESSION_ID}})
    scripts = [sorted(stream, key=lambda step: step[0]) for stream in (first, second)]
    processor = ProcessorHarness(dynamodb, scripts, delays=pace)
    processor.take_slot("u1")
    begun_ms = processor.clock.now_ms
    assert processor.invoke(seconds=seconds) in set(UtteranceEnd)
    assert processor.clock.now_ms - begun_ms <= seconds * 1_000 + 2_000
    assert processor.utterances.slots == (), "the slot is free again in any case"
    ends = [*processor.messages("done"), *processor.messages("resend"), *processor.messages("error")]
    assert len(ends) == 1, "the client is told how the utterance ended"


def test_lines_that_cannot_be_retracted_in_time_are_left_to_the_client(
    dynamodb: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client removes them when it receives the position from which to send the utterance again."""
    processor = ProcessorHarness(dynamodb, delays=PeerDelays(calling_ms=20))
    use_encoding(monkeypatch, "flac")
    finals = [final_at(40 * index, f"Word {index}.", f"r{index:02}", at_ms=10 * index) for index in range(30)]
    begun_ms = processor.clock.now_ms
    assert processor.process_utterance(*finals, (2_400, StreamFailureCode.DROPPED)) is UtteranceEnd.BROKEN
    assert processor.clock.now_ms - begun_ms <= 1_000 + 2_000
    assert 0 < len(processor.messages("retract")) < 30
    [told] = processor.messages("resend")
    assert told["utterances"] == [{"utterance": "u1", "fromMs": 0}]


def test_orphans_are_shown_while_the_stream_continues(dynamodb: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    processor = ProcessorHarness(dynamodb, settings=SessionSettings(orphan_timeout=5))
    use_encoding(monkeypatch, "flac", seconds=5)
    orphans_ms: list[int] = []

    def note_orphan(_connection: str, message: Any) -> None:
        if getattr(message, "orphan", False):
            orphans_ms.append(processor.clock.now_ms - START_MS)

    processor.clients.after_post = note_orphan
    assert processor.process_utterance(partial_at(300, "Hello"), (6_400, None)) is UtteranceEnd.DONE
    assert orphans_ms == [5_300], "the orphan timeout has its minimum here"


def test_the_end_of_the_longest_utterance_shows_its_orphans(
    processor: ProcessorHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_encoding(monkeypatch, "flac", seconds=5)
    shown_ms: list[int] = []
    processor.clients.after_post = lambda *_: shown_ms.append(processor.clock.now_ms - START_MS)
    assert processor.process_utterance(partial_at(300, "Hello world")) is UtteranceEnd.DEADLINE
    [_, orphan] = processor.messages("caption")
    assert (orphan["text"], orphan["final"], orphan["orphan"]) == ("Hello world", True, True)
    assert shown_ms[1] == 5_000 + GRACE_MS, "although Amazon Transcribe sends nothing"
    assert processor.cloudwatch.values["OrphanedResultsFlushed"] == 1


OUTLASTING = {
    # Caption thresholds that are longer than a stream is open, and the reason.
    "orphan_timeout": "the end of the stream replaces it: decision 0040",
    "dedup_cache_ttl": "the live table applies it to later utterances too",
}


def test_every_other_caption_threshold_passes_while_the_longest_stream_is_open() -> None:
    """A longer threshold can never take effect."""
    longest = max(seconds + CODER_PADDING_SECONDS[encoding] for encoding, seconds in MAX_SECONDS.items())
    open_seconds = longest + (GRACE_MS + LAST_CAPTIONS_MS) / 1000
    assert open_seconds < 7, "the pages and the setting's description say so"
    seconds_by_name = {
        name: getattr(DEFAULT_THRESHOLDS, name)
        for name in SessionSettings.model_fields
        if name.endswith(("_timeout", "_threshold", "_ttl")) and name != "min_stability_threshold"
    }
    assert seconds_by_name.keys() > OUTLASTING.keys()
    assert {name for name, seconds in seconds_by_name.items() if seconds > open_seconds} == OUTLASTING.keys()
