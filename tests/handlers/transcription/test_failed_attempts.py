"""Failed attempts: retried streams, resent utterances and reconnected clients. In the end, each caption is shown
once."""

import json
from contextlib import nullcontext
from typing import Any
from unittest.mock import Mock

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from handlers.transcription.audio_processor.transcribe_stream.stream_client import StreamFailureCode
from handlers.transcription.audio_processor.utterance_processor import WAIT_FACTOR, WAIT_MS
from handlers.transcription.audio_processor.utterance_transcription import UtteranceEnd
from handlers.transcription.caption_thresholds import SessionSettings
from handlers.transcription.names_shared_with_deployment import GIVEN_UP_EVENT
from handlers.transcription.session_utterance_state import SlotOutcome
from local.flows.transcription_client import Screen
from tests.handlers.transcription.processor_harness import ENDED, ProcessorHarness, final, partial, use_recording
from tests.handlers.transcription.router_harness import START_MS, Step


@pytest.mark.parametrize(
    "failing",
    [
        *(
            StreamFailureCode.ACCESS_DENIED,
            StreamFailureCode.INTERNAL,
            StreamFailureCode.DROPPED,
            StreamFailureCode.SILENT,
        ),
        pytest.param([(200, b"{not json")], id="invalid transcript"),
    ],
)
def test_a_failed_stream_is_followed_by_one_for_finals_only(
    processor: ProcessorHarness, failing: StreamFailureCode | list[Step]
) -> None:
    processor.scripts.append(failing)
    processor.process_utterance(partial(300, "Hel"), final(1_100, "Hello."), ENDED)
    assert [request.stabilised for request in processor.transcribe.requests] == [True, False]
    assert processor.sent_messages() == [("Hello.", True)]
    assert processor.sent_messages("done")[0]["fallback"] == "stream_failed"
    assert processor.cloudwatch.values["TranscribeFallbackTriggered"] == 1


@pytest.mark.parametrize("failure", [StreamFailureCode.DROPPED, StreamFailureCode.THROTTLED])
def test_partials_of_a_failed_stream_are_retracted_and_transcribed_again(
    processor: ProcessorHarness, failure: StreamFailureCode
) -> None:
    processor.scripts.append([partial(300, "Hello"), (400, failure)])
    processor.process_utterance(final(1_100, "Hello world.", "r9"), (1_150, None))
    assert [message["resultId"] for message in processor.sent_messages("retract")] == ["r1"]
    assert processor.sent_messages() == [("Hello", False), ("Hello world.", True)]


def test_a_second_stream_continues_after_the_last_final(processor: ProcessorHarness) -> None:
    first = [final(700, "One.", at_ms=400), partial(800, "Two", "r2", at_ms=600), (900, StreamFailureCode.DROPPED)]
    processor.scripts.append(first)
    processor.process_utterance(final(600, "Two.", "r9", at_ms=100), (700, None))
    again = processor.transcribe.streams[1]
    assert len(again.sent) == 5, "the first half is final"
    assert processor.sent_messages() == [("One.", True), ("Two", False), ("Two.", True)]
    [_, _, two] = processor.clients.sent_to("c1", "caption")
    assert two["startMs"] == 600, "times are relative to the start of the utterance"


@pytest.mark.parametrize("failure", list(StreamFailureCode))
@pytest.mark.parametrize("seconds", [1, 2.4])
def test_a_stream_that_fails_after_its_last_final_needs_no_second_stream(
    processor: ProcessorHarness, failure: StreamFailureCode, seconds: float
) -> None:
    """A stream costs at least fifteen seconds, and without audio it would be refused."""
    end_ms = round(1_000 * seconds)
    steps = [final(end_ms - 50, "Hello world.", at_ms=end_ms - 200), (end_ms + 200, failure)]
    assert processor.process_utterance(*steps, seconds=seconds, attempts=3) is UtteranceEnd.DONE
    assert len(processor.transcribe.requests) == 1
    assert (processor.sent_messages(), len(processor.sent_messages("done"))) == ([("Hello world.", True)], 1)


def test_an_utterance_whose_captions_are_complete_needs_no_stream(processor: ProcessorHarness) -> None:
    assert processor.process_utterance(from_ms=1_000, attempts=2) is UtteranceEnd.DONE
    assert processor.transcribe.requests == []
    assert len(processor.sent_messages("done")) == 1


def test_the_client_resends_an_utterance_if_there_is_no_time_for_a_second_stream(processor: ProcessorHarness) -> None:
    steps = [final(900, "One.", at_ms=0), partial(2_000, "Two", "r2"), (2_300, StreamFailureCode.DROPPED)]
    assert processor.process_utterance(*steps, seconds=2.4) is UtteranceEnd.BROKEN
    [told] = processor.sent_messages("resend")
    assert told["utterances"] == [{"utterance": "u1", "fromMs": 100}]
    assert len(processor.sent_messages("retract")) == 1
    assert processor.sent_messages("done") == []
    assert processor.utterances.resends[0].from_ms == 100


def test_throttled_attempts_make_clients_wait_and_do_not_count(processor: ProcessorHarness) -> None:
    """The account's streams are free again in seconds. More requests at the same time would not help."""
    for number in range(1, 6):
        processor.scripts.append(StreamFailureCode.THROTTLED)
        taken = processor.take("u1")
        assert taken.utterance_attempt == 1
        assert processor.call(attempts=taken.utterance_attempt) is UtteranceEnd.BROKEN
        assert len(processor.transcribe.requests) == number, "no second stream"
        processor.clock.now_ms += WAIT_MS
    assert processor.sent_messages("error") == []
    again = {"utterance": "u1", "fromMs": 0, "waitMs": WAIT_MS}
    assert [message["utterances"] for message in processor.sent_messages("resend")] == [[again]] * 5
    assert len(processor.cloudwatch.calls) == 5, "the alarm's metric is raised each time"
    assert processor.process_utterance(partial(300, "Hel"), final(1_100, "Hello."), ENDED) is UtteranceEnd.DONE
    assert processor.sent_messages() == [("Hel", False), ("Hello.", True)]


@pytest.mark.parametrize("failure", [StreamFailureCode.DROPPED, StreamFailureCode.SILENT, StreamFailureCode.INTERNAL])
def test_an_utterance_survives_an_outage_of_fifteen_seconds(
    processor: ProcessorHarness, failure: StreamFailureCode
) -> None:
    """The client waits for the shortest time that the platform asks for. Clients wait up to twice as long."""
    outage_ends_ms = processor.clock() + 15_000
    waits_ms: list[int] = []
    while processor.clock() < outage_ends_ms:
        processor.scripts += [failure] * 2
        taken = processor.take("u1")
        assert processor.call(attempts=taken.utterance_attempt) is UtteranceEnd.BROKEN
        [again] = processor.sent_messages("resend")[-1]["utterances"]
        waits_ms.append(again["waitMs"])
        assert processor.take("u1").outcome is SlotOutcome.EARLY, "a client that does not wait is refused"
        processor.clock.now_ms += again["waitMs"]
    assert waits_ms == [3_000, 12_000]
    taken = processor.take("u1")
    assert taken.utterance_attempt == 3
    processor.scripts.clear()
    processor.scripts.append([final(1_100, "Hello."), ENDED])
    assert processor.call(attempts=3) is UtteranceEnd.DONE
    assert processor.sent_messages() == [("Hello.", True)]
    assert processor.sent_messages("error") == []


def test_an_utterance_with_results_is_repeated_at_once(processor: ProcessorHarness) -> None:
    processor.scripts.append([partial(300, "Hello"), (900, StreamFailureCode.DROPPED)])
    assert processor.process_utterance((9_999, None)) is UtteranceEnd.BROKEN
    assert processor.sent_messages("resend")[0]["utterances"] == [{"utterance": "u1", "fromMs": 0}]


def test_attempts_before_a_throttled_one_count(processor: ProcessorHarness) -> None:
    processor.scripts += [StreamFailureCode.DROPPED] * 2
    processor.process_utterance()
    processor.clock.now_ms += WAIT_MS
    processor.scripts.append(StreamFailureCode.THROTTLED)
    processor.call(attempts=processor.take("u1").utterance_attempt)
    processor.clock.now_ms += WAIT_MS
    assert processor.take("u1").utterance_attempt == 2


def test_an_attempt_with_a_stream_counts_even_if_its_second_stream_is_throttled(processor: ProcessorHarness) -> None:
    processor.scripts += [StreamFailureCode.DROPPED, StreamFailureCode.THROTTLED]
    assert processor.process_utterance() is UtteranceEnd.BROKEN
    assert processor.sent_messages("resend")[0]["utterances"] == [{"utterance": "u1", "fromMs": 0, "waitMs": WAIT_MS}]
    processor.clock.now_ms += WAIT_MS
    assert processor.take("u1").utterance_attempt == 2


def test_a_retried_utterance_shows_only_finals_from_the_end_of_its_valid_captions(processor: ProcessorHarness) -> None:
    processor.process_utterance(partial(300, "T"), final(500, "Two.", at_ms=0), (600, None), from_ms=700, attempts=2)
    assert [request.stabilised for request in processor.transcribe.requests] == [False]
    assert len(processor.transcribe.streams[0].sent) == 3
    assert processor.sent_messages() == [("Two.", True)]


@pytest.mark.parametrize("events", [[], [120], [120, 1_100]])
def test_a_stream_without_results_has_failed(processor: ProcessorHarness, events: list[int]) -> None:
    """For silence, the service closes the stream normally. Amazon Transcribe also sends events without results."""
    empty = b'{"Transcript":{"Results":[]}}'
    assert processor.process_utterance(*[(when_ms, empty) for when_ms in events], (9_999, None)) is UtteranceEnd.BROKEN
    assert len(processor.sent_messages("resend")) == 1
    assert processor.cloudwatch.values["TranscribeFallbackTriggered"] == 1


def test_an_utterance_that_transcribe_rejects_is_not_resent(processor: ProcessorHarness) -> None:
    processor.scripts.append(StreamFailureCode.BAD_REQUEST)
    assert processor.process_utterance() is UtteranceEnd.REJECTED
    [told] = processor.sent_messages("error")
    assert (told["code"], told["utterance"]) == ("NOT_TRANSCRIBED", "u1")
    assert len(processor.transcribe.requests) == 1
    assert "TranscribeFallbackTriggered" not in processor.cloudwatch.values, (
        "a client's mistake raises no critical alarm"
    )
    assert processor.utterances.done == processor.utterances.failed == ("u1",)


@pytest.mark.parametrize(
    ("failure", "attempts", "lines"),
    [
        (StreamFailureCode.BAD_REQUEST, 1, [("ERROR", "rejected", "rejected")]),
        (StreamFailureCode.DROPPED, 3, [("ERROR", "broken", "dropped")]),
        (StreamFailureCode.DROPPED, 2, []),
        (StreamFailureCode.THROTTLED, 3, []),
    ],
)
def test_an_utterance_that_is_given_up_is_logged_for_the_alarm(
    processor: ProcessorHarness,
    capsys: pytest.CaptureFixture[str],
    failure: StreamFailureCode,
    attempts: int,
    lines: list[tuple[str, str, str]],
) -> None:
    """It is logged as an error, which every log level of a stack includes."""
    processor.scripts += [failure] * 2
    processor.process_utterance(attempts=attempts)
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [
        (entry["level"], entry["outcome"], entry["cause"]) for entry in found if entry["message"] == GIVEN_UP_EVENT
    ] == lines


@pytest.mark.parametrize("encoding", ["pcm", "flac", "ogg-opus"])
def test_finals_before_a_rejection_stay(
    processor: ProcessorHarness, monkeypatch: pytest.MonkeyPatch, encoding: str
) -> None:
    """The utterance will not be transcribed again."""
    use_recording(monkeypatch, encoding)
    steps = [final(300, "One."), partial(600, "Two", "r2", at_ms=500), (700, StreamFailureCode.BAD_REQUEST)]
    assert processor.process_utterance(*steps) is UtteranceEnd.REJECTED
    assert [message["resultId"] for message in processor.sent_messages("retract")] == ["r2"]
    assert processor.sent_messages("error")[0]["code"] == "NOT_TRANSCRIBED"


def test_the_third_attempt_is_the_last(processor: ProcessorHarness) -> None:
    for attempt in (1, 2, 3):
        processor.scripts += [StreamFailureCode.DROPPED, StreamFailureCode.DROPPED]
        processor.process_utterance(attempts=attempt)
        processor.clock.now_ms += WAIT_MS * WAIT_FACTOR  # the longest wait
    assert [len(processor.sent_messages(kind)) for kind in ("resend", "error")] == [2, 1]
    assert "3 times" in processor.sent_messages("error")[0]["message"], (
        "the message does not claim that resending is useless"
    )
    assert processor.utterances.done == ("u1",)


@pytest.mark.parametrize(
    ("steps", "end"),
    [
        ([partial(300, "Old"), final(1_100, "Old words."), ENDED], UtteranceEnd.SLOT_LOST),
        ([partial(300, "Old"), ENDED], UtteranceEnd.SLOT_LOST),
        ([ENDED], UtteranceEnd.DONE),
        ([(200, StreamFailureCode.BAD_REQUEST)], UtteranceEnd.REJECTED),
    ],
)
def test_a_replaced_attempt_sends_nothing_more(
    processor: ProcessorHarness, monkeypatch: pytest.MonkeyPatch, steps: list[Step], end: UtteranceEnd
) -> None:
    """It hung until its slot expired, and the client has sent the utterance again."""
    processor.take("u1")
    processor.scripts.append(steps)

    def start_newer_attempt() -> None:
        processor.change_utterances(lambda utterances: utterances.plan_resend("u1", 1, 0))
        processor.change_utterances(lambda utterances: utterances.take_slot("u1", START_MS * 2, 8, 0)[0])

    processor.before_stream(monkeypatch, start_newer_attempt)
    assert processor.call() is end
    assert [message for message in processor.sent_messages() if message[1]] == []
    assert processor.sent_messages("done") + processor.sent_messages("resend") + processor.sent_messages("error") == []
    assert processor.shown_lines().text() == [], "no partial line stays that the newer attempt will show"
    assert processor.utterances.holds_slot("u1", 2), "the newer attempt holds the slot"


@pytest.mark.parametrize("encoding", ["flac", "ogg-opus"])
def test_audio_that_cannot_be_cut_is_transcribed_again_from_its_beginning(
    processor: ProcessorHarness, monkeypatch: pytest.MonkeyPatch, encoding: str
) -> None:
    """Its sentences may be divided differently the second time, so finals are retracted too."""
    use_recording(monkeypatch, encoding)
    processor.scripts.append([final(300, "One two three.", at_ms=0), (350, StreamFailureCode.DROPPED)])
    processor.process_utterance(final(700, "One two.", "r8"), final(900, "Three four.", "r9", at_ms=300), (1_000, None))
    assert len(processor.transcribe.streams[1].sent) == 10
    assert [message["resultId"] for message in processor.sent_messages("retract")] == ["r1"]
    assert processor.sent_messages() == [("One two three.", True), ("One two.", True), ("Three four.", True)]
    assert processor.sent_messages("done")[0]["finals"] == 2, "the remaining lines"


@pytest.mark.parametrize("encoding", ["pcm", "flac", "ogg-opus"])
@pytest.mark.parametrize("trouble", ["gone", "late", "ours"])
def test_after_any_failure_a_resent_utterance_shows_each_caption_once(
    processor: ProcessorHarness, monkeypatch: pytest.MonkeyPatch, encoding: str, trouble: str
) -> None:
    """Audio that cannot be cut is transcribed again as a whole, so none of its lines may stay."""
    use_recording(monkeypatch, encoding)
    count = 0

    def cause_trouble(_connection: str, message: Any) -> None:
        nonlocal count
        count += message.type == "caption"
        match trouble:
            case "gone" if count == 2:
                processor.clients.gone.add("c1")
            case "late" if count >= 2:
                processor.clock.now_ms += 1_500
            case "ours" if count == 2 and message.type == "caption":
                raise ZeroDivisionError

    processor.clients.before_post = cause_trouble
    said = [("One.", 0), ("Two.", 500), ("Three.", 700)]
    with nullcontext() if trouble != "ours" else pytest.raises(ZeroDivisionError):
        processor.process_utterance(*[final(300 + at, text, text, at_ms=at) for text, at in said], ENDED)
    processor.clients.before_post = lambda *_: None
    processor.clients.gone.clear()
    [broken] = processor.utterances.resends
    told = {"type": "resend", "utterances": [{"utterance": "u1", "fromMs": broken.from_ms}]}
    screen = Screen()
    for message in [*processor.clients.inbox["c1"], told]:
        screen.apply(message)
    processor.clients.inbox.clear()
    heard_from_ms = broken.from_ms if encoding == "pcm" else 0
    again = [(text, at - heard_from_ms) for text, at in said if at >= heard_from_ms]
    steps = [final(200 + at, text, f"{text} again", at_ms=at) for text, at in again]
    assert processor.process_utterance(*steps, ENDED, from_ms=broken.from_ms, attempts=2) is UtteranceEnd.DONE
    for message in processor.clients.inbox["c1"]:
        screen.apply(message)
    assert screen.text() == ["One.", "Two.", "Three."]


def test_the_stream_of_a_disconnected_client_is_closed(processor: ProcessorHarness) -> None:
    processor.clients.gone.add("c1")
    assert processor.process_utterance(partial(300, "Hello"), final(1_100, "Hello."), ENDED) is UtteranceEnd.GONE
    assert len(processor.transcribe.streams[0].sent) < 10
    assert processor.utterances.resends[0].utterance == "u1", "a reconnected client is told to send it again"


def test_captions_follow_a_client_to_its_new_connection(
    processor: ProcessorHarness, monkeypatch: pytest.MonkeyPatch
) -> None:

    def move() -> None:
        processor.clients.gone.add("c1")
        processor.change_utterances(lambda utterances: utterances.note_message("c2", 0))

    processor.before_stream(monkeypatch, move)
    assert processor.process_utterance(final(1_100, "Hello."), ENDED) is UtteranceEnd.DONE
    assert processor.sent_messages("caption", "c2") == [("Hello.", True)]
    assert len(processor.sent_messages("done", "c2")) == 1


@pytest.mark.parametrize(
    "failure",
    [
        ClientError({"Error": {"Code": "LimitExceededException"}}, "PostToConnection"),
        ReadTimeoutError(endpoint_url="x"),
    ],
)
def test_a_partial_that_cannot_be_posted_is_skipped(processor: ProcessorHarness, failure: Exception) -> None:
    """It may have arrived, so the retraction of its line is sent."""
    processor.clients.before_post = Mock(side_effect=[failure, *[None] * 9])
    steps = [
        partial(200, "Um"),
        partial(400, "Hel", "r2", at_ms=300),
        final(700, ""),
        final(900, "Hello.", "r2", at_ms=300),
    ]
    assert processor.process_utterance(*steps, ENDED) is UtteranceEnd.DONE
    assert processor.sent_messages() == [("Hel", False), ("Hello.", True)]
    assert [message["resultId"] for message in processor.sent_messages("retract")] == ["r1"]
    assert processor.cloudwatch.values["PartialResultProcessingLatency"] == 2, "for a line that was shown"


def reconnect(processor: ProcessorHarness) -> None:
    """Open the client's session over connection `c2`, before the end of the old one is noticed."""
    processor.change_utterances(lambda utterances: utterances.prepare_move("c2", ()).note_message("c2", 0))


def reconnect_after_caption(processor: ProcessorHarness, *, final: bool = True) -> None:
    """Let the client reconnect after its first final or, with `final=False`, its first partial."""

    def move(_connection: str, message: Any) -> None:
        if message.type == "caption" and message.final is final:
            processor.clients.after_post = lambda *_: None
            reconnect(processor)

    processor.clients.after_post = move


def test_captions_follow_a_client_even_if_its_old_connection_still_accepts_messages(
    processor: ProcessorHarness,
) -> None:
    """API Gateway may notice the end of a connection much later, and accepts messages until then."""
    reconnect_after_caption(processor, final=False)
    steps = [partial(200, "Hel"), final(600, "Hello."), partial(700, "You", "r2", at_ms=700), (900, None)]
    assert processor.process_utterance(*steps) is UtteranceEnd.DONE
    assert processor.sent_messages("caption", "c1") == [("Hel", False)]
    assert processor.sent_messages("caption", "c2") == [("Hello.", True), ("You", False), ("You", True)]
    assert len(processor.sent_messages("done", "c2")) == 1


def test_a_line_is_retracted_on_the_connection_that_shows_it(processor: ProcessorHarness) -> None:
    reconnect_after_caption(processor, final=False)
    processor.process_utterance(partial(300, "Hel"), final(600, ""), (900, None))
    assert [message["resultId"] for message in processor.sent_messages("retract", "c2")] == ["r1"]


def test_finals_that_were_sent_to_the_old_connection_are_transcribed_again(processor: ProcessorHarness) -> None:
    """They may not have arrived. Their text is reserved, but it is shown again."""
    reconnect_after_caption(processor)
    processor.process_utterance(final(300, "One."), final(600, "Two.", "r2", at_ms=500), ENDED)
    [told] = processor.sent_messages("resend", "c2")
    assert told["utterances"] == [{"utterance": "u1", "fromMs": 0}]
    assert processor.sent_messages("done", "c1") + processor.sent_messages("done", "c2") == []
    assert (processor.utterances.done, processor.utterances.resends[0].from_ms) == ((), 0)
    processor.scripts.append([final(300, "One.", "r8"), final(600, "Two.", "r9", at_ms=500), ENDED])
    assert processor.call(attempts=processor.take("u1", "c2").utterance_attempt) is UtteranceEnd.DONE
    assert processor.shown_lines("c2").text() == ["One.", "Two."]
    assert processor.utterances.done == ("u1",)


def test_an_utterance_that_fails_after_its_client_moved_is_resent_from_its_beginning(
    processor: ProcessorHarness,
) -> None:
    reconnect_after_caption(processor)
    processor.process_utterance(final(900, "One."), (2_300, StreamFailureCode.DROPPED), seconds=2.4)
    [told] = processor.sent_messages("resend", "c2")
    assert told["utterances"] == [{"utterance": "u1", "fromMs": 0}]


def test_captions_of_an_earlier_attempt_on_the_old_connection_are_transcribed_again(
    processor: ProcessorHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    processor.before_stream(monkeypatch, lambda: reconnect(processor))
    processor.process_utterance(final(300, "Two."), (400, None), from_ms=700, attempts=2)
    assert processor.sent_messages("resend", "c2")[0]["utterances"] == [{"utterance": "u1", "fromMs": 0}]


def test_the_last_attempt_ends_even_if_its_captions_went_to_another_connection(processor: ProcessorHarness) -> None:
    reconnect_after_caption(processor)
    processor.process_utterance(final(300, "One."), ENDED, attempts=3)
    assert len(processor.sent_messages("done", "c2")) == 1
    assert processor.utterances.done == ("u1",)


@pytest.mark.parametrize(("partials", "attempts"), [(False, 1), (True, 2)])
def test_a_failing_transcribe_raises_the_metric_even_if_partials_are_disabled(
    dynamodb: Any, partials: bool, attempts: int
) -> None:
    """Otherwise, no alarm would be raised while the flag is off."""
    processor = ProcessorHarness(
        dynamodb, [StreamFailureCode.DROPPED] * 2, settings=SessionSettings(partial_results_enabled=partials)
    )
    assert processor.process_utterance(attempts=attempts) is UtteranceEnd.BROKEN
    assert processor.cloudwatch.values["TranscribeFallbackTriggered"] == 1


def test_an_internal_error_returns_the_slot_notifies_the_client_and_is_raised(
    processor: ProcessorHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("handlers.transcription.audio_processor.utterance_transcription.parse_results", lambda _: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        processor.process_utterance(final(500, "Hello."), ENDED)
    assert len(processor.sent_messages("resend")) == 1
    assert processor.utterances.slots == ()
