"""The findings of a window come from one answer of the model, even if its message is repeated; no text is logged."""

import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from handlers.common.aws.service_faults import ServiceFailed, ServiceFault
from handlers.common.bedrock.json_answers import AnswerJsonProblem
from handlers.common.text.text_windows import WindowSizes
from handlers.livestream.fact_check_agent.model_answer import AnswerProblem
from handlers.livestream.fact_check_agent.model_request import MemoryEvent
from handlers.livestream.fact_check_agent.transcript_window_analysis import (
    InvalidWindowMessage,
    WindowCountMismatch,
    WindowOutcome,
)
from handlers.livestream.fact_claim_verdict import Verdict
from handlers.livestream.findings_table import FindingsTable, WindowFailure
from handlers.livestream.track_processing_states import ContentType, ExpectedUpload, TrackKind
from handlers.livestream.transcript_window_queue import WindowMessage, window_messages
from tests.handlers.livestream.fact_check_agent.fake_agent_services import (
    EPISODE,
    KEY,
    OWNER,
    RECALLED,
    REMAINING_MS,
    SIZES,
    UPLOAD,
    FakeMemory,
    FakeModel,
    FakeTranscripts,
    WorkerHarness,
    answer_with,
    bodies,
    claim,
    lines,
)
from tests.handlers.livestream.rest_api_harness import TABLE, ApiHarness

FERRIES = claim("We ran 600 ferries", verdict="refuted", confidence=0.9, sources=[RECALLED.event_id])
LARGEST = claim("the largest fleet that ever was")
CLIP = {"startMs": 0, "endMs": 12_000, "title": "canary", "reason": "canary"}


def handle(harness: WorkerHarness, body: str | None = None, remaining_ms: int = REMAINING_MS) -> WindowOutcome:
    return harness.worker().handle(body or bodies()[0], remaining_ms)


def failure(harness: WorkerHarness) -> WindowFailure | None:
    result: WindowFailure | None
    (result,) = harness.findings.outcomes.values()
    return result


def test_a_window_is_analyzed_with_memories_and_its_findings_are_stored_and_remembered() -> None:
    harness = WorkerHarness(model=FakeModel([answer_with(FERRIES, claim("we sold ferries"), clips=[CLIP])]))
    harness.memory.recalled = [RECALLED]
    assert handle(harness) is WindowOutcome.CHECKED
    (result,) = harness.findings.claims.values()
    assert (result.quote, result.verdict, result.start_ms) == ("We ran 600 ferries", Verdict.REFUTED, 0)
    (clip,) = harness.findings.clips.values()
    assert (clip.start_ms, clip.end_ms) == (0, 12_000)
    assert failure(harness) is None
    [(window_id, (actor, session, request, answered))] = harness.memory.recorded.items()
    assert (actor, session) == (OWNER, EPISODE)
    assert window_id == WindowMessage.model_validate_json(bodies()[0]).window_id
    assert request.startswith("Part 1 of 2 of the broadcast:\nWe ran 600 ferries last spring.")
    assert "islands" not in request, "the overlap is remembered with the next window"
    checked, cut = (json.loads(line) for line in answered.split("\n"))
    assert (checked["verdict"], checked["quote"], cut["endMs"]) == ("refuted", "We ran 600 ferries", 12_000)
    assert "we sold ferries" not in answered


def test_a_window_without_findings_is_remembered_too() -> None:
    harness = WorkerHarness()
    handle(harness)
    ((*_, answered),) = harness.memory.recorded.values()
    assert answered


def test_a_finished_window_is_not_analyzed_again() -> None:
    harness = WorkerHarness(model=FakeModel([answer_with(FERRIES)]))
    assert [handle(harness), handle(harness)] == [WindowOutcome.CHECKED, WindowOutcome.ALREADY_DONE]
    assert len(harness.model.requests) == 1


@pytest.mark.parametrize("calls", range(10))
def test_an_interrupted_window_has_the_findings_of_one_answer_only(harness: ApiHarness, calls: int) -> None:
    """The worker is interrupted after each number of DynamoDB calls.

    The model answers the second request differently.
    """
    first_answer = answer_with(FERRIES, claim("last spring"), clips=[CLIP])
    worker_harness = WorkerHarness(model=FakeModel([first_answer, answer_with(claim("600 ferries last spring"))]))
    harness.new_id = lambda: EPISODE  # type: ignore[method-assign]
    harness.create_episode(owner=None)
    upload = ExpectedUpload(upload_id=UPLOAD, content_type=ContentType.SUBRIP, size=1)
    harness.table.request_upload(OWNER, EPISODE, TrackKind.TRANSCRIPT, upload, "1")
    worker_harness.findings = FindingsTable(harness.dynamodb, TABLE, lambda: harness.now)
    worker = worker_harness.worker()
    successful_calls = iter([None] * calls)

    def fail_after_calls(**_: Any) -> None:
        if next(successful_calls, RuntimeError) is RuntimeError:
            raise RuntimeError("canary")

    harness.dynamodb.meta.events.register("before-call.dynamodb", fail_after_calls)
    with suppress(RuntimeError):
        worker.handle(bodies()[0], REMAINING_MS)
    harness.dynamodb.meta.events.unregister("before-call.dynamodb", fail_after_calls)
    worker.handle(bodies()[0], REMAINING_MS)
    listed_claims = harness.call("listClaims", episode_id=EPISODE, owner=None).body["claims"]
    quotes = {listed_claim["quote"] for listed_claim in listed_claims}
    assert quotes in ({"We ran 600 ferries", "last spring"}, {"600 ferries last spring"})


def test_storing_findings_is_retried_after_a_transient_error() -> None:
    harness = WorkerHarness(model=FakeModel([answer_with(FERRIES)]))
    harness.findings.faults = [ServiceFault.UNAVAILABLE, ServiceFault.UNAVAILABLE]
    assert handle(harness) is WindowOutcome.CHECKED
    assert (len(harness.findings.claims), len(harness.model.requests), len(harness.waits)) == (1, 1, 2)


def test_memories_of_an_earlier_upload_are_no_source() -> None:
    given_up = window_messages(OWNER, EPISODE, KEY.replace("Y.srt", "W.srt"), "v1", 2, SIZES)
    recalled = [MemoryEvent(f"{at}#a", "We ran 600 ferries.", message.window_id) for at, message in enumerate(given_up)]
    founded = claim("We ran 600 ferries", verdict="supported", sources=[event.event_id for event in recalled])
    harness = WorkerHarness(model=FakeModel([answer_with(founded)]), memory=FakeMemory(recalled))
    handle(harness)
    assert not [line for line in lines(harness.model.requests[0]) if "memory" in line]
    (result,) = harness.findings.claims.values()
    assert (result.verdict, result.sources) == (Verdict.UNVERIFIED, ())


def text(what: str) -> Callable[[dict[str, Any]], str]:
    return lambda _: what


@pytest.mark.parametrize(
    ("bad", "problem"),
    [
        (text("I would rather not, canary."), AnswerJsonProblem.NO_JSON),
        (answer_with(FERRIES, window="another"), AnswerProblem.OTHER_WINDOW),
        (answer_with({"quote": "canary"}), AnswerProblem.BAD_ITEM),
        ((answer_with(FERRIES), "max_tokens"), AnswerProblem.CUT_OFF),
    ],
)
def test_an_unusable_answer_is_requested_once_more(bad: Any, problem: AnswerProblem) -> None:
    harness = WorkerHarness(model=FakeModel([bad, answer_with(FERRIES)]))
    assert handle(harness) is WindowOutcome.CHECKED
    assert len(harness.findings.claims) == 1
    repair = harness.model.requests[1]["messages"][-1]["content"][-1]["text"]
    assert problem.value in repair
    assert "canary" not in repair

    harness = WorkerHarness(model=FakeModel([bad]))
    assert handle(harness) is WindowOutcome.FAILED
    assert failure(harness) is WindowFailure.UNUSABLE_ANSWER
    assert len(harness.model.requests) == 2
    assert (harness.findings.claims, harness.memory.recorded) == ({}, {})


def test_malformed_claims_of_the_second_answer_are_skipped() -> None:
    harness = WorkerHarness(model=FakeModel([answer_with({"quote": "x"}, FERRIES)]))
    assert handle(harness) is WindowOutcome.CHECKED
    assert (len(harness.findings.claims), len(harness.model.requests)) == (1, 2)


@pytest.mark.parametrize(
    ("stop", "expected"),
    [
        ("guardrail_intervened", WindowFailure.GUARDRAIL),
        ("content_filtered", WindowFailure.FILTERED),
        ("model_context_window_exceeded", WindowFailure.TOO_LARGE),
    ],
)
def test_a_blocked_or_oversized_request_is_not_repeated(stop: str, expected: WindowFailure) -> None:
    harness = WorkerHarness(model=FakeModel([(answer_with(FERRIES), stop)]))
    assert handle(harness) is WindowOutcome.FAILED
    assert failure(harness) is expected
    assert len(harness.model.requests) == 1


@pytest.mark.parametrize(
    ("objects", "expected"),
    [
        ({}, WindowFailure.TRANSCRIPT_GONE),
        ({(KEY, "v2"): b"Hi there."}, WindowFailure.TRANSCRIPT_GONE),
        ({(KEY, "v1"): b"\xff\xfe"}, WindowFailure.TRANSCRIPT_UNREADABLE),
    ],
)
def test_a_window_without_a_readable_transcript_is_stored_as_failed(
    objects: dict[tuple[str, str], bytes], expected: WindowFailure
) -> None:
    harness = WorkerHarness(transcripts=FakeTranscripts(objects))
    assert handle(harness) is WindowOutcome.FAILED
    assert failure(harness) is expected
    assert not harness.model.requests


@pytest.mark.parametrize("count", [1, 3])
def test_a_different_window_count_raises_and_stores_no_failure(count: int) -> None:
    """SQS delivers the message again, so a corrected deployment can process it."""
    harness = WorkerHarness()
    with pytest.raises(WindowCountMismatch):
        handle(harness, bodies(count=count)[0])
    assert (harness.findings.outcomes, harness.model.requests) == ({}, [])
    assert handle(harness, bodies(sizes=WindowSizes(1_000, 60_000, 10), count=1)[0]) is WindowOutcome.CHECKED


def test_a_throttled_call_is_retried_after_a_pause() -> None:
    harness = WorkerHarness(model=FakeModel([ServiceFault.THROTTLED, ServiceFault.UNAVAILABLE, answer_with(FERRIES)]))
    harness.memory.faults = [ServiceFault.THROTTLED]
    assert handle(harness) is WindowOutcome.CHECKED
    assert harness.waits == [0.5, 0.5, 1]


def test_an_error_that_outlasts_the_time_returns_the_message_to_the_queue() -> None:
    harness = WorkerHarness(model=FakeModel([ServiceFault.THROTTLED]))
    with pytest.raises(ServiceFailed):
        handle(harness)
    assert harness.at <= 1_000 + REMAINING_MS / 1000 - 58, "every retry had enough time for an answer"
    assert not harness.findings.outcomes
    assert not harness.memory.recorded


def test_the_setting_decides_the_time_for_an_answer() -> None:
    slow = WorkerHarness(answer_seconds=112)
    with pytest.raises(ServiceFailed):
        handle(slow, remaining_ms=119_000)
    assert not slow.model.requests
    assert handle(WorkerHarness(answer_seconds=110), remaining_ms=119_000) is WindowOutcome.CHECKED


def test_a_permanent_error_returns_the_message_at_once() -> None:
    harness = WorkerHarness(model=FakeModel([ServiceFault.REFUSED]))
    with pytest.raises(ServiceFailed):
        handle(harness)
    assert (len(harness.model.requests), harness.waits, harness.findings.outcomes) == (1, [], {})


def test_findings_are_not_stored_before_the_memory_has_the_window() -> None:
    harness = WorkerHarness(model=FakeModel([answer_with(FERRIES)]))
    harness.memory.faults = [None, ServiceFault.REFUSED]
    with pytest.raises(ServiceFailed):
        handle(harness)
    assert not harness.findings.claims


@pytest.mark.parametrize("body", ["", "canary", "{}", '{"schemaVersion": 1, "owner": "canary"}', "[]"])
def test_an_invalid_message_raises_without_quoting_it(body: str) -> None:
    with pytest.raises(InvalidWindowMessage) as caught:
        handle(WorkerHarness(), body or " ")
    assert caught.value.__context__ is None
    assert "canary" not in str(caught.value)


def test_only_the_failed_message_of_a_batch_returns() -> None:
    harness = WorkerHarness(model=FakeModel([ServiceFault.REFUSED, answer_with(LARGEST)]))
    records = [{"messageId": f"m{at}", "body": body} for at, body in enumerate([*bodies(), "canary"])]
    answer = harness.worker().handle_batch({"Records": records}, lambda: REMAINING_MS)
    assert answer == {"batchItemFailures": [{"itemIdentifier": "m0"}, {"itemIdentifier": "m2"}]}
    assert len(harness.findings.outcomes) == 1


def test_the_tokens_of_every_answer_are_logged_but_no_text(capsys: pytest.CaptureFixture[str]) -> None:
    harness = WorkerHarness(
        model=FakeModel(
            [text("canary"), answer_with(FERRIES, claim("canary fleet"), clips=[CLIP, {**CLIP, "startMs": 1_000_000}])]
        )
    )
    harness.memory.recalled = [RECALLED, MemoryEvent("1#c", "canary")]
    records = [{"messageId": "m", "body": bodies()[0]}, {"messageId": "n", "body": '{"canary": 1}'}]
    harness.worker().handle_batch({"Records": records}, lambda: REMAINING_MS)
    harness.findings.broken = True
    harness.worker().handle_batch({"Records": [{"messageId": "m", "body": bodies()[1]}]}, lambda: REMAINING_MS)
    logged = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    answered = [line for line in logged if line["message"] == "model_answered"]
    assert [(line["input_tokens"], line["output_tokens"], line["cache_read_tokens"]) for line in answered] == [
        (100, 10, 1_000)
    ] * 3
    (checked,) = (line for line in logged if line["message"] == "window_checked")
    assert (checked["claims"], checked["invented"], checked["clips"], checked["bad_clips"]) == (1, 1, 1, 1)
    assert [line["error_type"] for line in logged if line["message"] == "window_returned"] == [
        "InvalidWindowMessage",
        "RuntimeError",
    ]
    for secret in ("canary", "ferries", RECALLED.text, KEY, EPISODE, RECALLED.event_id):
        assert secret not in json.dumps(logged)
