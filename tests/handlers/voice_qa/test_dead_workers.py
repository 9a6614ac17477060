"""Questions whose worker dies at any moment, or never starts: the client gets an error at the end of the time limit."""

import json
from collections.abc import Callable
from typing import Any, NoReturn
from unittest.mock import Mock

import pytest

from handlers.common.json_models import Message
from handlers.voice_qa.query_worker.agent.agent_types import AgentCode, AgentFailed
from handlers.voice_qa.query_worker.question_answering import AnswerOutcome
from handlers.voice_qa.question_item_updates import QuestionItem
from handlers.voice_qa.table_records import QuestionStatus
from handlers.voice_qa.websocket_messages import Answered, QueryFailed
from tests.handlers.common.aws.aws_failures import TRANSIENT_ERRORS, FailingTable, name_failure
from tests.handlers.voice_qa.query_worker.worker_harness import ERROR, HELLO, LIMIT_MS, QUERY, WORLD, WorkerHarness

NO_FAILURES: dict[str, list[dict[str, str]]] = {"batchItemFailures": []}
Patch = pytest.MonkeyPatch


def killed(*_: Any, **__: Any) -> NoReturn:
    """End the worker like a kill: no code of the worker may handle this exception."""
    raise SystemExit


def run_until_killed(worker: WorkerHarness) -> None:
    with pytest.raises(SystemExit):
        worker.call("call-x")


def never_starts(worker: WorkerHarness, monkeypatch: Patch) -> None:
    """Lambda loses the event, or discards it because it is too old."""


def before_the_attempt_begins(worker: WorkerHarness, monkeypatch: Patch) -> None:
    with monkeypatch.context() as kill:
        kill.setattr(QuestionItem, "begin", killed)
        run_until_killed(worker)


def while_the_agent_answers(worker: WorkerHarness, monkeypatch: Patch) -> None:
    worker.script_answer(HELLO, killed)
    run_until_killed(worker)


def before_the_answer_is_stored(worker: WorkerHarness, monkeypatch: Patch) -> None:
    worker.script_answer(HELLO)
    with monkeypatch.context() as kill:
        kill.setattr(worker.answers, "put", killed)
        run_until_killed(worker)


def before_the_question_is_ended(worker: WorkerHarness, monkeypatch: Patch) -> None:
    worker.script_answer(HELLO)
    with monkeypatch.context() as kill:
        kill.setattr(QuestionItem, "end", killed)
        run_until_killed(worker)


def while_the_table_fails(worker: WorkerHarness, monkeypatch: Patch) -> None:
    """The attempt fails and cannot be released."""
    worker.script_answer(ERROR)
    with monkeypatch.context() as failing:
        failing.setattr(QuestionItem, "release", Mock(side_effect=ERROR))
        with pytest.raises(Exception, match="ClientError"):
            worker.call("call-x")


def kill_at_post(worker: WorkerHarness, monkeypatch: Patch, message_type: type[Message]) -> None:
    with monkeypatch.context() as kill:
        post = worker.clients.post

        def post_or_die(connection: str, message: Message) -> bool:
            if isinstance(message, message_type):
                killed()
            return post(connection, message)

        kill.setattr(worker.clients, "post", post_or_die)
        run_until_killed(worker)


def before_the_answers_end_is_posted(worker: WorkerHarness, monkeypatch: Patch) -> None:
    worker.script_answer(HELLO)
    kill_at_post(worker, monkeypatch, Answered)


def before_the_failure_is_posted(worker: WorkerHarness, monkeypatch: Patch) -> None:
    worker.script_answer(AgentFailed(AgentCode.FAILED))
    kill_at_post(worker, monkeypatch, QueryFailed)


Death = Callable[[WorkerHarness, Patch], None]
DEATHS: list[Death] = [
    never_starts,
    before_the_attempt_begins,
    while_the_agent_answers,
    before_the_answer_is_stored,
    before_the_question_is_ended,
    while_the_table_fails,
    before_the_answers_end_is_posted,
    before_the_failure_is_posted,
]


@pytest.mark.parametrize("dies", DEATHS)
def test_the_client_of_a_dead_worker_gets_an_error_and_can_ask_again(
    worker: WorkerHarness, dies: Death, monkeypatch: Patch
) -> None:
    worker.ask()
    dies(worker, monkeypatch)
    assert worker.sent_messages("error") == worker.sent_messages("answered") == []
    worker.clock.now_ms += LIMIT_MS
    assert worker.check_time_limit() == NO_FAILURES
    [error] = worker.sent_messages("error")
    assert (error["code"], error["queryId"], error["retryable"]) == ("AGENT_FAILED", QUERY, True)
    assert worker.counted == 0
    assert worker.check_time_limit() == NO_FAILURES
    assert len(worker.sent_messages("error")) == 1, "a redelivered check repeats nothing"
    assert worker.ask(), "the client asks again"
    worker.script_answer(HELLO, WORLD)
    assert worker.call("call-y") in {AnswerOutcome.ANSWERED, AnswerOutcome.REPLAYED}
    assert worker.question.status is QuestionStatus.ANSWERED
    assert len(worker.sent_messages("answered")) == 1


@pytest.mark.parametrize("dies", DEATHS)
def test_a_late_retry_by_lambda_does_not_answer_a_question_that_has_failed(
    worker: WorkerHarness, dies: Death, monkeypatch: Patch
) -> None:
    worker.ask()
    dies(worker, monkeypatch)
    worker.clock.now_ms += LIMIT_MS
    worker.check_time_limit()
    assert worker.call("call-x") in {AnswerOutcome.NOTHING_TO_DO, AnswerOutcome.REPLAYED}


@pytest.mark.parametrize("dies", [never_starts, while_the_agent_answers])
def test_no_error_is_sent_before_the_time_limit(worker: WorkerHarness, dies: Death, monkeypatch: Patch) -> None:
    worker.ask()
    dies(worker, monkeypatch)
    worker.clock.now_ms += LIMIT_MS - 1
    worker.check_time_limit()
    assert worker.sent_messages("error") == []
    assert worker.question.status in {QuestionStatus.ACCEPTED, QuestionStatus.RUNNING}


def test_a_client_can_ask_again_even_if_the_check_was_lost(worker: WorkerHarness, monkeypatch: Patch) -> None:
    worker.ask()
    while_the_agent_answers(worker, monkeypatch)
    worker.clock.now_ms += LIMIT_MS + 10_000
    assert worker.ask()
    worker.script_answer(HELLO)
    assert worker.call("call-y") is AnswerOutcome.ANSWERED


def test_a_retry_by_lambda_answers_and_the_check_reports_nothing(worker: WorkerHarness, monkeypatch: Patch) -> None:
    worker.ask()
    while_the_agent_answers(worker, monkeypatch)
    worker.clock.now_ms += 60_000
    worker.script_answer(HELLO, WORLD)
    assert worker.call("call-x") is AnswerOutcome.ANSWERED
    worker.clock.now_ms += LIMIT_MS
    worker.check_time_limit()
    assert worker.sent_messages("error") == []


def test_a_dead_replay_is_reported_by_its_own_check_only(worker: WorkerHarness, monkeypatch: Patch) -> None:
    worker.answer_question(HELLO)
    worker.clock.now_ms += LIMIT_MS - 1
    assert worker.ask(), "the client asks for the stored answer"
    kill_at_post(worker, monkeypatch, Answered)
    worker.check_time_limit(call=1)
    assert worker.sent_messages("error") == []
    worker.check_time_limit(call=2)
    assert [error["retryable"] for error in worker.sent_messages("error")] == [True]


def test_a_slow_worker_posts_nothing_after_the_error(worker: WorkerHarness) -> None:
    worker.ask()
    worker.script_answer(HELLO, worker.wait(LIMIT_MS), worker.check_time_limit, WORLD)
    assert worker.call() is AnswerOutcome.NO_LONGER_RUNNING
    assert [message["type"] for message in worker.clients.inbox["c1"]] == ["text", "error"]


def test_a_check_of_an_earlier_request_leaves_a_newer_attempt_alone(worker: WorkerHarness) -> None:
    worker.answer_question(AgentFailed(AgentCode.FAILED))
    worker.clock.now_ms += LIMIT_MS
    worker.ask()
    worker.script_answer(HELLO, worker.check_time_limit, WORLD)
    assert worker.call() is AnswerOutcome.ANSWERED
    assert len(worker.sent_messages("error")) == 1, "only the agent's failure"


@pytest.mark.parametrize("failing", ["get_item", "update_item", "post"])
@pytest.mark.parametrize("error", TRANSIENT_ERRORS, ids=name_failure)
def test_a_check_retries_transient_failures(
    worker: WorkerHarness, error: Exception, failing: str, monkeypatch: Patch
) -> None:
    worker.ask()
    worker.clock.now_ms += LIMIT_MS
    if failing == "post":
        worker.clients.failures = [error]
    else:
        FailingTable(worker.dynamodb, monkeypatch).fail(error, failing, times=1)
    begun_ms = worker.clock.now_ms
    assert worker.check_time_limit() == NO_FAILURES
    assert len(worker.sent_messages("error")) == 1
    assert worker.clock.now_ms - begun_ms < 5_000


def test_a_check_that_fails_for_too_long_is_redelivered(worker: WorkerHarness) -> None:
    worker.ask()
    worker.clock.now_ms += LIMIT_MS
    worker.clients.failures = [ERROR] * 100
    assert worker.check_time_limit() == {"batchItemFailures": [{"itemIdentifier": "check-1"}]}
    worker.clients.failures = []
    assert worker.check_time_limit() == NO_FAILURES
    assert len(worker.sent_messages("error")) == 1


def test_the_error_goes_to_the_connection_that_asked_last(worker: WorkerHarness, monkeypatch: Patch) -> None:
    worker.ask("c1")
    while_the_agent_answers(worker, monkeypatch)
    assert not worker.ask("c2"), "a worker seems to be running"
    worker.clock.now_ms += LIMIT_MS
    worker.check_time_limit()
    assert (len(worker.sent_messages("error", "c1")), len(worker.sent_messages("error", "c2"))) == (0, 1)


@pytest.mark.parametrize("gone", [set[str](), {"c1"}], ids=["connected", "disconnected"])
def test_an_overdue_question_is_logged_without_its_content(
    worker: WorkerHarness, gone: set[str], capsys: pytest.CaptureFixture[str]
) -> None:
    worker.ask()
    worker.clients.gone |= gone
    worker.clock.now_ms += LIMIT_MS
    worker.check_time_limit()
    output = capsys.readouterr().out
    assert [line["outcome"] for line in worker.logged(output, "query_overdue")] == ["failed"]
    assert "anary" not in output
    assert len(worker.sent_messages("error")) == (0 if gone else 1)


@pytest.mark.parametrize("body", ["", "{}", '{"schemaVersion": 1, "guestId": "canary", "queryId": "canary-q"}', "[]"])
def test_an_invalid_check_is_redelivered_and_its_content_is_not_logged(
    worker: WorkerHarness, body: str, capsys: pytest.CaptureFixture[str], monkeypatch: Patch
) -> None:
    monkeypatch.setattr("handlers.voice_qa.table_records.TimeLimitCheck.model_dump_json", lambda *_, **__: body)
    assert worker.check_time_limit() == {"batchItemFailures": [{"itemIdentifier": "check-1"}]}
    output = capsys.readouterr().out
    assert [json.loads(line)["message"] for line in output.splitlines()] == ["message_refused", "time_limit_batch"]
    assert "canary" not in output
