"""Tests of one attempt to transcribe an utterance: messages to the client, time limits, metrics and logs.

Amazon Transcribe is scripted: `partial_at(300, ...)` is a step of its stream 300 ms after it opened. An utterance is one
second long, unless `seconds` says otherwise. `test_attempts` tests what follows from the end of an attempt.
"""

import base64
import json
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import example, given
from hypothesis import strategies as st

from handlers.common.logging import hash_for_log
from handlers.transcription.audio import CODER_PADDING_SECONDS, MAX_SECONDS, Encoding
from handlers.transcription.audio_processor.stream import StreamFailureCode, StreamRequest
from handlers.transcription.audio_processor.utterance_attempt import LAST_CAPTIONS_MS, AttemptEnd
from handlers.transcription.environment import FALLBACK_METRIC
from handlers.transcription.session import UtteranceStatus
from tests.handlers.common.fakes import START_MS
from tests.handlers.transcription.recordings import flac
from tests.handlers.transcription.router_harness import (
    LAST_RESULTS_MS,
    SESSION_TABLE_NAME,
    STREAM_END,
    PeerDelays,
    Step,
    TranscriptionHarness,
    final_at,
    partial_at,
    silence,
    transcript_payload,
)

FIVE_SECONDS: dict[str, Any] = {"audio": base64.b64encode(flac(80_000) + bytes(500)).decode(), "encoding": "flac"}
"""Parameters of an utterance of the maximum length."""


def test_audio_is_sent_at_the_pace_of_speech_and_captions_during_it(harness: TranscriptionHarness) -> None:
    steps = [partial_at(300, "Hello"), partial_at(600, "Hello world"), final_at(1_100, "Hello world.", at_ms=200)]
    assert harness.process_utterance(*steps, STREAM_END, utterance="u7", attempt=4) is AttemptEnd.DONE
    assert harness.captions() == [("Hello", "partial"), ("Hello world", "partial"), ("Hello world.", "final")]
    [done] = harness.messages("done")
    assert (done["utterance"], done["attempt"], done["finals"], done.get("fallback")) == ("u7", 4, 1, None)
    state = harness.session().find("u7")
    assert state.status is UtteranceStatus.DONE
    assert harness.messages("caption")[-1] == {
        "type": "caption",
        "utterance": "u7",
        "attempt": 4,
        "sequence": 1,
        "resultId": "r1",
        "text": "Hello world.",
        "final": True,
        "startMs": 200,
        "endMs": 400,
        "stability": 1.0,
        "orphan": False,
    }
    [stream] = harness.transcribe.streams
    assert stream.chunk_times_ms == list(range(0, 1_000, 100))
    assert b"".join(stream.chunks) == bytes(32_000)
    assert stream.audio_end_ms == 900
    assert harness.transcribe.requests == [StreamRequest("en-US", 16_000, Encoding.PCM, stabilised=True)]


def test_a_session_without_partials_requests_none(harness: TranscriptionHarness) -> None:
    steps = [partial_at(300, "Hel"), final_at(1_100, "Hello."), STREAM_END]
    harness.process_utterance(*steps, settings={"partialResultsEnabled": False})
    assert [request.stabilised for request in harness.transcribe.requests] == [False]
    assert harness.captions() == [("Hello.", "final")]
    assert FALLBACK_METRIC not in harness.metrics(), "the session itself has disabled partials"


def test_a_sessions_own_threshold_applies(harness: TranscriptionHarness) -> None:
    steps = [partial_at(300, "Hello", stable=False), final_at(1_100, "Hello."), STREAM_END]
    harness.process_utterance(*steps, settings={"minStabilityThreshold": 0.0})
    assert harness.captions()[0] == ("Hello", "partial")


def test_metrics_are_put_in_one_call_after_the_answer(harness: TranscriptionHarness) -> None:
    done_counts: list[int] = []
    harness.put_metric_data.side_effect = lambda **_: done_counts.append(len(harness.messages("done")))
    # The first partial is shown. The rate limit drops the next partials, and the tenth switches partials off.
    partials = [partial_at(300 + number, f"Word {number}.", stable=None) for number in range(10)]
    harness.process_utterance(*partials, STREAM_END, settings={"maxRatePerSecond": 1})
    assert done_counts == [1], "the client must not wait for the call"
    [(_, call)] = harness.put_metric_data.call_args_list
    assert call["Namespace"] == "AudioTranscription/PartialResults"
    assert harness.metrics() == {
        "PartialResultProcessingLatency": 2,  # of the first partial and of the orphan
        "PartialResultsDropped": 7,
        "OrphanedResultsFlushed": 1,
        "TranscribeFallbackTriggered": 1,
    }
    assert [metric["Unit"] for metric in call["MetricData"]] == ["Milliseconds", *["Count"] * 3]
    dimensions = [{"Name": "FunctionName", "Value": "processor"}]
    assert [metric["Dimensions"] for metric in call["MetricData"]] == [dimensions] * 4


def test_no_audio_and_no_text_is_stored_or_logged(
    harness: TranscriptionHarness, capsys: pytest.CaptureFixture[str]
) -> None:
    audio, stored = base64.b64encode(b"\x01\x02" * 16_000).decode(), list[Any]()

    def read_table(*_: object) -> None:
        stored.extend(harness.dynamodb.scan(TableName=SESSION_TABLE_NAME)["Items"])

    harness.clients.after_post = read_table
    for attempt, end in enumerate([(1_150, StreamFailureCode.BROKEN), STREAM_END], 1):
        steps = (partial_at(300, "Canary"), final_at(1_100, "Canary words."), end)
        harness.process_utterance(*steps, attempt=attempt, audio=audio)
    assert harness.captions()[-1] == ("Canary words.", "final")
    lines = capsys.readouterr().out
    assert "utterance_ended" in lines
    assert "'u1'" in str(stored)
    for text in (lines, str(stored), str(harness.put_metric_data.call_args_list), repr(harness.events)):
        assert "canary" not in text.lower()
        assert audio[:40] not in text


def test_the_utterance_ends_normally_even_if_its_metrics_cannot_be_put(harness: TranscriptionHarness) -> None:
    harness.put_metric_data.side_effect = ClientError({"Error": {"Code": "Throttling"}}, "PutMetricData")
    assert harness.process_utterance(final_at(1_100, "Hello."), STREAM_END) is AttemptEnd.DONE
    assert len(harness.messages("done")) == 1


def test_orphans_are_logged_with_the_hash_of_their_session(
    harness: TranscriptionHarness, capsys: pytest.CaptureFixture[str]
) -> None:
    """An orphan is a result without a final. The metric counts orphans, and the log names their session."""
    harness.process_utterance(partial_at(300, "One"), partial_at(400, "Two", "r2", at_ms=500), STREAM_END)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    [last_line] = [line for line in lines if line["message"] == "utterance_ended"]
    assert (last_line["session_hash"], last_line["orphans"]) == (hash_for_log("c1"), 2)
    assert last_line.get("fallback") is None
    assert harness.metrics()["OrphanedResultsFlushed"] == 2


def test_the_latency_of_a_caption_counts_from_the_end_of_its_words_and_includes_all_waiting() -> None:
    """An invocation may wait in Lambda's queue and for a cold start. It cannot measure this time itself."""
    harness = TranscriptionHarness(delays=PeerDelays(opening_ms=900))
    harness.slow_down_posts(10)
    harness.transcribe.scripts.append([partial_at(1_050, "Hello.", at_ms=900), final_at(1_100, "Hello."), STREAM_END])
    harness.open_session()
    harness.send_utterance()
    harness.clock.now_ms += 19_000
    assert harness.process_event(harness.events[0]) is AttemptEnd.DONE
    delay_ms = 19_000 + 900 + 10
    [(_, call)] = harness.put_metric_data.call_args_list
    assert call["MetricData"][0]["Values"] == [delay_ms + 1_050 - 1_000, delay_ms + 1_100 - 100]


def test_an_attempt_without_captions_puts_no_metrics(harness: TranscriptionHarness) -> None:
    assert harness.process_utterance(STREAM_END) is AttemptEnd.DONE
    harness.put_metric_data.assert_not_called()


def test_an_utterance_whose_captions_cannot_be_delivered_in_time_is_sent_again(harness: TranscriptionHarness) -> None:
    harness.slow_down_posts(900)
    finals = [final_at(200, f"Sentence {number}.", f"r{number}", at_ms=100 * number) for number in range(6)]
    assert harness.process_utterance(*finals, STREAM_END) is AttemptEnd.LATE
    assert harness.clock.now_ms - START_MS <= 1_000 + LAST_RESULTS_MS + LAST_CAPTIONS_MS + 900
    assert harness.messages("failed")[0]["retryable"] is True
    assert harness.metrics()[FALLBACK_METRIC] == 1


def test_captions_of_events_that_arrived_before_the_deadline_are_still_delivered(harness: TranscriptionHarness) -> None:
    harness.slow_down_posts(20)
    event_ms = 1_000 + LAST_RESULTS_MS - 10
    finals = [final_at(event_ms, f"Sentence {number}.", f"r{number}", at_ms=100 * number) for number in range(3)]
    assert harness.process_utterance(*finals) is AttemptEnd.CUT
    assert len(harness.captions()) == 3


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
                st.sampled_from(["One", "One two", "Three.", "Four five", ""]),
            ),
            st.just(b"garbage"),
        ),
    ),
    max_size=12,
)
"""Steps of a stream, in any order: the time, and a failure, the end of the stream, or a message."""
DELAYS = st.builds(
    PeerDelays,
    opening_ms=st.sampled_from([0, 40, 400, 990, 9_999]),
    accepting_ms=st.sampled_from([None, None, 0, 490, 900, 1_400, 2_400]),
    closing_ms=st.sampled_from([0, 2, 9_999]),
    calling_ms=st.sampled_from([0, 5, 20]),
)
SLOW = PeerDelays(opening_ms=990, closing_ms=9_999, calling_ms=20)
"""Delays close to their limits: of the opening of the stream, of the closing handshake, and of AWS calls."""


@given(steps=STEPS, seconds=st.sampled_from([0.2, 1.0, 2.5]), delays=DELAYS)
# Many captions shortly before the deadline.
@example([final_at(1_450, f"Word {index}.", f"r{index}") for index in range(40)], 1.0, SLOW)
@example([partial_at(1_450, f"Word {index}", f"r{index}") for index in range(40)], 1.0, SLOW)
def test_no_invocation_outlives_its_audio_by_more_than_two_seconds(
    steps: list[Step], seconds: float, delays: PeerDelays
) -> None:
    """The limit includes the message to the client and the metrics, whatever Amazon Transcribe sends and however slow
    it is. In a comparable system that opened a stream for each chunk of audio, 57 of 57 invocations timed out."""
    harness = TranscriptionHarness(delays=delays)
    harness.transcribe.scripts.append(sorted(steps, key=lambda step: step[0]))
    harness.open_session()
    harness.send_utterance(audio=silence(seconds))
    started_ms = harness.clock.now_ms
    assert harness.process_event(harness.events[-1]) is not None
    assert harness.clock.now_ms - started_ms <= seconds * 1_000 + 2_000
    assert harness.session().list_in_progress() == [], "the slot is released in any case"
    assert len(harness.last_messages()) == 1


def test_an_orphan_is_shown_while_the_stream_is_open_if_the_orphan_timeout_is_short(
    harness: TranscriptionHarness,
) -> None:
    shown_ms: list[int] = []
    harness.clients.after_post = lambda *_: shown_ms.append(harness.clock.now_ms - START_MS)
    steps = (partial_at(300, "Hello"), (6_400, None))
    assert harness.process_utterance(*steps, **FIVE_SECONDS, settings={"orphanTimeout": 5}) is AttemptEnd.DONE
    assert shown_ms[1] == 5_300, "five seconds, the minimum of the timeout, after the last version"


def test_the_end_of_the_longest_utterance_shows_its_orphans(harness: TranscriptionHarness) -> None:
    shown_ms: list[int] = []
    harness.clients.after_post = lambda *_: shown_ms.append(harness.clock.now_ms - START_MS)
    assert harness.process_utterance(partial_at(300, "Hello world"), **FIVE_SECONDS) is AttemptEnd.CUT
    [_, orphan] = harness.messages("caption")
    assert (orphan["text"], orphan["final"], orphan["orphan"]) == ("Hello world", True, True)
    assert shown_ms[1] == 5_000 + LAST_RESULTS_MS, "the orphan is shown although Amazon Transcribe sends nothing more"
    assert harness.metrics()["OrphanedResultsFlushed"] == 1
    assert harness.session().find("u1").status is UtteranceStatus.DONE


def test_every_stream_ends_within_seven_seconds() -> None:
    longest_seconds = max(seconds + CODER_PADDING_SECONDS[encoding] for encoding, seconds in MAX_SECONDS.items())
    assert longest_seconds + (LAST_RESULTS_MS + LAST_CAPTIONS_MS) / 1000 < 7, (
        "the setting's description names 7 seconds"
    )
