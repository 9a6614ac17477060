"""Tests of the audio processor with a scripted stream of Amazon Transcribe: messages to the client, metrics and logs.

Amazon Transcribe divides speech into results. Each result is shown in one line of the client: first as partials, which
may still change, then as a final. Before a text is shown, it is reserved in the live table, so that utterances that
overlap do not show the same words twice. `partial_at(300, ...)` is a step of the stream after 300 ms.

For each utterance, the router, which answers the client, reserves a slot before it invokes the processor. If the
processor has not started `MAX_START_MS` later, the slot's deadline is over. In a fallback, only finals are shown
although partials are enabled, for example because a stream failed.
"""

import hashlib
import hmac
import json
from typing import Any
from unittest.mock import Mock

import pytest
from botocore.exceptions import ClientError

from handlers.common.logging import hash_for_log
from handlers.transcription.audio import Encoding
from handlers.transcription.audio_processor.stream import StreamRequest
from handlers.transcription.audio_processor.utterance_transcription import UtteranceEnd
from handlers.transcription.caption_thresholds import SessionSettings
from handlers.transcription.live_table import TextReservation, text_reservation_key
from handlers.transcription.names_shared_with_deployment import FALLBACK_METRIC
from handlers.transcription.router.client_message_handler import MAX_START_MS
from tests.handlers.transcription.processor_harness import (
    SESSION_ID,
    STREAM_END,
    ProcessorHarness,
    final_at,
    partial_at,
)


def test_captions_are_sent_during_the_stream_and_the_message_done_after_it(processor: ProcessorHarness) -> None:
    steps = [partial_at(300, "Hello"), partial_at(600, "Hello world"), final_at(1_100, "Hello world.", at_ms=200)]
    assert processor.process_utterance(*steps, STREAM_END, utterance="u7", sequence=7) is UtteranceEnd.DONE
    assert processor.captions() == [("Hello", "partial"), ("Hello world", "partial"), ("Hello world.", "final")]
    [done] = processor.messages("done")
    assert (done["utterance"], done["finals"], done.get("fallback")) == ("u7", 1, None)
    assert (processor.utterances.slots, processor.utterances.done) == ((), ("u7",))
    caption = processor.messages("caption")[-1]
    del caption["text"], caption["resultId"], caption["revision"]
    assert caption == {
        "type": "caption",
        "sessionId": SESSION_ID,
        "utterance": "u7",
        "sequence": 7,
        "final": True,
        "startMs": 200,
        "endMs": 400,
        "stability": 1.0,
        "orphan": False,
    }


def test_audio_is_sent_at_the_pace_of_speech_and_ends_with_its_last_chunk(processor: ProcessorHarness) -> None:
    processor.process_utterance(final_at(1_100, "Hello."), STREAM_END)
    [stream] = processor.transcribe.streams
    assert stream.chunk_times_ms == list(range(0, 1_000, 100))
    assert b"".join(stream.chunks) == bytes(32_000)
    assert stream.audio_end_ms == 900
    assert processor.transcribe.requests == [StreamRequest("en-US", 16_000, Encoding.PCM, stabilised=True)]


def test_a_repeated_invocation_for_an_utterance_shows_nothing(processor: ProcessorHarness) -> None:
    processor.process_utterance(final_at(1_100, "Hello."), STREAM_END)
    assert processor.invoke() is None
    assert len(processor.captions()) == 1


def test_an_invocation_after_the_deadline_of_its_slot_opens_no_stream(processor: ProcessorHarness) -> None:
    processor.take_slot("u1")
    processor.clock.now_ms += MAX_START_MS
    assert processor.invoke() is None
    assert processor.transcribe.requests == [], "after the deadline, the client may have sent the utterance again"


def test_an_invocation_for_a_missing_session_opens_no_stream(processor: ProcessorHarness) -> None:
    assert processor.invoke(session_id="0" * 26) is None
    assert processor.transcribe.requests == []


def test_a_text_that_another_utterance_showed_is_not_shown_again(processor: ProcessorHarness) -> None:
    processor.process_utterance(final_at(1_100, "See you tomorrow."), STREAM_END, utterance="u1")
    processor.process_utterance(final_at(1_100, "see you, tomorrow", "r2"), STREAM_END, utterance="u2")
    assert processor.captions() == [("See you tomorrow.", "final")]
    assert [message["finals"] for message in processor.messages("done")] == [1, 0]


def test_a_line_is_removed_if_its_final_repeats_a_text_of_another_utterance(processor: ProcessorHarness) -> None:
    processor.process_utterance(final_at(1_100, "See you tomorrow."), STREAM_END, utterance="u1")
    processor.process_utterance(
        partial_at(300, "See", "r2"), final_at(1_100, "See you tomorrow.", "r2"), STREAM_END, utterance="u2"
    )
    assert processor.captions() == [("See you tomorrow.", "final"), ("See", "partial")]
    assert processor.retracted_results() == ["r2"]


def reservation_key(processor: ProcessorHarness, words: str) -> str:
    """Return the key of a text's reservation, which contains a hash that is keyed with the session's secret."""
    session = processor.sessions.find(SESSION_ID)
    assert session is not None
    return text_reservation_key(
        SESSION_ID, hmac.new(session.secret.encode(), words.encode(), hashlib.sha256).hexdigest()
    )


def test_a_final_removes_another_utterances_partial_with_the_same_text(processor: ProcessorHarness) -> None:
    """If the partial suppressed the final and then changed, the words would be lost."""
    processor.live.reserve_text(reservation_key(processor, "hello"), TextReservation("u1", "r1", 3, final=False), 10)
    processor.process_utterance(final_at(1_100, "Hello.", "r2"), STREAM_END, utterance="u2")
    [retraction] = processor.messages("retract")
    assert (retraction["utterance"], retraction["resultId"], retraction["revision"]) == ("u1", "r1", 3)
    assert processor.captions() == [("Hello.", "final")]


def test_the_same_words_are_shown_again_after_ten_seconds(processor: ProcessorHarness) -> None:
    processor.process_utterance(final_at(1_100, "Yes."), STREAM_END, utterance="u1")
    processor.clock.now_ms += 10_000
    processor.process_utterance(final_at(1_100, "Yes.", "r2"), STREAM_END, utterance="u2")
    assert processor.captions() == [("Yes.", "final"), ("Yes.", "final")]


def test_a_final_but_no_partial_is_shown_if_the_text_cannot_be_reserved(
    processor: ProcessorHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = ClientError({"Error": {"Code": "ProvisionedThroughputExceededException"}}, "UpdateItem")
    monkeypatch.setattr(processor.live, "reserve_text", Mock(side_effect=error))
    processor.process_utterance(partial_at(300, "Hel"), final_at(1_100, "Hello."), STREAM_END)
    assert processor.captions() == [("Hello.", "final")]


def test_a_session_without_partials_requests_none(dynamodb: Any) -> None:
    processor = ProcessorHarness(dynamodb, settings=SessionSettings(partial_results_enabled=False))
    processor.process_utterance(partial_at(300, "Hel"), final_at(1_100, "Hello."), STREAM_END)
    assert [request.stabilised for request in processor.transcribe.requests] == [False]
    assert processor.captions() == [("Hello.", "final")]
    assert FALLBACK_METRIC not in processor.cloudwatch.values, "the session itself has disabled partials"


def test_a_sessions_own_threshold_applies(dynamodb: Any) -> None:
    processor = ProcessorHarness(dynamodb, settings=SessionSettings(min_stability_threshold=0.0))
    processor.process_utterance(partial_at(300, "Hello", stable=False), final_at(1_100, "Hello."), STREAM_END)
    assert processor.captions()[0] == ("Hello", "partial")


def test_metrics_are_put_in_one_call_after_the_answer(
    processor: ProcessorHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_metric_data = processor.cloudwatch.put_metric_data
    done_counts: list[int] = []

    def count_done_messages(**call: Any) -> None:
        done_counts.append(len(processor.messages("done")))
        put_metric_data(**call)

    monkeypatch.setattr(processor.cloudwatch, "put_metric_data", count_done_messages)
    processor.process_utterance(partial_at(300, "Hello"), final_at(1_100, "Hello."), STREAM_END)
    assert done_counts == [1], "the client must not wait for the call"
    [call] = processor.cloudwatch.calls
    assert call["Namespace"] == "AudioTranscription/PartialResults"
    [latency] = call["MetricData"]
    assert (latency["MetricName"], latency["Unit"]) == ("PartialResultProcessingLatency", "Milliseconds")
    assert sum(latency["Counts"]) == 2
    assert latency["Dimensions"] == [{"Name": "FunctionName", "Value": "processor"}]


def test_the_utterance_ends_normally_even_if_its_metrics_cannot_be_put(processor: ProcessorHarness) -> None:
    processor.cloudwatch.error = ClientError({"Error": {"Code": "Throttling"}}, "PutMetricData")
    assert processor.process_utterance(final_at(1_100, "Hello."), STREAM_END) is UtteranceEnd.DONE
    assert len(processor.messages("done")) == 1


def test_orphans_are_logged_with_the_hash_of_their_session(
    processor: ProcessorHarness, capsys: pytest.CaptureFixture[str]
) -> None:
    """An orphan is a result without a final. The metric counts orphans, and the log names their session."""
    processor.process_utterance(partial_at(300, "One"), partial_at(400, "Two", "r2", at_ms=500), STREAM_END)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    [last_line] = [line for line in lines if line["message"] == "utterance_ended"]
    assert (last_line["session_hash"], last_line["orphans"]) == (hash_for_log(SESSION_ID), 2)
    assert processor.cloudwatch.values["OrphanedResultsFlushed"] == 2
