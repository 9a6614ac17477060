"""Tests of the time limit of an utterance (a few seconds of speech): its processing ends at most two seconds after its
audio.

The deadline for results is `LAST_RESULTS_MS` after the audio. After the deadline, the last captions may still be delivered for
`LAST_CAPTIONS_MS`. The attempt ends as `DEADLINE` if all audio was sent and results have arrived, although the stream
is still open. It ends as `BROKEN` if it failed.

The audio is sent to Amazon Transcribe at the pace of speech. `partial_at(300, ...)` is a step of the stream 300 ms
after it opened. A partial is a caption that may still change, a final one that may not. An orphan is a last partial
that is shown as a final, because no final came.
"""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from handlers.transcription.audio import CODER_PADDING_SECONDS, MAX_SECONDS
from handlers.transcription.audio_processor.stream import StreamFailureCode
from handlers.transcription.audio_processor.utterance_transcription import LAST_CAPTIONS_MS, UtteranceEnd
from handlers.transcription.caption_thresholds import SessionSettings
from handlers.transcription.live_table import session_utterances_key
from tests.handlers.transcription.caption_samples import DEFAULT_THRESHOLDS
from tests.handlers.transcription.processor_harness import (
    LAST_RESULTS_MS,
    SESSION_ID,
    STREAM_END,
    ProcessorHarness,
    final_at,
    partial_at,
    use_encoding,
)
from tests.handlers.transcription.router_harness import (
    LIVE_TABLE_NAME,
    SESSION_TABLE_NAME,
    START_MS,
    PeerDelays,
    Step,
    transcript_payload,
)


def test_an_utterance_is_sent_again_if_the_invocation_has_less_time_than_the_audio(processor: ProcessorHarness) -> None:
    assert processor.process_utterance(partial_at(300, "Hello"), seconds=2.4, remaining_ms=4_000) is UtteranceEnd.BROKEN
    assert processor.clock.now_ms - START_MS == 1_000, "the last 3 seconds are reserved for the message to the client"
    assert len(processor.messages("resend")) == 1
    assert len(processor.messages("retract")) == 1, "the partial is removed, because its speech is transcribed again"


def test_an_utterance_whose_captions_cannot_be_delivered_in_time_is_sent_again(processor: ProcessorHarness) -> None:
    processor.slow_down_posts(900)
    finals = [final_at(200, f"Sentence {number}.", f"r{number}", at_ms=100 * number) for number in range(6)]
    assert processor.process_utterance(*finals, STREAM_END) is UtteranceEnd.BROKEN
    assert processor.clock.now_ms - START_MS <= 1_000 + LAST_RESULTS_MS + LAST_CAPTIONS_MS + 900
    [[resend]] = processor.resend_requests()
    assert resend["fromMs"] > 0, "the finals that were delivered remain valid"


def test_captions_of_events_that_arrived_before_the_deadline_are_still_delivered(processor: ProcessorHarness) -> None:
    processor.slow_down_posts(20)
    event_ms = 1_000 + LAST_RESULTS_MS - 10
    finals = [final_at(event_ms, f"Sentence {number}.", f"r{number}", at_ms=100 * number) for number in range(3)]
    assert processor.process_utterance(*finals) is UtteranceEnd.DEADLINE
    assert len(processor.captions()) == 3


STEPS = st.lists(
    st.tuples(
        st.integers(0, 6_000),
        st.one_of(
            st.sampled_from(list(StreamFailureCode)),
            st.none(),
            st.builds(
                lambda number, final, text: transcript_payload(f"r{number}", text, final=final),
                st.integers(0, 3),
                st.booleans(),
                st.sampled_from(["One", "One two", "Three.", "Four five"]),
            ),
            st.just(b"garbage"),
        ),
    ),
    max_size=12,
)
"""Steps of a stream, in any order: the time, and a failure, the end of the stream, or a message."""
DELAYS = st.builds(
    PeerDelays,
    opening_ms=st.tuples(*[st.sampled_from([0, 40, 400, 990, 9_999])] * 2),
    accepting_ms=st.tuples(*[st.sampled_from([None, None, 0, 490, 900, 1_400, 2_400])] * 2),
    closing_ms=st.sampled_from([0, 2, 9_999]),
    calling_ms=st.sampled_from([0, 5, 20]),
)


SLOW = PeerDelays(opening_ms=(0, 990), closing_ms=9_999, calling_ms=20)
"""Delays close to their limits: of the opening of the second stream, of the closing handshake, and of AWS calls."""


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(first_steps=STEPS, second_steps=STEPS, seconds=st.sampled_from([0.2, 1.0, 2.5]), delays=DELAYS)
# Many captions shortly before the deadline, and a second stream that accepts no more audio after 490 ms.
@example([final_at(2_400, f"Word {index}.", f"r{index}") for index in range(8)], [], 1.0, SLOW)
@example([partial_at(2_190, f"Word {index}", f"r{index}") for index in range(8)], [], 1.0, SLOW)
@example([(830, StreamFailureCode.BROKEN)], [], 1.0, replace(SLOW, accepting_ms=(None, 490)))
def test_no_invocation_outlives_its_audio_by_more_than_two_seconds(
    dynamodb: Any, first_steps: list[Step], second_steps: list[Step], seconds: float, delays: PeerDelays
) -> None:
    """The limit includes the message to the client and the metrics, whatever Amazon Transcribe sends and however slow
    it is. In a comparable system that opened a stream for each chunk of audio, 57 of 57 invocations timed out."""
    dynamodb.delete_item(TableName=LIVE_TABLE_NAME, Key={"pk": {"S": session_utterances_key(SESSION_ID)}})
    dynamodb.delete_item(TableName=SESSION_TABLE_NAME, Key={"session_id": {"S": SESSION_ID}})
    scripts = [sorted(steps, key=lambda step: step[0]) for steps in (first_steps, second_steps)]
    processor = ProcessorHarness(dynamodb, scripts, delays=delays)
    processor.take_slot("u1")
    started_ms = processor.clock.now_ms
    assert processor.invoke(seconds=seconds) in set(UtteranceEnd)
    assert processor.clock.now_ms - started_ms <= seconds * 1_000 + 2_000
    assert processor.utterances.slots == (), "the slot is released in any case"
    last_messages = [*processor.messages("done"), *processor.messages("resend"), *processor.messages("error")]
    assert len(last_messages) == 1


def test_lines_of_a_failed_stream_for_whose_removal_there_is_no_time_are_left_to_the_client(
    dynamodb: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client removes all lines after `fromMs` when it gets the request to send the utterance again."""
    processor = ProcessorHarness(dynamodb, delays=PeerDelays(calling_ms=20))
    use_encoding(monkeypatch, "flac")
    finals = [final_at(40 * index, f"Word {index}.", f"r{index:02}", at_ms=10 * index) for index in range(30)]
    started_ms = processor.clock.now_ms
    assert processor.process_utterance(*finals, (2_400, StreamFailureCode.BROKEN)) is UtteranceEnd.BROKEN
    assert processor.clock.now_ms - started_ms <= 1_000 + 2_000
    assert 0 < len(processor.messages("retract")) < 30
    assert processor.resend_requests() == [[{"utterance": "u1", "fromMs": 0}]]


def test_an_orphan_is_shown_while_the_stream_is_open_if_the_orphan_timeout_is_short(
    dynamodb: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    processor = ProcessorHarness(dynamodb, settings=SessionSettings(orphan_timeout=5))
    use_encoding(monkeypatch, "flac", seconds=5)
    orphans_ms: list[int] = []

    def record_orphan(_connection: str, message: Any) -> None:
        if getattr(message, "orphan", False):
            orphans_ms.append(processor.clock.now_ms - START_MS)

    processor.clients.after_post = record_orphan
    assert processor.process_utterance(partial_at(300, "Hello"), (6_400, None)) is UtteranceEnd.DONE
    assert orphans_ms == [5_300], "five seconds, the minimum of the timeout, after the last version"


def test_the_end_of_the_longest_utterance_shows_its_orphans(
    processor: ProcessorHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_encoding(monkeypatch, "flac", seconds=5)
    shown_ms: list[int] = []
    processor.clients.after_post = lambda *_: shown_ms.append(processor.clock.now_ms - START_MS)
    assert processor.process_utterance(partial_at(300, "Hello world")) is UtteranceEnd.DEADLINE
    [_, orphan] = processor.messages("caption")
    assert (orphan["text"], orphan["final"], orphan["orphan"]) == ("Hello world", True, True)
    assert shown_ms[1] == 5_000 + LAST_RESULTS_MS, "the orphan is shown although Amazon Transcribe sends nothing more"
    assert processor.cloudwatch.values["OrphanedResultsFlushed"] == 1
    assert processor.utterances.done == ("u1",)


LONGER_THAN_A_STREAM = {
    # Caption thresholds that are longer than a stream is open, and the reason.
    "orphan_timeout": "the end of the stream replaces it: decision 0040",
    "dedup_cache_ttl": "the live table applies it to later utterances too",
}


def test_all_other_caption_thresholds_are_shorter_than_the_longest_stream() -> None:
    """A threshold that is longer than any stream could never take effect."""
    longest_seconds = max(seconds + CODER_PADDING_SECONDS[encoding] for encoding, seconds in MAX_SECONDS.items())
    open_seconds = longest_seconds + (LAST_RESULTS_MS + LAST_CAPTIONS_MS) / 1000
    assert open_seconds < 7, "docs/transcription.md and the description of the setting name 7 seconds"
    seconds_by_name = {
        name: getattr(DEFAULT_THRESHOLDS, name)
        for name in SessionSettings.model_fields
        if name.endswith(("_timeout", "_threshold", "_ttl")) and name != "min_stability_threshold"
    }
    assert seconds_by_name.keys() > LONGER_THAN_A_STREAM.keys()
    assert {name for name, seconds in seconds_by_name.items() if seconds > open_seconds} == LONGER_THAN_A_STREAM.keys()
