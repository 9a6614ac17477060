"""Questions whose worker dies at any moment, or never starts.

An attempt is one try of a worker to answer a question. Until the time at which it must end, only a retry by Lambda can
begin another attempt: an equal request id proves that the earlier invocation has died. `worker.ask` stores a request
for the question, and returns True if a worker must be invoked.

A time limit check is a delayed message for each invocation of the worker. When the WebSocket handler receives it, the
client of a question that has not ended gets an error.
"""

import json
from collections.abc import Callable
from typing import Any, NoReturn
from unittest.mock import Mock

import pytest

from handlers.common.json_models import Message
from handlers.common.versioned_items import VersionedItems
from handlers.voice_qa.query_worker.agent_protocol import AgentFailed
from handlers.voice_qa.query_worker.agent_question_processing import AnswerOutcome
from handlers.voice_qa.query_worker.environment import AgentCode
from handlers.voice_qa.query_worker.handler import AnsweringFailed
from handlers.voice_qa.question_item_updates import QuestionItem
from handlers.voice_qa.table_records import QuestionStatus
from handlers.voice_qa.websocket_messages import Answered, QueryFailed
from tests.handlers.common.aws_failures import DynamoDbFailures
from tests.handlers.voice_qa.query_worker.worker_harness import (
    AWS_ERROR,
    LIMIT_MS,
    MORE_TEXT,
    QUERY_ID,
    TEXT,
    WorkerHarness,
)

NO_FAILURES: dict[str, list[dict[str, str]]] = {"batchItemFailures": []}
REQUEST_ID, NEW_REQUEST_ID = "call-x", "call-y"
"""Request ids of the invocation that dies and of its retry by Lambda, and of a new invocation."""
Patch = pytest.MonkeyPatch


def kill(*_: Any, **__: Any) -> NoReturn:
    """End the worker with an exception that no code of the worker handles."""
    raise SystemExit


def run_until_killed(worker: WorkerHarness) -> None:
    with pytest.raises(SystemExit):
        worker.invoke(REQUEST_ID)


def lose_the_invocation(worker: WorkerHarness, monkeypatch: Patch) -> None:
    """Lambda loses the event, or discards it because it is too old."""


def die_before_the_attempt(worker: WorkerHarness, monkeypatch: Patch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(QuestionItem, "begin", kill)
        run_until_killed(worker)


def die_during_the_answer(worker: WorkerHarness, monkeypatch: Patch) -> None:
    worker.script_answer(TEXT, kill)
    run_until_killed(worker)


def die_before_storing_the_answer(worker: WorkerHarness, monkeypatch: Patch) -> None:
    worker.script_answer(TEXT)
    with monkeypatch.context() as patched:
        patched.setattr(worker.answers, "put", kill)
        run_until_killed(worker)


def die_before_ending_the_question(worker: WorkerHarness, monkeypatch: Patch) -> None:
    worker.script_answer(TEXT)
    with monkeypatch.context() as patched:
        patched.setattr(QuestionItem, "end", kill)
        run_until_killed(worker)


def fail_to_write_the_table(worker: WorkerHarness, monkeypatch: Patch) -> None:
    """Fail an attempt that can neither end its question nor release it for another attempt."""
    with monkeypatch.context() as patched:
        worker.script_answer(TEXT, lambda: patched.setattr(VersionedItems, "change", Mock(side_effect=AWS_ERROR)))
        with pytest.raises(AnsweringFailed):
            worker.invoke(REQUEST_ID)


def kill_at_post(worker: WorkerHarness, monkeypatch: Patch, message_type: type[Message]) -> None:
    """Invoke the worker, and kill it when it posts a message of this type."""
    with monkeypatch.context() as patched:
        post = worker.clients.post

        def post_or_die(connection: str, message: Message) -> bool:
            if isinstance(message, message_type):
                kill()
            return post(connection, message)

        patched.setattr(worker.clients, "post", post_or_die)
        run_until_killed(worker)


def die_before_posting_the_end(worker: WorkerHarness, monkeypatch: Patch) -> None:
    worker.script_answer(TEXT)
    kill_at_post(worker, monkeypatch, Answered)


def die_before_posting_the_failure(worker: WorkerHarness, monkeypatch: Patch) -> None:
    worker.script_answer(AgentFailed(AgentCode.FAILED))
    kill_at_post(worker, monkeypatch, QueryFailed)


WorkerDeath = Callable[[WorkerHarness, Patch], None]
WORKER_DEATHS: list[WorkerDeath] = [
    lose_the_invocation,
    die_before_the_attempt,
    die_during_the_answer,
    die_before_storing_the_answer,
    die_before_ending_the_question,
    fail_to_write_the_table,
    die_before_posting_the_end,
    die_before_posting_the_failure,
]


@pytest.mark.parametrize("die", WORKER_DEATHS)
def test_the_client_of_a_dead_worker_gets_an_error_and_can_ask_again(
    worker: WorkerHarness, die: WorkerDeath, monkeypatch: Patch
) -> None:
    worker.ask()
    die(worker, monkeypatch)
    assert worker.sent_messages("error") == worker.sent_messages("answered") == []
    worker.clock.now_ms += LIMIT_MS
    assert worker.check_time_limit() == NO_FAILURES
    [error] = worker.sent_messages("error")
    assert (error["code"], error["queryId"], error["retryable"]) == ("AGENT_FAILED", QUERY_ID, True)
    assert worker.running_question_count == 0
    assert worker.check_time_limit() == NO_FAILURES
    assert len(worker.sent_messages("error")) == 1, "a redelivered check sends no second error"
    assert worker.ask(), "the client asks again"
    worker.script_answer(TEXT, MORE_TEXT)
    # The worker sends the stored answer again (REPLAYED) if it died after it had stored the answer.
    assert worker.invoke(NEW_REQUEST_ID) in {AnswerOutcome.ANSWERED, AnswerOutcome.REPLAYED}
    assert worker.question.status is QuestionStatus.ANSWERED
    assert len(worker.sent_messages("answered")) == 1


@pytest.mark.parametrize("die", WORKER_DEATHS)
def test_a_retry_by_lambda_after_the_time_limit_starts_no_attempt(
    worker: WorkerHarness, die: WorkerDeath, monkeypatch: Patch
) -> None:
    worker.ask()
    die(worker, monkeypatch)
    worker.clock.now_ms += LIMIT_MS
    worker.check_time_limit()
    assert worker.invoke(REQUEST_ID) in {AnswerOutcome.NOTHING_TO_DO, AnswerOutcome.REPLAYED}


@pytest.mark.parametrize("die", [lose_the_invocation, die_during_the_answer])
def test_no_error_is_sent_before_the_time_limit(worker: WorkerHarness, die: WorkerDeath, monkeypatch: Patch) -> None:
    worker.ask()
    die(worker, monkeypatch)
    worker.clock.now_ms += LIMIT_MS - 1
    worker.check_time_limit()
    assert worker.sent_messages("error") == []
    assert worker.question.status in {QuestionStatus.ACCEPTED, QuestionStatus.RUNNING}


def test_a_client_can_ask_again_even_if_the_check_was_lost(worker: WorkerHarness, monkeypatch: Patch) -> None:
    worker.ask()
    die_during_the_answer(worker, monkeypatch)
    worker.clock.now_ms += LIMIT_MS + 10_000
    assert worker.ask()
    worker.script_answer(TEXT)
    assert worker.invoke(NEW_REQUEST_ID) is AnswerOutcome.ANSWERED


@pytest.mark.parametrize("die", [die_during_the_answer, fail_to_write_the_table])
def test_a_retry_by_lambda_answers_after_two_dead_attempts(
    worker: WorkerHarness, die: WorkerDeath, monkeypatch: Patch
) -> None:
    worker.ask()
    for _ in range(2):
        die(worker, monkeypatch)
        worker.clock.now_ms += 60_000
    assert worker.question.status is QuestionStatus.RUNNING
    assert worker.invoke(NEW_REQUEST_ID) is AnswerOutcome.NOTHING_TO_DO, (
        "only a retry by Lambda shows that the attempt has died"
    )
    worker.script_answer(TEXT, MORE_TEXT)
    assert worker.invoke(REQUEST_ID) is AnswerOutcome.ANSWERED
    assert worker.clients.attempts_and_numbers("c1")[-2:] == [(3, 0), (3, 1)]
    assert (worker.question.status, worker.running_question_count) == (QuestionStatus.ANSWERED, 0)
    worker.clock.now_ms += LIMIT_MS
    worker.check_time_limit()
    assert (len(worker.sent_messages("answered")), worker.sent_messages("error")) == (1, [])


def test_a_worker_that_dies_while_sending_a_stored_answer_is_reported_by_its_own_check_only(
    worker: WorkerHarness, monkeypatch: Patch
) -> None:
    worker.answer_question(TEXT)
    worker.clock.now_ms += LIMIT_MS - 1
    assert worker.ask(), "the client asks for the stored answer"
    kill_at_post(worker, monkeypatch, Answered)
    worker.check_time_limit(call=1)
    assert worker.sent_messages("error") == []
    worker.check_time_limit(call=2)
    assert [error["retryable"] for error in worker.sent_messages("error")] == [True]


def test_a_worker_that_exceeds_the_time_limit_posts_nothing_after_the_error(worker: WorkerHarness) -> None:
    worker.ask()
    worker.script_answer(TEXT, worker.delay_step(LIMIT_MS), worker.check_time_limit, MORE_TEXT)
    assert worker.invoke() is AnswerOutcome.NO_LONGER_RUNNING
    assert [message["type"] for message in worker.clients.inbox["c1"]] == ["text", "error"]


def test_the_check_of_an_earlier_request_does_not_end_a_newer_attempt(worker: WorkerHarness) -> None:
    worker.answer_question(AgentFailed(AgentCode.FAILED))
    worker.clock.now_ms += LIMIT_MS
    worker.ask()
    worker.script_answer(TEXT, lambda: worker.check_time_limit(call=1), MORE_TEXT)
    assert worker.invoke() is AnswerOutcome.ANSWERED
    assert len(worker.sent_messages("error")) == 1, "the error of the first attempt"


@pytest.mark.parametrize("failing_operation", ["get_item", "update_item", "post"])
def test_a_check_that_fails_is_redelivered(worker: WorkerHarness, failing_operation: str, monkeypatch: Patch) -> None:
    worker.ask()
    worker.clock.now_ms += LIMIT_MS
    if failing_operation == "post":
        worker.clients.failures = [AWS_ERROR]
    else:
        DynamoDbFailures(worker.dynamodb, monkeypatch).fail(AWS_ERROR, failing_operation, times=1)
    assert worker.check_time_limit() == {"batchItemFailures": [{"itemIdentifier": "check-1"}]}
    assert worker.check_time_limit() == NO_FAILURES
    assert len(worker.sent_messages("error")) == 1


def test_the_error_goes_to_the_connection_that_asked_last(worker: WorkerHarness, monkeypatch: Patch) -> None:
    worker.ask("c1")
    die_during_the_answer(worker, monkeypatch)
    assert not worker.ask("c2"), "no new worker is invoked, because the dead one seems to be running"
    worker.clock.now_ms += LIMIT_MS
    worker.check_time_limit()
    assert (len(worker.sent_messages("error", "c1")), len(worker.sent_messages("error", "c2"))) == (0, 1)


@pytest.mark.parametrize("disconnected", [set[str](), {"c1"}], ids=["connected", "disconnected"])
def test_an_overdue_question_is_logged_without_its_content(
    worker: WorkerHarness, disconnected: set[str], capsys: pytest.CaptureFixture[str]
) -> None:
    worker.ask()
    worker.clients.gone |= disconnected
    worker.clock.now_ms += LIMIT_MS
    worker.check_time_limit()
    output = capsys.readouterr().out
    assert [line["outcome"] for line in worker.log_lines(output, "query_overdue")] == ["failed"]
    assert "anary" not in output, '"canary" or "Canary" marks content that must not be logged'
    assert len(worker.sent_messages("error")) == (0 if disconnected else 1)


@pytest.mark.parametrize("body", ["", "{}", '{"schemaVersion": 1, "guestId": "canary", "queryId": "canary-q"}', "[]"])
def test_an_invalid_check_is_redelivered_and_its_content_is_not_logged(
    worker: WorkerHarness, body: str, capsys: pytest.CaptureFixture[str], monkeypatch: Patch
) -> None:
    monkeypatch.setattr("handlers.voice_qa.table_records.TimeLimitCheck.model_dump_json", lambda *_, **__: body)
    assert worker.check_time_limit() == {"batchItemFailures": [{"itemIdentifier": "check-1"}]}
    output = capsys.readouterr().out
    assert [json.loads(line)["message"] for line in output.splitlines()] == ["message_failed", "time_limit_batch"]
    assert "canary" not in output
