"""Questions whose worker dies at any moment, or never starts.

The worker is stopped before or after each of its effects: AWS calls, posts, and the request to the agent. The client
then gets an end of its question, at the latest from the time limit check, and asks again until it has the answer.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from itertools import count
from typing import Any, NoReturn

import pytest
from botocore.client import BaseClient

from handlers.voice_qa.query_worker.handler import AnsweringFailed, AnswerOutcome
from handlers.voice_qa.records import QuestionStatus
from tests.handlers.common.fakes import Clients, MemoryDynamoDb
from tests.handlers.voice_qa.query_worker.worker_harness import (
    AUDIO,
    AWS_ERROR,
    INTERRUPTED,
    TEXT,
    ScriptedAgent,
    Step,
    WorkerHarness,
)
from tests.handlers.voice_qa.socket_harness import LIMIT_MS, NO_FAILURES

EFFECTS = [
    *((MemoryDynamoDb, "get_item"), (MemoryDynamoDb, "put_item"), (BaseClient, "_make_api_call")),
    *((Clients, "post"), (ScriptedAgent, "answer")),
]


def kill() -> NoReturn:
    """End the worker with an exception that no code of the worker handles."""
    raise SystemExit


def fail() -> NoReturn:
    """Raise an error without the traceback of its earlier uses, which would be logged each time."""
    raise AWS_ERROR.with_traceback(None)


@contextmanager
def stopped_at(point: int, stop: Callable[[], NoReturn], *, lasting: bool = False) -> Iterator[list[int]]:
    """Stop the worker at a point: before an effect if the number is even, or after it. `lasting` also stops it at all
    later points. Return the list of points at which it was stopped.
    """
    points, stopped = count(), list[int]()

    def wrap(effect: Callable[..., Any]) -> Callable[..., Any]:
        def run(*arguments: Any, **options: Any) -> Any:
            stop_if_due()
            result = effect(*arguments, **options)
            stop_if_due()
            return result

        return run

    def stop_if_due() -> None:
        number = next(points)
        if number == point or (lasting and number > point):
            stopped.append(number)
            stop()

    with pytest.MonkeyPatch.context() as patched:
        for owner, name in EFFECTS:
            patched.setattr(owner, name, wrap(getattr(owner, name)))
        yield stopped


def ends(worker: WorkerHarness) -> list[dict[str, Any]]:
    """Return the messages about the end of the question."""
    return [*worker.sent_messages("answered"), *worker.sent_messages("error")]


@pytest.mark.parametrize(
    ("stop", "lasting"),
    [
        pytest.param(kill, False, id="killed"),
        pytest.param(fail, False, id="fails"),
        pytest.param(fail, True, id="down"),
    ],
)
@pytest.mark.parametrize("course", ["answer", "failure"])
def test_the_client_of_a_dead_worker_gets_an_error_and_can_ask_again(
    worker: WorkerHarness, course: str, stop: Callable[[], NoReturn], *, lasting: bool
) -> None:
    script: tuple[Step, ...] = (TEXT, INTERRUPTED) if course == "failure" else (TEXT, AUDIO)
    # To be killed after an effect is to be killed before the next one.
    for point in count(step=2 if stop is kill else 1):
        worker.query_id = f"question-{course}-{point}"
        worker.clients.inbox.clear()
        worker.agent.scripts.clear()
        worker.ask()
        with stopped_at(point, stop, lasting=lasting) as stopped, suppress(SystemExit, AnsweringFailed):
            worker.invoke(*script)
        if not stopped:
            break
        if not worker.question.has_ended:
            assert stop is kill or lasting, "after a single failure, the client is told at once"
            worker.clock.now_ms += LIMIT_MS
        assert stop is kill or lasting or ends(worker)
        assert worker.check_time_limit() == NO_FAILURES
        last = ends(worker)[-1]
        assert last["type"] == "answered" or last["retryable"], f"stopped at point {point}"
        told = len(ends(worker))
        assert worker.check_time_limit() == NO_FAILURES
        assert len(ends(worker)) == told, "a redelivered check sends no second error"
        worker.clients.inbox.clear()
        worker.agent.scripts.clear()
        if worker.ask():
            assert worker.invoke(TEXT) is AnswerOutcome.ANSWERED
            assert [message["type"] for message in worker.clients.inbox["c1"]] == ["text", "answered"]
        assert worker.question.status is QuestionStatus.ANSWERED
        assert worker.question.pieces_key is not None, "the client gets the answer when it asks again"
    assert point >= 14, "each call of the worker was a point"


def test_a_worker_that_exceeds_the_time_limit_posts_nothing_after_the_error(worker: WorkerHarness) -> None:
    stop = partial(pytest.fail, "the rest of the answer is not read")
    script = (TEXT, worker.wait(LIMIT_MS), worker.check_time_limit, TEXT, stop)
    assert worker.answer_question(*script) is AnswerOutcome.OVERTAKEN
    assert [message["type"] for message in worker.clients.inbox["c1"]] == ["text", "error"]
    assert worker.turns == [], "the answer is not added to the conversation"


def test_a_worker_that_was_overtaken_does_not_disturb_the_next_attempt(worker: WorkerHarness) -> None:
    def ask_again() -> None:
        worker.clock.now_ms += LIMIT_MS
        worker.check_time_limit()
        worker.answer_question(TEXT, AUDIO)

    assert worker.answer_question(TEXT, ask_again, TEXT, AUDIO, TEXT) is AnswerOutcome.OVERTAKEN
    pieces = [(message["attempt"], message["number"]) for message in worker.clients.inbox["c1"] if "number" in message]
    assert pieces == [(1, 0), (2, 0), (2, 1)]
    assert str(worker.question.pieces_key).endswith(".2.jsonl"), "the stored answer is kept"
