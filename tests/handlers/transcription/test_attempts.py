"""Tests of attempts to transcribe an utterance (a few seconds of speech), and of clients that send it again.

The server starts an attempt only if its number is higher than those before, and no earlier attempt is in progress. A
client removes the lines of an attempt when a caption or the end of a higher attempt arrives.
"""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from handlers.transcription.audio_processor.stream import StreamFailureCode
from handlers.transcription.audio_processor.utterance_attempt import AttemptEnd
from handlers.transcription.environment import FALLBACK_METRIC, GIVEN_UP_EVENT
from handlers.transcription.session import MAX_REMEMBERED_UTTERANCES, UtteranceStatus
from tests.handlers.common.fakes import client_error
from tests.handlers.transcription.router_harness import (
    STREAM_END,
    Step,
    TranscriptionHarness,
    final_at,
    partial_at,
)

HELLO: tuple[Step, ...] = (partial_at(300, "Hel"), final_at(1_100, "Hello."), STREAM_END)
DROPPED = StreamFailureCode.BROKEN
Script = list[Step] | StreamFailureCode
NO_WAIT, SHORT_WAIT, LONG_WAIT = None, 3_000, 12_000


@pytest.mark.parametrize(
    ("failures", "script", "answer", "wait_ms", "counted_failures", "is_fallback"),
    [
        # The numbers of earlier failures, and what follows: message, wait, failures that count, and fallback metric.
        (0, DROPPED, "retry", SHORT_WAIT, 1, True),
        (1, DROPPED, "retry", LONG_WAIT, 2, True),
        (2, DROPPED, "given up", NO_WAIT, None, True),
        (0, StreamFailureCode.THROTTLED, "retry", SHORT_WAIT, 0, True),
        (2, StreamFailureCode.THROTTLED, "retry", SHORT_WAIT, 2, True),
        (2, [partial_at(300, "Hel"), (400, StreamFailureCode.THROTTLED)], "given up", NO_WAIT, None, True),
        (0, [partial_at(300, "Hel"), (400, DROPPED)], "retry", NO_WAIT, 1, True),
        (0, [(200, b"{not json")], "retry", SHORT_WAIT, 1, True),
        (0, [(9_999, None)], "retry", SHORT_WAIT, 1, True),  # no result until the deadline
        (0, [final_at(300, "One."), (400, StreamFailureCode.REJECTED)], "rejected", NO_WAIT, None, False),
        (2, [*HELLO], "done", NO_WAIT, None, False),
        (0, [(1_100, None)], "done", NO_WAIT, None, False),  # silence
        (0, [partial_at(300, "Hel"), (9_999, None)], "done", NO_WAIT, None, False),  # an orphan at the deadline
    ],
)
def test_the_end_of_an_attempt_decides_what_the_client_does(
    harness: TranscriptionHarness,
    capsys: pytest.CaptureFixture[str],
    failures: int,
    script: Script,
    answer: str,
    wait_ms: int | None,
    counted_failures: int | None,
    is_fallback: bool,
) -> None:
    for attempt in range(1, failures + 1):
        harness.transcribe.scripts.append(DROPPED)
        harness.process_utterance(attempt=attempt)
    harness.transcribe.scripts.append(script)
    harness.clients.inbox.clear()
    harness.put_metric_data.reset_mock()
    harness.process_utterance(attempt=failures + 1)
    [message] = harness.last_messages()
    assert (message["utterance"], message["attempt"]) == ("u1", failures + 1)
    assert message.get("waitMs") == wait_ms
    kinds = {True: "retry", False: "given up" if "attempts" in message.get("message", "") else "rejected"}
    assert kinds.get(message.get("retryable"), "done") == answer  # type: ignore[arg-type]
    is_over = answer != "retry"
    state = harness.session().find("u1")
    assert not state.has_slot
    if is_over:
        repeated = harness.send_utterance(attempt=9)
        assert (repeated["done"], repeated["failed"]) == (True, answer != "done")
    else:
        assert state.failures == counted_failures
    assert harness.metrics().get(FALLBACK_METRIC, 0) == is_fallback
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    given_up = [line["level"] for line in lines if line["message"] == GIVEN_UP_EVENT]
    assert given_up == (["ERROR"] if answer in {"given up", "rejected"} else []), "an alarm counts this line"


@pytest.mark.parametrize("failure", [DROPPED, [partial_at(300, "Hello"), (400, DROPPED)]])
def test_after_a_failed_attempt_only_finals_are_requested_and_shown(
    harness: TranscriptionHarness, failure: Script
) -> None:
    harness.transcribe.scripts.append(failure)
    assert harness.process_utterance() is DROPPED
    harness.process_utterance(*HELLO, attempt=2)
    assert [request.stabilised for request in harness.transcribe.requests] == [True, False]
    assert harness.messages("done")[0]["fallback"] == "retried"
    assert harness.shown_lines() == ["Hello."], "the partial of the first attempt is replaced"


def test_an_attempt_starts_only_if_its_number_is_higher_and_no_other_runs(harness: TranscriptionHarness) -> None:
    harness.open_session()
    assert [harness.send_utterance(attempt=attempt)["type"] for attempt in (3, 3, 2)] == ["accepted"] * 3
    codes: list[str | None] = []
    harness.transcribe.before_open = lambda: codes.append(harness.send_utterance(attempt=4).get("code"))
    harness.transcribe.scripts += [DROPPED, HELLO]
    assert [harness.process_event(event) for event in harness.events] == [DROPPED, None]
    assert codes == ["BUSY"]
    harness.transcribe.before_open = lambda: None
    for attempt in (3, 4, 5):
        answer = harness.send_utterance(attempt=attempt)
        assert (answer["done"], answer["failed"]) == (attempt == 5, False)
        if attempt == 4:
            harness.process_event(harness.events[-1])
    assert [event.attempt for event in harness.events] == [3, 3, 4]


@pytest.mark.parametrize("has_started", [False, True], ids=["never started", "killed after its start"])
def test_a_lost_attempt_frees_its_slot_after_its_deadline(
    harness: TranscriptionHarness, capsys: pytest.CaptureFixture[str], has_started: bool
) -> None:
    harness.open_session()
    for utterance in ("u1", "u2"):
        harness.send_utterance(utterance)
    if has_started:
        for event in harness.events:
            harness.start(event)
    harness.clock.now_ms += 14_999 if has_started else 19_999
    assert harness.send_utterance("u3")["code"] == "BUSY"
    assert "utterances_lost" not in capsys.readouterr().out
    harness.clock.now_ms += 1
    assert harness.send_utterance("u1", 2)["type"] == "accepted"
    assert [state.name for state in harness.session().list_in_progress()] == ["u1"]
    assert [state.failures for state in harness.session().utterances] == [1, 1]
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(line["lost"], line["level"]) for line in lines if line["message"] == "utterances_lost"] == [(2, "ERROR")]
    assert harness.process_event(harness.events[0]) is None, "this invocation comes too late"


@pytest.mark.parametrize("steps", [HELLO, ((200, StreamFailureCode.REJECTED),)])
@pytest.mark.parametrize("is_next_processed", [None, False, True])
def test_an_attempt_that_lost_its_slot_has_failed_and_reports_it_unless_the_next_one_has_begun(
    harness: TranscriptionHarness, steps: tuple[Step, ...], is_next_processed: bool | None
) -> None:
    """The deadline of its slot was over while it ran. None means that the client has sent another utterance."""

    def send() -> None:
        harness.transcribe.before_open = lambda: None
        harness.clock.now_ms += 30_000
        harness.send_utterance(*(("u2", 1) if is_next_processed is None else ("u1", 2)))
        if is_next_processed:
            harness.transcribe.scripts.insert(0, HELLO)
            harness.process_event(harness.events[-1])
        harness.clock.now_ms -= 30_000

    harness.transcribe.before_open = send
    harness.process_utterance(*steps)
    ends = [(message["attempt"], message.get("retryable")) for message in harness.last_messages()]
    assert ends == {None: [(1, True)], False: [], True: [(2, None)]}[is_next_processed]
    held = [(state.name, state.attempt) for state in harness.session().list_in_progress()]
    assert held == {None: [("u2", 1)], False: [("u1", 2)], True: []}[is_next_processed]


@pytest.mark.parametrize("is_closed", [True, False], ids=["closed", "dead without notice"])
def test_after_a_reconnection_an_utterance_is_transcribed_again(harness: TranscriptionHarness, is_closed: bool) -> None:
    """API Gateway may notice late that a connection has ended, and accepts messages for it until then."""
    harness.transcribe.before_open = lambda: harness.clients.gone.update({"c1"} if is_closed else ())
    assert harness.process_utterance(*HELLO) is (AttemptEnd.GONE if is_closed else AttemptEnd.DONE)
    state = harness.session().find("u1")
    assert (state.has_slot, state.has_ended, state.failures) == (False, not is_closed, 0), (
        "a reconnection is no failure"
    )
    harness.open_session("c2")
    assert harness.send_utterance(attempt=2, connection="c2")["done"] is False
    harness.transcribe.scripts.append(HELLO)
    assert harness.process_event(harness.events[-1]) is AttemptEnd.DONE
    assert harness.captions("c2") == [("Hel", "partial"), ("Hello.", "final")]
    assert len(harness.messages("done", "c2")) == 1


def test_after_a_failed_invocation_the_next_attempt_takes_the_slot(harness: TranscriptionHarness) -> None:
    harness.open_session()
    harness.invocation_error = ReadTimeoutError(endpoint_url="https://somewhere")
    assert harness.send_utterance()["code"] == "UNAVAILABLE"
    assert harness.send_utterance("u2")["code"] == "UNAVAILABLE"
    harness.invocation_error = None
    assert harness.send_utterance(attempt=2)["type"] == "accepted"
    harness.transcribe.scripts.append(HELLO)
    assert harness.process_event(harness.events[0].model_copy(update={"attempt": 1})) is None, (
        "it was invoked, but late"
    )
    assert harness.process_event(harness.events[0]) is AttemptEnd.DONE


@pytest.mark.parametrize("lost", ["partial", "final", "done"])
def test_the_utterance_fails_if_a_final_cannot_be_posted_but_not_without_another_message(
    harness: TranscriptionHarness, capsys: pytest.CaptureFixture[str], lost: str
) -> None:
    def before_post(_connection: str, message: Any) -> None:
        kind = message.type if message.type != "caption" else "final" if message.final else "partial"
        if kind == lost:
            raise client_error("LimitExceededException")

    harness.clients.before_post = before_post
    if lost == "final":
        with pytest.raises(ClientError):
            harness.process_utterance(*HELLO)
        assert harness.messages("failed")[0]["retryable"] is True
    else:
        assert harness.process_utterance(*HELLO) is AttemptEnd.DONE
        assert harness.shown_lines() == ["Hello."]
        assert harness.send_utterance(attempt=2)["done"] is True
    assert harness.session().list_in_progress() == []
    line = json.loads(capsys.readouterr().out.splitlines()[0])
    events = {"partial": "partial_not_posted", "final": "utterance_broken", "done": "last_word_lost"}
    assert (line["message"], line["error_type"]) == (events[lost], "ClientError")


def test_a_session_remembers_only_its_last_utterances(harness: TranscriptionHarness) -> None:
    harness.open_session()
    session = harness.session()
    for number in range(2 * MAX_REMEMBERED_UTTERANCES):
        session = session.take_slot("running", 1, 0, 2).take_slot(f"u{number}", 1, 0, 2)
        session = session.start(f"u{number}", 1, 0).end(f"u{number}", 1, UtteranceStatus.DONE, 0)
    assert [state.name for state in session.list_in_progress()] == ["running"], "an attempt in progress stays"
    remembered = [state.name for state in session.utterances if state.has_ended]
    assert remembered == [f"u{number}" for number in range(MAX_REMEMBERED_UTTERANCES, 2 * MAX_REMEMBERED_UTTERANCES)]
