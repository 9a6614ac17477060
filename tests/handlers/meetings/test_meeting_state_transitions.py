"""Tests of a meeting's progress: the rank only rises, in whatever order reports arrive."""

import json
from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.common.aws.dynamodb_values import serialize_item
from handlers.meetings.execution_name_and_input import MeetingExecution
from handlers.meetings.meeting_record import MAX_LISTED_CHUNKS, MeetingReason, MeetingRecord, MeetingStatus, Stage
from handlers.meetings.meeting_state_transitions import (
    PROGRESS_RANKS,
    ExecutionReport,
    apply_report,
    is_current,
    mark_failed,
    postpone_sweep,
    progress_rank,
    start_new_attempt,
    wrong_chunk_fields,
)
from handlers.meetings.s3_keys import COMPLETE_FILE_NAME, MeetingId, Recording
from handlers.meetings.upload_completion_file import MAX_CHUNKS, ChunkProblem, CompleteFile, WrongChunk
from handlers.meetings.upload_reader import UploadedChunks, UploadedCompleteFile
from handlers.meetings.upload_state_transitions import apply_uploads
from tests.handlers.meetings.meeting_harness import ANN, BOB, MEETING, START, complete_file

FIRST, OTHER = complete_file(b"a", b"b"), complete_file(b"c")
WRONG = (WrongChunk(name="0.webm", problem=ChunkProblem.HASH),)
LATER = START + timedelta(minutes=1)


def look_at_uploads(complete: CompleteFile | None, mark: str = "1", *, wrong: bool = False, chunks: str = "x") -> Any:
    """Return the change that the current uploads cause."""

    def move(record: MeetingRecord | None) -> MeetingRecord:
        uploaded_chunks = UploadedChunks(WRONG if wrong else (), chunks, START)
        return apply_uploads(
            record, MEETING, UploadedCompleteFile(mark, START, complete), lambda _: uploaded_chunks, LATER
        )

    return move


def report(
    status: MeetingStatus, stage: Stage | None = None, complete: CompleteFile = FIRST, attempt: int = 1
) -> ExecutionReport:
    reason = MeetingReason.MEDIA_FAILED if status is MeetingStatus.FAILED else None
    wrong = WRONG if status is MeetingStatus.INCOMPLETE else ()
    return ExecutionReport(
        MeetingExecution(Recording(MEETING, complete.content), attempt), status, stage, reason, wrong
    )


REPORTS = [
    report(MeetingStatus.INCOMPLETE),
    report(MeetingStatus.PROCESSING, Stage.TRANSCRIPTION),
    report(MeetingStatus.PROCESSING, Stage.SUMMARY),
    report(MeetingStatus.FAILED),
    report(MeetingStatus.READY),
]
STARTED: MeetingRecord = look_at_uploads(FIRST)(None)


def apply_reports(words: Iterable[ExecutionReport], record: MeetingRecord = STARTED) -> MeetingRecord:
    for each_report in words:
        record = apply_report(record, each_report, LATER)
    return record


REPORT_CHANGES = st.builds(
    lambda where, complete, attempt: report(where[0], where[1], complete, attempt),
    st.sampled_from(sorted(PROGRESS_RANKS, key=str)),
    st.sampled_from([FIRST, OTHER]),
    st.integers(1, 4),
).map(lambda word: lambda record: record if record is None else apply_report(record, word, LATER))
UPLOAD_CHANGES = st.builds(
    look_at_uploads,
    st.sampled_from([FIRST, OTHER, None]),
    st.sampled_from("123"),
    wrong=st.booleans(),
    chunks=st.sampled_from("xy"),
)


def test_the_order_of_successful_reports_does_not_matter() -> None:
    good = [word for word in REPORTS if word.status in {MeetingStatus.PROCESSING, MeetingStatus.READY}]
    for order in permutations(good):
        assert apply_reports(order).status is MeetingStatus.READY


@given(st.permutations(REPORTS), st.lists(st.sampled_from(REPORTS)))
def test_repeated_reports_change_nothing(words: list[ExecutionReport], more: list[ExecutionReport]) -> None:
    once = apply_reports(words)
    assert apply_reports(more, once) is once


@given(st.lists(REPORT_CHANGES | UPLOAD_CHANGES, max_size=12))
def test_the_rank_never_falls_and_every_change_raises_the_version(moves: list[Any]) -> None:
    record: MeetingRecord | None = None
    for move in moves:
        moved: MeetingRecord | None = move(record)
        assert moved is not None or record is None
        if moved is None or record is None:
            record = moved
            continue
        assert progress_rank(moved) >= progress_rank(record)
        assert moved.version == record.version + (moved != record)
        assert (moved.since == record.since) or progress_rank(moved) > progress_rank(record)
        assert (moved.due is not None) == (moved.status in {MeetingStatus.INCOMPLETE, MeetingStatus.PROCESSING})
        assert (moved.stage is not None) == (moved.status is MeetingStatus.PROCESSING)
        assert moved.status is not MeetingStatus.INCOMPLETE or moved.wrong_count
        assert move(moved) == moved, "a repetition changes nothing"
        record = moved


@given(st.lists(REPORT_CHANGES, max_size=6), st.sampled_from([2, 3]))
def test_reports_of_another_content_or_attempt_change_nothing(words: list[Any], attempt: int) -> None:
    elsewhere = STARTED.model_copy(update={"content": complete_file(b"z").content, "attempt": attempt})
    for move in words:
        assert move(elsewhere) is elsewhere


def test_late_reports_change_nothing_except_that_a_failed_meeting_can_become_ready() -> None:
    given_up = mark_failed(STARTED, MeetingReason.TIMED_OUT, LATER)
    assert apply_report(given_up, REPORTS[1], LATER) is given_up
    done = apply_report(given_up, REPORTS[4], LATER)
    assert (done.status, done.reason) == (MeetingStatus.READY, None)
    lacking, put_together = apply_reports([REPORTS[0]]), apply_reports([REPORTS[1]])
    assert (lacking.status, lacking.attempt) == (MeetingStatus.INCOMPLETE, 2)
    assert apply_report(lacking, REPORTS[3], LATER) is lacking, "the meeting waits for chunks"
    assert apply_report(put_together, REPORTS[0], LATER) is put_together, "the chunks were accepted"


def test_a_new_attempt_is_due_soon_and_progress_does_not_move_the_due_time() -> None:
    assert STARTED.due == "2026-01-31T12:16:00.000Z"
    far = postpone_sweep(STARTED, START + timedelta(days=1))
    assert far.version == STARTED.version + 1
    assert apply_reports([REPORTS[1]], far).due == far.due
    assert start_new_attempt(far, LATER).due == STARTED.due
    assert apply_reports([REPORTS[4]], far).due is None


def test_every_status_and_stage_has_a_rank() -> None:
    stages = {status: [None] for status in MeetingStatus if status is not MeetingStatus.PROCESSING}
    assert set(PROGRESS_RANKS) == {(stage, None) for stage in stages} | {
        (MeetingStatus.PROCESSING, stage) for stage in Stage
    }


@pytest.mark.parametrize("name", ["0.webm", COMPLETE_FILE_NAME])
def test_unchanged_uploads_that_the_job_rejected_are_not_processed_again(name: str) -> None:
    """Every start costs a job, and each rejection would cause the next start."""
    wrong = (WrongChunk(name=name, problem=ChunkProblem.UNREADABLE),)
    word = replace(report(MeetingStatus.INCOMPLETE), wrong=wrong)
    lacking = apply_report(STARTED, word, LATER)
    assert look_at_uploads(FIRST)(lacking) == lacking
    assert look_at_uploads(FIRST, chunks="y")(lacking).status is MeetingStatus.PROCESSING
    assert look_at_uploads(FIRST, "2")(lacking).status is MeetingStatus.PROCESSING, (
        "a new complete.json requests a retry"
    )


def test_chunks_that_disappeared_and_returned_are_processed_again() -> None:
    lacking = apply_report(STARTED, report(MeetingStatus.INCOMPLETE), LATER)
    away = look_at_uploads(FIRST, wrong=True, chunks="y")(lacking)
    assert look_at_uploads(FIRST)(away).status is MeetingStatus.PROCESSING


@given(st.lists(st.tuples(st.sampled_from([ANN, BOB]), st.sampled_from([FIRST, OTHER]), st.integers(1, 999))))
def test_execution_names_are_short_and_unique_by_user_content_and_attempt(those: list[Any]) -> None:
    made = {
        MeetingExecution(Recording(MeetingId(user, MEETING.meeting_id), complete.content), attempt)
        for user, complete, attempt in those
    }
    names = {execution.name for execution in made}
    assert len(names) == len(made)
    assert all(len(name) <= 80 and name.startswith(MEETING.meeting_id) and name.isascii() for name in names)
    assert len({json.dumps(execution.input) for execution in made}) == len(made)


def test_the_largest_possible_item_fits_into_the_table() -> None:
    wrong = tuple(
        WrongChunk(name=f"{number:05d}".ljust(128, "x"), problem=ChunkProblem.UNREADABLE)
        for number in range(MAX_CHUNKS)
    )
    largest = STARTED.model_copy(
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


def test_a_record_belongs_to_one_attempt_and_content() -> None:
    assert is_current(STARTED, MeetingExecution.for_record(STARTED))
    assert not is_current(STARTED, MeetingExecution(MeetingExecution.for_record(STARTED).recording, 2))
