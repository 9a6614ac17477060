"""Analysis of a window, a section of a transcript: one model request with memories of earlier windows.

The findings (claims and clips) of a window come from one answer of the model, even if the window's message is repeated.
They are stored, and remembered for later windows. No text is logged.
"""

import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from handlers.common.aws import ServiceFailed, ServiceFault
from handlers.common.bedrock import AnswerJsonProblem
from handlers.common.text import WindowSizes
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
    MEMORY_EVENT,
    OWNER,
    REMAINING_MS,
    SIZES,
    UPLOAD,
    FakeMemory,
    FakeModel,
    FakeTranscripts,
    WindowWorkerHarness,
    answer_with,
    claim,
    message_bodies,
    request_lines,
)
from tests.handlers.livestream.rest_api_harness import TABLE, ApiHarness

FERRIES_CLAIM = claim("We ran 600 ferries", verdict="refuted", confidence=0.9, sources=[MEMORY_EVENT.event_id])
FLEET_CLAIM = claim("the largest fleet that ever was")
CLIP = {"startMs": 0, "endMs": 12_000, "title": "canary", "reason": "canary"}


def handle(harness: WindowWorkerHarness, body: str | None = None, remaining_ms: int = REMAINING_MS) -> WindowOutcome:
    """Process a message, by default that of the first window."""
    return harness.worker().handle(body or message_bodies()[0], remaining_ms)


def stored_failure(harness: WindowWorkerHarness) -> WindowFailure | None:
    """Return the failure of the only finished window, or None if the window was checked."""
    result: WindowFailure | None
    (result,) = harness.findings.outcomes.values()
    return result


def test_a_window_is_analyzed_with_memories_and_its_findings_are_stored_and_remembered() -> None:
    harness = WindowWorkerHarness(model=FakeModel([answer_with(FERRIES_CLAIM, claim("we sold ferries"), clips=[CLIP])]))
    harness.memory.events = [MEMORY_EVENT]
    assert handle(harness) is WindowOutcome.CHECKED
    (result,) = harness.findings.claims.values()
    assert (result.quote, result.verdict, result.start_ms) == ("We ran 600 ferries", Verdict.REFUTED, 0)
    (clip,) = harness.findings.clips.values()
    assert (clip.start_ms, clip.end_ms) == (0, 12_000)
    assert stored_failure(harness) is None
    [(window_id, (actor, session, window_text, findings))] = harness.memory.stored_windows.items()
    assert (actor, session) == (OWNER, EPISODE)
    assert window_id == WindowMessage.model_validate_json(message_bodies()[0]).window_id
    assert window_text.startswith("Part 1 of 2 of the broadcast:\nWe ran 600 ferries last spring.")
    assert "islands" not in window_text, "the overlap is remembered with the next window"
    claim_line, clip_line = (json.loads(line) for line in findings.split("\n"))
    assert (claim_line["verdict"], claim_line["quote"]) == ("refuted", "We ran 600 ferries")
    assert clip_line["endMs"] == 12_000
    assert "we sold ferries" not in findings, "a claim without a valid quote must not be remembered"


def test_a_window_without_findings_is_remembered_too() -> None:
    harness = WindowWorkerHarness()
    handle(harness)
    [(*_, findings)] = harness.memory.stored_windows.values()
    assert findings, "the text must state that nothing was found"


def test_a_finished_window_is_not_analyzed_again() -> None:
    harness = WindowWorkerHarness(model=FakeModel([answer_with(FERRIES_CLAIM)]))
    assert [handle(harness), handle(harness)] == [WindowOutcome.CHECKED, WindowOutcome.ALREADY_DONE]
    assert len(harness.model.requests) == 1


@pytest.mark.parametrize("calls_before_crash", range(10))
def test_after_a_crash_a_window_has_the_findings_of_one_answer_only(
    harness: ApiHarness, calls_before_crash: int
) -> None:
    """The repeated message may cause a second request, which the model answers differently.

    The first invocation crashes at each of its DynamoDB calls in turn.
    """
    first_answer = answer_with(FERRIES_CLAIM, claim("last spring"), clips=[CLIP])
    worker_harness = WindowWorkerHarness(model=FakeModel([first_answer, answer_with(claim("600 ferries last spring"))]))
    harness.new_id = lambda: EPISODE  # type: ignore[method-assign]
    harness.create_episode(owner=None)
    upload = ExpectedUpload(upload_id=UPLOAD, content_type=ContentType.SUBRIP, size=1)
    harness.table.request_upload(OWNER, EPISODE, TrackKind.TRANSCRIPT, upload, "1")
    worker_harness.findings = FindingsTable(harness.dynamodb, TABLE, lambda: harness.now)
    worker = worker_harness.worker()
    successful_calls = iter(range(calls_before_crash))

    def crash_after_calls(**_: Any) -> None:
        if next(successful_calls, None) is None:
            raise RuntimeError("canary")

    harness.dynamodb.meta.events.register("before-call.dynamodb", crash_after_calls)
    with suppress(RuntimeError):
        worker.handle(message_bodies()[0], REMAINING_MS)
    harness.dynamodb.meta.events.unregister("before-call.dynamodb", crash_after_calls)
    worker.handle(message_bodies()[0], REMAINING_MS)
    claims = harness.call("listClaims", episode_id=EPISODE, owner=None).body["claims"]
    quotes = {claim["quote"] for claim in claims}
    assert quotes in ({"We ran 600 ferries", "last spring"}, {"600 ferries last spring"})


def test_memories_of_an_earlier_upload_are_no_source() -> None:
    earlier_windows = window_messages(OWNER, EPISODE, KEY.replace("Y.srt", "W.srt"), "v1", 2, SIZES)
    events = [MemoryEvent(f"{at}#a", "We ran 600 ferries.", item.window_id) for at, item in enumerate(earlier_windows)]
    supported_claim = claim("We ran 600 ferries", verdict="supported", sources=[event.event_id for event in events])
    harness = WindowWorkerHarness(model=FakeModel([answer_with(supported_claim)]), memory=FakeMemory(events))
    handle(harness)
    assert not [line for line in request_lines(harness.model.requests[0]) if "memory" in line]
    (result,) = harness.findings.claims.values()
    assert (result.verdict, result.sources) == (Verdict.UNVERIFIED, ())


def answer_as_text(text: str) -> Callable[[dict[str, Any]], str]:
    """Return a function that gives this answer to every request."""
    return lambda _: text


@pytest.mark.parametrize(
    ("unusable_answer", "problem"),
    [
        (answer_as_text("I would rather not, canary."), AnswerJsonProblem.NO_JSON),
        (answer_with({"quote": "canary"}), AnswerProblem.BAD_ITEM),
        ((answer_with(FERRIES_CLAIM), "max_tokens"), AnswerProblem.CUT_OFF),
    ],
)
def test_after_an_unusable_answer_the_model_is_asked_once_more(unusable_answer: Any, problem: AnswerProblem) -> None:
    harness = WindowWorkerHarness(model=FakeModel([unusable_answer, answer_with(FERRIES_CLAIM)]))
    assert handle(harness) is WindowOutcome.CHECKED
    assert len(harness.findings.claims) == 1
    correction = harness.model.requests[1]["messages"][-1]["content"][-1]["text"]
    assert problem.value in correction
    assert "canary" not in correction


def test_a_window_fails_after_two_unusable_answers() -> None:
    harness = WindowWorkerHarness(model=FakeModel([answer_as_text("I would rather not, canary.")]))
    assert handle(harness) is WindowOutcome.FAILED
    assert stored_failure(harness) is WindowFailure.UNUSABLE_ANSWER
    assert len(harness.model.requests) == 2
    assert (harness.findings.claims, harness.memory.stored_windows) == ({}, {})


def test_malformed_claims_of_the_second_answer_are_skipped() -> None:
    harness = WindowWorkerHarness(model=FakeModel([answer_with({"quote": "x"}, FERRIES_CLAIM)]))
    assert handle(harness) is WindowOutcome.CHECKED
    assert (len(harness.findings.claims), len(harness.model.requests)) == (1, 2)


@pytest.mark.parametrize(
    ("stop_reason", "expected"),
    [
        ("content_filtered", WindowFailure.FILTERED),
        ("model_context_window_exceeded", WindowFailure.TOO_LARGE),
    ],
)
def test_a_blocked_or_oversized_request_is_not_repeated(stop_reason: str, expected: WindowFailure) -> None:
    harness = WindowWorkerHarness(model=FakeModel([(answer_with(FERRIES_CLAIM), stop_reason)]))
    assert handle(harness) is WindowOutcome.FAILED
    assert stored_failure(harness) is expected
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
    harness = WindowWorkerHarness(transcripts=FakeTranscripts(objects))
    assert handle(harness) is WindowOutcome.FAILED
    assert stored_failure(harness) is expected
    assert not harness.model.requests


@pytest.mark.parametrize("count", [1, 3])
def test_a_message_with_another_window_count_than_the_transcript_raises_an_error_and_stores_no_failure(
    count: int,
) -> None:
    """The code that divides transcripts has changed since the message was sent. SQS delivers the message again, so that
    the former release can process it.
    """
    harness = WindowWorkerHarness()
    with pytest.raises(WindowCountMismatch):
        handle(harness, message_bodies(count=count)[0])
    assert (harness.findings.outcomes, harness.model.requests) == ({}, [])
    assert handle(harness, message_bodies(sizes=WindowSizes(1_000, 60_000, 10), count=1)[0]) is WindowOutcome.CHECKED


def test_transient_errors_of_memory_model_and_table_are_retried_after_pauses() -> None:
    harness = WindowWorkerHarness(
        model=FakeModel([ServiceFault.THROTTLED, ServiceFault.UNAVAILABLE, answer_with(FERRIES_CLAIM)])
    )
    harness.memory.faults = [ServiceFault.THROTTLED]
    harness.findings.faults = [ServiceFault.UNAVAILABLE, ServiceFault.UNAVAILABLE]
    assert handle(harness) is WindowOutcome.CHECKED
    assert len(harness.findings.claims) == 1
    assert len(harness.model.requests) == 3, "an error of the table must not cause another request to the model"
    assert harness.pauses == [0.5, 0.5, 1, 0.5, 1], "one pause for the memory, two for the model, two for the table"


def test_an_error_that_outlasts_the_time_returns_the_message_to_the_queue() -> None:
    harness = WindowWorkerHarness(model=FakeModel([ServiceFault.THROTTLED]))
    with pytest.raises(ServiceFailed):
        handle(harness)
    assert harness.now <= 1_000 + REMAINING_MS / 1000 - 58, (
        "each try needs 50 seconds for an answer and 8 for its storage"
    )
    assert not harness.findings.outcomes
    assert not harness.memory.stored_windows


def test_the_model_is_asked_only_if_enough_time_for_an_answer_remains() -> None:
    """Eight seconds are reserved for the storage of the findings."""
    harness = WindowWorkerHarness(answer_seconds=112)
    with pytest.raises(ServiceFailed):
        handle(harness, remaining_ms=119_000)
    assert not harness.model.requests, "a request whose answer could come too late must not be sent"
    assert handle(WindowWorkerHarness(answer_seconds=110), remaining_ms=119_000) is WindowOutcome.CHECKED


def test_a_permanent_error_returns_the_message_at_once() -> None:
    harness = WindowWorkerHarness(model=FakeModel([ServiceFault.REFUSED]))
    with pytest.raises(ServiceFailed):
        handle(harness)
    assert (len(harness.model.requests), harness.pauses, harness.findings.outcomes) == (1, [], {})


def test_findings_are_not_stored_before_the_memory_has_the_window() -> None:
    harness = WindowWorkerHarness(model=FakeModel([answer_with(FERRIES_CLAIM)]))
    harness.memory.faults = [None, ServiceFault.REFUSED]
    with pytest.raises(ServiceFailed):
        handle(harness)
    assert not harness.findings.claims


@pytest.mark.parametrize("body", [" ", "canary", "{}", '{"schemaVersion": 1, "owner": "canary"}', "[]"])
def test_the_error_for_an_invalid_message_does_not_quote_it(body: str) -> None:
    with pytest.raises(InvalidWindowMessage) as caught:
        handle(WindowWorkerHarness(), body)
    assert caught.value.__context__ is None
    assert "canary" not in str(caught.value)


def test_only_the_failed_messages_of_a_batch_return_to_the_queue() -> None:
    harness = WindowWorkerHarness(model=FakeModel([ServiceFault.REFUSED, answer_with(FLEET_CLAIM)]))
    records = [{"messageId": f"m{at}", "body": body} for at, body in enumerate([*message_bodies(), "canary"])]
    answer = harness.worker().handle_batch({"Records": records}, lambda: REMAINING_MS)
    assert answer == {"batchItemFailures": [{"itemIdentifier": "m0"}, {"itemIdentifier": "m2"}]}
    assert len(harness.findings.outcomes) == 1


def test_the_tokens_of_every_answer_are_logged_but_no_text(capsys: pytest.CaptureFixture[str]) -> None:
    harness = WindowWorkerHarness(
        model=FakeModel(
            [
                answer_as_text("canary"),
                answer_with(FERRIES_CLAIM, claim("canary fleet"), clips=[CLIP, {**CLIP, "startMs": 1_000_000}]),
            ]
        )
    )
    harness.memory.events = [MEMORY_EVENT, MemoryEvent("1#c", "canary")]
    records = [{"messageId": "m", "body": message_bodies()[0]}, {"messageId": "n", "body": '{"canary": 1}'}]
    harness.worker().handle_batch({"Records": records}, lambda: REMAINING_MS)
    harness.findings.fails_to_save = True
    harness.worker().handle_batch({"Records": [{"messageId": "m", "body": message_bodies()[1]}]}, lambda: REMAINING_MS)
    log_lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    answer_lines = [line for line in log_lines if line["message"] == "model_answered"]
    assert [(line["input_tokens"], line["output_tokens"], line["cache_read_tokens"]) for line in answer_lines] == [
        (100, 10, 1_000)
    ] * 3
    (window_line,) = (line for line in log_lines if line["message"] == "window_checked")
    assert [window_line[count] for count in ("claims", "invented", "clips", "bad_clips")] == [1] * 4
    assert [line["error_type"] for line in log_lines if line["message"] == "window_returned"] == [
        "InvalidWindowMessage",
        "RuntimeError",
    ]
    for secret in ("canary", "ferries", MEMORY_EVENT.text, KEY, EPISODE, MEMORY_EVENT.event_id):
        assert secret not in json.dumps(log_lines)
