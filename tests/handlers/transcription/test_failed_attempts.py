"""Tests of failed attempts to transcribe an utterance (a few seconds of speech), and of clients that reconnect.

If a stream of Amazon Transcribe fails, the attempt opens a second stream, which shows only finals (captions that do not
change any more). This is the fallback. Only a stream for partials is requested as `stabilised`, so that stable words
are marked. If the second stream is not possible or fails too, the attempt ends as `BROKEN`, and the client must send
the utterance again, which is the next attempt. The request states the position from which to send it (`fromMs`) and the
time to wait before (`waitMs`). If the third attempt fails, the utterance is given up.

`partial_at(300, ...)` is a step of a stream 300 ms after the stream opened. Its speech starts at the position `at_ms`
of the stream's audio, and each word is 100 ms long. An utterance is one second long, unless `seconds` says otherwise.
"""

import json
from contextlib import nullcontext
from typing import Any
from unittest.mock import Mock

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from handlers.transcription.audio_processor.stream import StreamFailureCode
from handlers.transcription.audio_processor.utterance_processor import WAIT_FACTOR, WAIT_MS
from handlers.transcription.audio_processor.utterance_transcription import UtteranceEnd
from handlers.transcription.caption_thresholds import SessionSettings
from handlers.transcription.names_shared_with_deployment import GIVEN_UP_EVENT, LATENCY_METRIC
from handlers.transcription.session_utterance_state import SlotOutcome
from tests.handlers.transcription.processor_harness import (
    STREAM_END,
    ProcessorHarness,
    final_at,
    partial_at,
    use_encoding,
)
from tests.handlers.transcription.router_harness import Step

LATE_END: Step = (9_999, None)
"""Step at which Amazon Transcribe would close the stream, long after the deadline of the attempt."""


@pytest.mark.parametrize(
    "failed_script",
    [
        StreamFailureCode.BROKEN,
        pytest.param([(200, b"{not json")], id="invalid transcript"),
    ],
)
def test_after_a_failed_stream_a_second_stream_shows_only_finals(
    processor: ProcessorHarness, failed_script: StreamFailureCode | list[Step]
) -> None:
    processor.scripts.append(failed_script)
    processor.process_utterance(partial_at(300, "Hel"), final_at(1_100, "Hello."), STREAM_END)
    assert [request.stabilised for request in processor.transcribe.requests] == [True, False]
    assert processor.captions() == [("Hello.", "final")]
    assert processor.messages("done")[0]["fallback"] == "stream_failed"
    assert processor.cloudwatch.values["TranscribeFallbackTriggered"] == 1


@pytest.mark.parametrize("failure", [StreamFailureCode.BROKEN, StreamFailureCode.THROTTLED])
def test_partials_of_a_failed_stream_are_removed_and_their_speech_is_transcribed_again(
    processor: ProcessorHarness, failure: StreamFailureCode
) -> None:
    processor.scripts.append([partial_at(300, "Hello"), (400, failure)])
    processor.process_utterance(final_at(1_100, "Hello world.", "r9"), (1_150, None))
    assert processor.retracted_results() == ["r1"]
    assert processor.captions() == [("Hello", "partial"), ("Hello world.", "final")]


def test_a_second_stream_continues_after_the_last_final(processor: ProcessorHarness) -> None:
    processor.scripts.append(
        [final_at(700, "One.", at_ms=400), partial_at(800, "Two", "r2", at_ms=600), (900, StreamFailureCode.BROKEN)]
    )
    processor.process_utterance(final_at(600, "Two.", "r9", at_ms=100), (700, None))
    assert len(processor.transcribe.streams[1].chunks) == 5, "the first 500 ms are final, and each chunk is 100 ms long"
    assert processor.captions() == [("One.", "final"), ("Two", "partial"), ("Two.", "final")]
    assert processor.messages("caption")[-1]["startMs"] == 600, "times are relative to the start of the utterance"


@pytest.mark.parametrize("failure", list(StreamFailureCode))
@pytest.mark.parametrize("seconds", [1, 2.4])
def test_a_stream_that_fails_after_its_last_final_needs_no_second_stream(
    processor: ProcessorHarness, failure: StreamFailureCode, seconds: float
) -> None:
    """A second stream would be billed as 15 seconds, and would be refused, because there is no audio left. After
    a failure in the third attempt, the utterance would also be given up."""
    end_ms = round(1_000 * seconds)
    steps = [final_at(end_ms - 50, "Hello world.", at_ms=end_ms - 200), (end_ms + 200, failure)]
    assert processor.process_utterance(*steps, seconds=seconds, utterance_attempt=3) is UtteranceEnd.DONE
    assert len(processor.transcribe.requests) == 1
    assert (processor.captions(), len(processor.messages("done"))) == ([("Hello world.", "final")], 1)


def test_an_attempt_opens_no_stream_if_earlier_finals_cover_the_whole_utterance(processor: ProcessorHarness) -> None:
    assert processor.process_utterance(from_ms=1_000, utterance_attempt=2) is UtteranceEnd.DONE
    assert processor.transcribe.requests == []
    assert len(processor.messages("done")) == 1


def test_an_utterance_is_sent_again_if_there_is_no_time_for_a_second_stream(processor: ProcessorHarness) -> None:
    steps = [final_at(900, "One.", at_ms=0), partial_at(2_000, "Two", "r2"), (2_300, StreamFailureCode.BROKEN)]
    assert processor.process_utterance(*steps, seconds=2.4) is UtteranceEnd.BROKEN
    assert processor.resend_requests() == [[{"utterance": "u1", "fromMs": 100}]]
    assert processor.retracted_results() == ["r2"]
    assert processor.messages("done") == []
    assert processor.utterances.resends[0].from_ms == 100


def test_throttled_attempts_do_not_count_and_the_client_waits_after_each(processor: ProcessorHarness) -> None:
    """Throttled means that Amazon Transcribe had no free stream for the account. Some seconds later, it has one."""
    for number in range(1, 6):
        processor.scripts.append(StreamFailureCode.THROTTLED)
        assert processor.process_utterance() is UtteranceEnd.BROKEN
        assert processor.slot.utterance_attempt == 1
        assert len(processor.transcribe.requests) == number, "an attempt opens no second stream"
        processor.clock.now_ms += WAIT_MS
    assert processor.messages("error") == []
    assert processor.resend_requests() == [[{"utterance": "u1", "fromMs": 0, "waitMs": WAIT_MS}]] * 5
    assert len(processor.cloudwatch.calls) == 5, "the metric of the alarm is put each time"
    steps = [partial_at(300, "Hel"), final_at(1_100, "Hello."), STREAM_END]
    assert processor.process_utterance(*steps) is UtteranceEnd.DONE
    assert processor.captions() == [("Hel", "partial"), ("Hello.", "final")]


def test_an_utterance_survives_an_outage_of_fifteen_seconds(processor: ProcessorHarness) -> None:
    """The client waits for the minimum time. Real clients wait up to twice as long."""
    outage_ends_ms = processor.clock() + 15_000
    waits_ms: list[int] = []
    while processor.clock() < outage_ends_ms:
        processor.scripts += [StreamFailureCode.BROKEN] * 2
        assert processor.process_utterance() is UtteranceEnd.BROKEN
        [resend] = processor.resend_requests()[-1]
        waits_ms.append(resend["waitMs"])
        assert processor.take_slot("u1").outcome is SlotOutcome.EARLY, "a client that does not wait gets no slot"
        processor.clock.now_ms += resend["waitMs"]
    assert waits_ms == [3_000, 12_000]

    processor.scripts.clear()
    assert processor.process_utterance(final_at(1_100, "Hello."), STREAM_END) is UtteranceEnd.DONE
    assert processor.slot.utterance_attempt == 3
    assert processor.captions() == [("Hello.", "final")]
    assert processor.messages("error") == []


def test_after_an_attempt_with_results_the_client_need_not_wait(processor: ProcessorHarness) -> None:
    processor.scripts.append([partial_at(300, "Hello"), (900, StreamFailureCode.BROKEN)])
    assert processor.process_utterance(LATE_END) is UtteranceEnd.BROKEN
    assert processor.resend_requests() == [[{"utterance": "u1", "fromMs": 0}]]


def test_an_attempt_counts_if_only_its_second_stream_is_throttled(processor: ProcessorHarness) -> None:
    processor.scripts += [StreamFailureCode.BROKEN, StreamFailureCode.THROTTLED]
    assert processor.process_utterance() is UtteranceEnd.BROKEN
    assert processor.resend_requests() == [[{"utterance": "u1", "fromMs": 0, "waitMs": WAIT_MS}]]
    for _ in range(2):
        processor.clock.now_ms += WAIT_MS
        processor.scripts.append(StreamFailureCode.THROTTLED)
        processor.process_utterance()
        assert processor.slot.utterance_attempt == 2, "attempts without a free stream do not count"


def test_a_second_attempt_shows_only_finals_of_the_speech_after_the_valid_captions(processor: ProcessorHarness) -> None:
    processor.process_utterance(
        partial_at(300, "T"), final_at(500, "Two.", at_ms=0), (600, None), from_ms=700, utterance_attempt=2
    )
    assert [request.stabilised for request in processor.transcribe.requests] == [False]
    assert len(processor.transcribe.streams[0].chunks) == 3
    assert processor.captions() == [("Two.", "final")]


@pytest.mark.parametrize("event_times_ms", [[], [120], [120, 1_100]])
def test_a_stream_that_stays_open_without_results_has_failed(
    processor: ProcessorHarness, event_times_ms: list[int]
) -> None:
    """Speech without words is no failure, but then Amazon Transcribe closes the stream. It also sends events without
    results."""
    empty_event = b'{"Transcript":{"Results":[]}}'
    steps = [(event_ms, empty_event) for event_ms in event_times_ms]
    assert processor.process_utterance(*steps, LATE_END) is UtteranceEnd.BROKEN
    assert len(processor.messages("resend")) == 1
    assert processor.cloudwatch.values["TranscribeFallbackTriggered"] == 1


def test_an_utterance_that_amazon_transcribe_rejects_is_given_up_at_once(processor: ProcessorHarness) -> None:
    processor.scripts.append(StreamFailureCode.REJECTED)
    assert processor.process_utterance() is UtteranceEnd.REJECTED
    [error] = processor.messages("error")
    assert (error["code"], error["utterance"]) == ("NOT_TRANSCRIBED", "u1")
    assert len(processor.transcribe.requests) == 1
    assert "TranscribeFallbackTriggered" not in processor.cloudwatch.values, "a client's mistake raises no alarm"
    assert processor.utterances.done == processor.utterances.failed == ("u1",)


@pytest.mark.parametrize(
    ("failure", "utterance_attempt", "expected"),
    [
        (StreamFailureCode.REJECTED, 1, [("ERROR", "rejected", "rejected")]),
        (StreamFailureCode.BROKEN, 3, [("ERROR", "broken", "broken")]),
        (StreamFailureCode.BROKEN, 2, []),
        (StreamFailureCode.THROTTLED, 3, []),
    ],
)
def test_an_utterance_that_is_given_up_is_logged_as_an_error_for_the_alarm(
    processor: ProcessorHarness,
    capsys: pytest.CaptureFixture[str],
    failure: StreamFailureCode,
    utterance_attempt: int,
    expected: list[tuple[str, str, str]],
) -> None:
    """Errors are logged at every log level that a stack can have."""
    processor.scripts += [failure] * 2
    processor.process_utterance(utterance_attempt=utterance_attempt)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    logged = [(line["level"], line["outcome"], line["cause"]) for line in lines if line["message"] == GIVEN_UP_EVENT]
    assert logged == expected


@pytest.mark.parametrize("encoding", ["pcm", "flac", "ogg-opus"])
def test_a_rejection_removes_partials_but_no_finals(
    processor: ProcessorHarness, monkeypatch: pytest.MonkeyPatch, encoding: str
) -> None:
    """The utterance will not be transcribed again, so its finals stay."""
    use_encoding(monkeypatch, encoding)
    steps = [final_at(300, "One."), partial_at(600, "Two", "r2", at_ms=500), (700, StreamFailureCode.REJECTED)]
    assert processor.process_utterance(*steps) is UtteranceEnd.REJECTED
    assert processor.retracted_results() == ["r2"]
    assert processor.messages("error")[0]["code"] == "NOT_TRANSCRIBED"


def test_an_utterance_is_given_up_after_the_third_failed_attempt(processor: ProcessorHarness) -> None:
    for _ in range(3):
        processor.scripts += [StreamFailureCode.BROKEN, StreamFailureCode.BROKEN]
        processor.process_utterance()
        processor.clock.now_ms += WAIT_MS * WAIT_FACTOR  # the longest wait
    assert [len(processor.messages(kind)) for kind in ("resend", "error")] == [2, 1]
    assert "3 times" in processor.messages("error")[0]["message"], "the message differs from that after a rejection"
    assert processor.utterances.done == ("u1",)


@pytest.mark.parametrize(
    ("steps", "end"),
    [
        pytest.param(
            [partial_at(300, "Old"), final_at(1_100, "Old words."), STREAM_END], UtteranceEnd.SLOT_LOST, id="final"
        ),
        pytest.param([partial_at(300, "Old"), STREAM_END], UtteranceEnd.SLOT_LOST, id="orphan"),
        pytest.param([STREAM_END], UtteranceEnd.DONE, id="no result"),
        pytest.param([(200, StreamFailureCode.REJECTED)], UtteranceEnd.REJECTED, id="rejection"),
    ],
)
def test_an_attempt_that_was_replaced_by_a_newer_one_sends_no_final_and_no_last_message(
    processor: ProcessorHarness, monkeypatch: pytest.MonkeyPatch, steps: list[Step], end: UtteranceEnd
) -> None:
    """The deadline of the slot was over before the stream opened, and the client has sent the utterance again. The old
    attempt notices this only before a final. So without a final, its end is the usual one."""
    processor.take_slot("u1")
    processor.scripts.append(steps)

    def start_newer_attempt() -> None:
        processor.change_utterances(lambda utterances: utterances.plan_resend("u1", attempt=1, from_ms=0))
        processor.take_slot("u1")

    processor.call_before_each_stream(monkeypatch, start_newer_attempt)
    assert processor.invoke() is end
    assert "final" not in [kind for _, kind in processor.captions()]
    assert processor.messages("done") + processor.messages("resend") + processor.messages("error") == []
    assert processor.shown_lines() == [], "no partial line stays, because the newer attempt shows the words"
    assert processor.utterances.holds_slot("u1", 2), "the newer attempt keeps its slot"


@pytest.mark.parametrize("encoding", ["flac", "ogg-opus"])
def test_an_encoding_with_a_header_is_transcribed_again_from_the_beginning(
    processor: ProcessorHarness, monkeypatch: pytest.MonkeyPatch, encoding: str
) -> None:
    """The audio cannot be streamed from the middle. Finals are removed too, because Amazon Transcribe may divide the
    sentences differently the second time."""
    use_encoding(monkeypatch, encoding)
    processor.scripts.append([final_at(300, "One two three.", at_ms=0), (350, StreamFailureCode.BROKEN)])
    processor.process_utterance(
        final_at(700, "One two.", "r8"), final_at(900, "Three four.", "r9", at_ms=300), (1_000, None)
    )
    assert len(processor.transcribe.streams[1].chunks) == 10
    assert processor.retracted_results() == ["r1"]
    assert processor.captions() == [("One two three.", "final"), ("One two.", "final"), ("Three four.", "final")]
    assert processor.messages("done")[0]["finals"] == 2, "removed lines do not count"


@pytest.mark.parametrize("encoding", ["pcm", "flac", "ogg-opus"])
@pytest.mark.parametrize("failure", ["closed connection", "slow posts", "internal error"])
def test_an_utterance_that_is_sent_again_after_its_captions_could_not_be_posted_shows_each_caption_once(
    processor: ProcessorHarness, monkeypatch: pytest.MonkeyPatch, encoding: str, failure: str
) -> None:
    """An encoding with a header is transcribed again from the beginning, so none of its lines may stay."""
    use_encoding(monkeypatch, encoding)
    caption_count = 0

    def fail_from_second_caption(_connection: str, message: Any) -> None:
        nonlocal caption_count
        caption_count += message.type == "caption"
        match failure:
            case "closed connection" if caption_count == 2:
                processor.clients.gone.add("c1")
            case "slow posts" if caption_count >= 2:
                processor.clock.now_ms += 1_500
            case "internal error" if caption_count == 2 and message.type == "caption":
                raise ZeroDivisionError

    sentences = [("One.", 0), ("Two.", 500), ("Three.", 700)]
    processor.clients.before_post = fail_from_second_caption
    with pytest.raises(ZeroDivisionError) if failure == "internal error" else nullcontext():
        steps = [final_at(300 + start_ms, text, text, at_ms=start_ms) for text, start_ms in sentences]
        processor.process_utterance(*steps, STREAM_END)

    processor.clients.before_post = lambda *_: None
    processor.clients.gone.clear()
    from_ms = processor.utterances.resends[0].from_ms
    # If the request to send the utterance again could not be posted, the client gets it in an answer of the router.
    processor.clients.inbox["c1"].append({"type": "resend", "utterances": [{"utterance": "u1", "fromMs": from_ms}]})
    audio_start_ms = from_ms if encoding == "pcm" else 0
    steps = [
        final_at(200 + start_ms - audio_start_ms, text, f"{text} again", at_ms=start_ms - audio_start_ms)
        for text, start_ms in sentences
        if start_ms >= audio_start_ms
    ]
    assert processor.process_utterance(*steps, STREAM_END) is UtteranceEnd.DONE
    assert processor.shown_lines() == ["One.", "Two.", "Three."]


def test_the_stream_of_a_disconnected_client_is_closed_and_a_resend_is_planned(processor: ProcessorHarness) -> None:
    processor.clients.gone.add("c1")
    steps = [partial_at(300, "Hello"), final_at(1_100, "Hello."), STREAM_END]
    assert processor.process_utterance(*steps) is UtteranceEnd.GONE
    assert len(processor.transcribe.streams[0].chunks) < 10
    assert processor.utterances.resends[0].utterance == "u1", "a client that reconnects must send the utterance again"


def test_captions_go_to_the_new_connection_of_a_client_whose_old_connection_is_closed(
    processor: ProcessorHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    def move_to_new_connection() -> None:
        processor.clients.gone.add("c1")
        processor.change_utterances(lambda utterances: utterances.move("c2", ()))

    processor.call_before_each_stream(monkeypatch, move_to_new_connection)
    steps = [partial_at(300, "Hel"), final_at(1_100, "Hello."), STREAM_END]
    assert processor.process_utterance(*steps) is UtteranceEnd.DONE
    assert processor.captions("c2") == [("Hel", "partial"), ("Hello.", "final")]
    assert len(processor.messages("done", "c2")) == 1


@pytest.mark.parametrize(
    "failure",
    [
        ClientError({"Error": {"Code": "LimitExceededException"}}, "PostToConnection"),
        ReadTimeoutError(endpoint_url="x"),
    ],
)
def test_a_failed_post_of_a_partial_does_not_stop_the_utterance(
    processor: ProcessorHarness, failure: Exception
) -> None:
    """The partial may have arrived, so the processor still asks the client to remove its line."""
    processor.clients.before_post = Mock(side_effect=[failure, *[None] * 9])
    steps = [
        partial_at(200, "Um"),
        partial_at(400, "Hel", "r2", at_ms=300),
        final_at(700, ""),
        final_at(900, "Hello.", "r2", at_ms=300),
    ]
    assert processor.process_utterance(*steps, STREAM_END) is UtteranceEnd.DONE
    assert processor.captions() == [("Hel", "partial"), ("Hello.", "final")]
    assert processor.retracted_results() == ["r1"]
    assert processor.cloudwatch.values[LATENCY_METRIC] == 2, "a caption that was not posted has no latency"


def reconnect(processor: ProcessorHarness) -> None:
    """Open the client's session over connection `c2`, while `c1` still accepts messages."""
    processor.change_utterances(lambda utterances: utterances.move("c2", ()))


def reconnect_after_caption(processor: ProcessorHarness, *, final: bool = True) -> None:
    """Let the client reconnect after it received its first final or, with `final=False`, its first partial."""

    def reconnect_once(_connection: str, message: Any) -> None:
        if message.type == "caption" and message.final is final:
            processor.clients.after_post = lambda *_: None
            reconnect(processor)

    processor.clients.after_post = reconnect_once


def test_captions_go_to_the_new_connection_even_if_the_old_one_accepts_messages(processor: ProcessorHarness) -> None:
    """API Gateway may notice late that a connection has ended, and accepts messages for it until then."""
    reconnect_after_caption(processor, final=False)
    steps = [partial_at(200, "Hel"), final_at(600, "Hello."), partial_at(700, "You", "r2", at_ms=700), (900, None)]
    assert processor.process_utterance(*steps) is UtteranceEnd.DONE
    assert processor.captions("c1") == [("Hel", "partial")]
    assert processor.captions("c2") == [("Hello.", "final"), ("You", "partial"), ("You", "final")]
    assert len(processor.messages("done", "c2")) == 1


def test_a_line_is_removed_on_the_clients_newest_connection(processor: ProcessorHarness) -> None:
    reconnect_after_caption(processor, final=False)
    processor.process_utterance(partial_at(300, "Hel"), final_at(600, ""), (900, None))
    assert processor.retracted_results("c2") == ["r1"]


def test_finals_that_were_sent_to_the_old_connection_are_transcribed_again(processor: ProcessorHarness) -> None:
    """They may not have arrived. Their text is reserved, but this stops only other utterances from showing it."""
    reconnect_after_caption(processor)
    processor.process_utterance(final_at(300, "One."), final_at(600, "Two.", "r2", at_ms=500), STREAM_END)
    assert processor.resend_requests("c2") == [[{"utterance": "u1", "fromMs": 0}]]
    assert processor.messages("done", "c1") + processor.messages("done", "c2") == []
    assert (processor.utterances.done, processor.utterances.resends[0].from_ms) == ((), 0)
    processor.scripts.append([final_at(300, "One.", "r8"), final_at(600, "Two.", "r9", at_ms=500), STREAM_END])
    processor.take_slot("u1", "c2")
    assert processor.invoke() is UtteranceEnd.DONE
    assert processor.shown_lines("c2") == ["One.", "Two."]
    assert processor.utterances.done == ("u1",)


def test_an_utterance_that_fails_after_a_reconnection_is_sent_again_from_the_start(processor: ProcessorHarness) -> None:
    reconnect_after_caption(processor)
    processor.process_utterance(final_at(900, "One."), (2_300, StreamFailureCode.BROKEN), seconds=2.4)
    assert processor.resend_requests("c2") == [[{"utterance": "u1", "fromMs": 0}]]


def test_after_a_reconnection_the_captions_of_an_earlier_attempt_are_transcribed_again(
    processor: ProcessorHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    processor.call_before_each_stream(monkeypatch, lambda: reconnect(processor))
    processor.process_utterance(final_at(300, "Two."), (400, None), from_ms=700, utterance_attempt=2)
    assert processor.resend_requests("c2") == [[{"utterance": "u1", "fromMs": 0}]]


def test_the_third_attempt_ends_even_if_its_captions_went_to_the_old_connection(processor: ProcessorHarness) -> None:
    reconnect_after_caption(processor)
    processor.process_utterance(final_at(300, "One."), STREAM_END, utterance_attempt=3)
    assert len(processor.messages("done", "c2")) == 1
    assert processor.utterances.done == ("u1",)


@pytest.mark.parametrize(
    ("partials_enabled", "utterance_attempt"),
    [pytest.param(False, 1, id="by the session"), pytest.param(True, 2, id="in a second attempt")],
)
def test_a_failed_stream_is_counted_in_the_metric_even_if_partials_are_disabled(
    dynamodb: Any, partials_enabled: bool, utterance_attempt: int
) -> None:
    """Otherwise, no alarm would be raised if all partials are disabled."""
    processor = ProcessorHarness(
        dynamodb, [StreamFailureCode.BROKEN] * 2, settings=SessionSettings(partial_results_enabled=partials_enabled)
    )
    assert processor.process_utterance(utterance_attempt=utterance_attempt) is UtteranceEnd.BROKEN
    assert processor.cloudwatch.values["TranscribeFallbackTriggered"] == 1


def test_after_an_internal_error_the_client_must_send_the_utterance_again_and_the_error_is_logged(
    processor: ProcessorHarness, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("handlers.transcription.audio_processor.utterance_transcription.parse_results", lambda _: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        processor.process_utterance(final_at(500, "Hello."), STREAM_END)
    assert len(processor.messages("resend")) == 1
    assert processor.utterances.slots == ()
    line = json.loads(capsys.readouterr().out.splitlines()[0])
    assert (line["message"], line["error_type"]) == ("utterance_broken", "ZeroDivisionError")
    assert line["frames"].split(" > ")[-1].startswith("handlers/transcription/audio_processor/")
