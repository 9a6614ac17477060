"""Tests of how a meeting's record changes after uploads and after reports of the workflow executions that process it.

The rank of a record is computed from the attempt (the number of the execution), the status and the stage. It only
rises, so reports may arrive late, repeatedly and in any order.
"""

import json
from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.common.executions import ExecutionStatus
from handlers.common.records import serialize_item
from handlers.meetings.execution_name_and_input import MeetingExecution
from handlers.meetings.meeting_record import MAX_LISTED_CHUNKS, MeetingReason, MeetingRecord, MeetingStatus, Stage
from handlers.meetings.meeting_state_transitions import (
    PROGRESS_RANKS,
    ExecutionReport,
    apply_report,
    progress_rank,
    wrong_chunk_fields,
)
from handlers.meetings.s3_keys import COMPLETE_FILE_NAME, MeetingId, Recording
from handlers.meetings.upload_completion_file import MAX_CHUNKS, ChunkProblem, CompleteFile, WrongChunk
from handlers.meetings.upload_reader import UploadedChunks, UploadedCompleteFile
from handlers.meetings.upload_state_transitions import apply_uploads
from tests.handlers.meetings.meeting_harness import ANN, BOB, MEETING, START, complete_json

COMPLETE_JSON, OTHER_JSON = complete_json(b"a", b"b"), complete_json(b"c")
WRONG_CHUNKS = (WrongChunk(name="0.webm", problem=ChunkProblem.HASH),)
LATER = START + timedelta(minutes=1)
MAX_ATTEMPT = 4
"""Highest attempt in the random reports."""


def upload_change(
    complete: CompleteFile | None,
    complete_fingerprint: str = "1",
    *,
    has_wrong_chunk: bool = False,
    chunks_fingerprint: str = "x",
    execution: ExecutionStatus | None = ExecutionStatus.RUNNING,
) -> Any:
    """Return a function that applies these uploads to a record. Without `complete`, `complete.json` is malformed.

    A fingerprint changes if the same file is uploaded again. `execution` is the status of the execution of the record's
    attempt, or None if it does not exist.
    """
    uploaded_file = UploadedCompleteFile(complete_fingerprint, START, complete)
    chunks = UploadedChunks(WRONG_CHUNKS if has_wrong_chunk else (), chunks_fingerprint, START)

    def change(record: MeetingRecord | None) -> MeetingRecord:
        return apply_uploads(record, MEETING, uploaded_file, lambda _: chunks, lambda _: execution, LATER)

    return change


def create_report(
    status: MeetingStatus, stage: Stage | None = None, complete: CompleteFile = COMPLETE_JSON, attempt: int = 1
) -> ExecutionReport:
    reason = MeetingReason.MEDIA_FAILED if status is MeetingStatus.FAILED else None
    wrong = WRONG_CHUNKS if status is MeetingStatus.INCOMPLETE else ()
    return ExecutionReport(
        MeetingExecution(Recording(MEETING, complete.content), attempt), status, stage, reason, wrong
    )


INCOMPLETE_REPORT = create_report(MeetingStatus.INCOMPLETE)
TRANSCRIPTION_REPORT = create_report(MeetingStatus.PROCESSING, Stage.TRANSCRIPTION)
SUMMARY_REPORT = create_report(MeetingStatus.PROCESSING, Stage.SUMMARY)
FAILED_REPORT = create_report(MeetingStatus.FAILED)
READY_REPORT = create_report(MeetingStatus.READY)
REPORTS = [INCOMPLETE_REPORT, TRANSCRIPTION_REPORT, SUMMARY_REPORT, FAILED_REPORT, READY_REPORT]
STARTED_RECORD: MeetingRecord = upload_change(COMPLETE_JSON)(None)
"""Record of a meeting whose execution has not reported anything yet."""


def apply_reports(reports: Iterable[ExecutionReport], record: MeetingRecord = STARTED_RECORD) -> MeetingRecord:
    for report in reports:
        record = apply_report(record, report, LATER)
    return record


@st.composite
def report_changes(draw: st.DrawFn) -> Any:
    """Functions that apply a report to a record, if there is a record."""
    status, stage = draw(st.sampled_from(sorted(PROGRESS_RANKS, key=str)))
    complete = draw(st.sampled_from([COMPLETE_JSON, OTHER_JSON]))
    report = create_report(status, stage, complete, draw(st.integers(1, MAX_ATTEMPT)))
    return lambda record: None if record is None else apply_report(record, report, LATER)


UPLOAD_CHANGES = st.builds(
    upload_change,
    st.sampled_from([COMPLETE_JSON, OTHER_JSON, None]),
    st.sampled_from("123"),
    has_wrong_chunk=st.booleans(),
    chunks_fingerprint=st.sampled_from("xy"),
    execution=st.sampled_from([None, *ExecutionStatus]),
)


def test_the_order_of_successful_reports_does_not_matter() -> None:
    for order in permutations([TRANSCRIPTION_REPORT, SUMMARY_REPORT, READY_REPORT]):
        assert apply_reports(order).status is MeetingStatus.READY


@given(st.permutations(REPORTS), st.lists(st.sampled_from(REPORTS)))
def test_repeated_reports_change_nothing(reports: list[ExecutionReport], repeated: list[ExecutionReport]) -> None:
    record = apply_reports(reports)
    assert apply_reports(repeated, record) is record


@given(st.lists(report_changes() | UPLOAD_CHANGES, max_size=12))
def test_the_rank_never_falls_and_every_change_raises_the_version(changes: list[Any]) -> None:
    before: MeetingRecord | None = None
    for change in changes:
        after: MeetingRecord | None = change(before)
        if before is not None:
            assert after is not None
            assert progress_rank(after) >= progress_rank(before)
            assert after.version == before.version + (after != before)
            assert (after.since == before.since) or progress_rank(after) > progress_rank(before), (
                "`since` is the time of the last change of the rank"
            )
            assert (after.stage is not None) == (after.status is MeetingStatus.PROCESSING)
            assert after.status is not MeetingStatus.INCOMPLETE or after.wrong_count
            assert change(after) == after, "a repetition must change nothing"
        before = after


@pytest.mark.parametrize("changed", [{"content": complete_json(b"z").content}, {"attempt": MAX_ATTEMPT + 1}])
@given(changes=st.lists(report_changes(), max_size=6))
def test_reports_about_other_chunks_or_another_attempt_change_nothing(
    changes: list[Any], changed: dict[str, Any]
) -> None:
    record = STARTED_RECORD.model_copy(update=changed)
    for change in changes:
        assert change(record) is record


def test_late_reports_change_nothing_except_that_a_failed_meeting_can_become_ready() -> None:
    failed = apply_reports([FAILED_REPORT])
    assert apply_report(failed, TRANSCRIPTION_REPORT, LATER) is failed
    ready = apply_report(failed, READY_REPORT, LATER)
    assert (ready.status, ready.reason) == (MeetingStatus.READY, None)
    incomplete, transcribing = apply_reports([INCOMPLETE_REPORT]), apply_reports([TRANSCRIPTION_REPORT])
    assert (incomplete.status, incomplete.attempt) == (MeetingStatus.INCOMPLETE, 2), "the next execution is attempt 2"
    assert apply_report(incomplete, FAILED_REPORT, LATER) is incomplete, "the meeting waits for chunks"
    assert apply_report(transcribing, INCOMPLETE_REPORT, LATER) is transcribing, "the chunks were accepted"


@pytest.mark.parametrize(
    ("stage", "execution", "is_restarted"),
    [
        pytest.param(Stage.MEDIA, None, False, id="the start failed, so the caller repeats it"),
        pytest.param(Stage.MEDIA, ExecutionStatus.RUNNING, False, id="the first stage runs"),
        pytest.param(Stage.SUMMARY, ExecutionStatus.RUNNING, False, id="the last stage runs"),
        pytest.param(Stage.MEDIA, ExecutionStatus.FAILED, True, id="the report of a failure failed"),
        pytest.param(Stage.TRANSCRIPTION, ExecutionStatus.ABORTED, True, id="an operator aborted the execution"),
        pytest.param(Stage.SUMMARY, ExecutionStatus.TIMED_OUT, True, id="the execution timed out"),
        pytest.param(Stage.MEDIA, ExecutionStatus.SUCCEEDED, True, id="the execution succeeded without a report"),
        pytest.param(Stage.SUMMARY, None, True, id="the execution ended more than 90 days ago"),
    ],
)
def test_a_new_complete_json_restarts_a_meeting_whose_execution_ended_without_a_report(
    stage: Stage, execution: ExecutionStatus | None, *, is_restarted: bool
) -> None:
    """These are all ways in which a meeting can stay in progress. One more needs no upload: after a superseded media job,
    the step `media` itself begins a new attempt.
    """
    record = STARTED_RECORD.model_copy(update={"stage": stage})
    after = upload_change(COMPLETE_JSON, "2", execution=execution)(record)
    expected = (2, Stage.MEDIA) if is_restarted else (1, stage)
    assert (after.attempt, after.stage) == expected
    assert (after.status, after.complete_fingerprint) == (MeetingStatus.PROCESSING, "2")
    assert upload_change(COMPLETE_JSON, execution=execution)(record) == record, "a repeated event restarts nothing"


def test_every_status_and_stage_has_a_rank() -> None:
    without_stage = {(status, None) for status in MeetingStatus if status is not MeetingStatus.PROCESSING}
    assert set(PROGRESS_RANKS) == without_stage | {(MeetingStatus.PROCESSING, stage) for stage in Stage}


@pytest.mark.parametrize("name", ["0.webm", COMPLETE_FILE_NAME])
def test_unchanged_uploads_that_the_job_rejected_are_not_processed_again(name: str) -> None:
    """Otherwise each rejection would start the next job, and each job costs money."""
    wrong = (WrongChunk(name=name, problem=ChunkProblem.UNREADABLE),)
    rejected = apply_report(STARTED_RECORD, replace(INCOMPLETE_REPORT, wrong=wrong), LATER)
    assert upload_change(COMPLETE_JSON)(rejected) == rejected
    assert upload_change(COMPLETE_JSON, chunks_fingerprint="y")(rejected).status is MeetingStatus.PROCESSING
    assert upload_change(COMPLETE_JSON, "2")(rejected).status is MeetingStatus.PROCESSING, (
        "a new complete.json requests a retry"
    )


def test_chunks_that_disappeared_and_returned_are_processed_again() -> None:
    rejected = apply_report(STARTED_RECORD, INCOMPLETE_REPORT, LATER)
    without_chunk = upload_change(COMPLETE_JSON, has_wrong_chunk=True, chunks_fingerprint="y")(rejected)
    assert upload_change(COMPLETE_JSON)(without_chunk).status is MeetingStatus.PROCESSING


@given(
    st.lists(st.tuples(st.sampled_from([ANN, BOB]), st.sampled_from([COMPLETE_JSON, OTHER_JSON]), st.integers(1, 999)))
)
def test_execution_names_are_short_and_unique_by_user_content_and_attempt(identities: list[Any]) -> None:
    executions = {
        MeetingExecution(Recording(MeetingId(user, MEETING.meeting_id), complete.content), attempt)
        for user, complete, attempt in identities
    }
    names = {execution.name for execution in executions}
    assert len(names) == len(executions)
    assert all(len(name) <= 80 and name.startswith(MEETING.meeting_id) and name.isascii() for name in names)
    assert len({json.dumps(execution.input) for execution in executions}) == len(executions)


def test_the_largest_possible_item_fits_into_the_table() -> None:
    wrong = tuple(
        WrongChunk(name=f"{number:05d}".ljust(128, "x"), problem=ChunkProblem.UNREADABLE)
        for number in range(MAX_CHUNKS)
    )
    largest = STARTED_RECORD.model_copy(
        update={
            "title": "\U0001d11e" * 200,
            "participants": ("\U0001d11e" * 100,) * 100,
            "tags": ("\U0001d11e" * 50,) * 50,
            **wrong_chunk_fields(wrong),
        }
    )
    item = serialize_item(largest.model_dump(mode="json", by_alias=True))
    assert len(largest.wrong) == MAX_LISTED_CHUNKS
    # Includes the syntax of JSON, which DynamoDB does not count.
    assert len(json.dumps(item, ensure_ascii=False).encode()) < 400 * 1024
