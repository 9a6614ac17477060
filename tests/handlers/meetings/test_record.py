"""Tests of how a meeting's record changes after uploads, reports of the workflow's executions, and a deletion.

The rank of a record is computed from the attempt (the number of the execution), the status and the stage. It only
rises, so uploads and reports may arrive late, repeatedly and in any order.
"""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.common.ids import timestamp
from handlers.common.records import serialize_model
from handlers.meetings.record import (
    RANKS,
    MeetingRecord,
    MeetingStatus,
    Stage,
    Upload,
    apply_deletion,
    apply_report,
    apply_upload,
    record_attributes,
)
from handlers.meetings.recording_files import MAX_CHUNKS, ChunkProblem, CompleteFile, WrongChunk
from tests.handlers.meetings.meeting_harness import ANN, BOB, MEETING, START, complete_json

Change = Callable[[MeetingRecord | None], MeetingRecord | None]
COMPLETE_JSON, OTHER_JSON = complete_json(b"a", b"b"), complete_json(b"c")
WRONG = (WrongChunk(name="canary-0.webm", problem=ChunkProblem.HASH),)
LATER = START + timedelta(minutes=1)
MAX_ATTEMPT = 4
"""Highest attempt in the random reports."""


def upload_change(
    complete: CompleteFile | None,
    sequencer: str = "1",
    wrong: tuple[WrongChunk, ...] = (),
    ended: str | None = None,
) -> Callable[[MeetingRecord | None], MeetingRecord]:
    """Return a function that applies an upload to a record. Without `complete`, `complete.json` is malformed."""
    upload = Upload(sequencer, complete, wrong if complete else WRONG, timestamp(START))
    return lambda record: apply_upload(record, MEETING, upload, ended, LATER)


def report_change(
    status: MeetingStatus,
    stage: Stage | None = None,
    complete: CompleteFile = COMPLETE_JSON,
    attempt: int = 1,
    **fields: Any,
) -> Callable[[MeetingRecord | None], MeetingRecord]:
    """Return a function that applies a report of an attempt to a record, by default of the first one."""
    changes = {"status": status, "stage": stage, **fields}
    change: Any = lambda record: apply_report(record, complete.content, attempt, changes, LATER)  # noqa: E731 - Any, because no record gives none
    return change  # type: ignore[no-any-return]


REPORT_FAILED = report_change(MeetingStatus.FAILED)
STARTED = upload_change(COMPLETE_JSON)(None)
"""Record of a meeting whose execution has not reported anything yet."""


def execution_name(attempt: int = 1, complete: CompleteFile = COMPLETE_JSON) -> str:
    return STARTED.model_copy(update={"content": complete.content, "attempt": attempt}).execution_name


FILES, ATTEMPTS = st.sampled_from([COMPLETE_JSON, OTHER_JSON]), st.integers(1, MAX_ATTEMPT)
REPORTED = sorted((pair for pair in RANKS if pair[0] is not MeetingStatus.DELETED), key=str)
CHANGES: st.SearchStrategy[Change] = st.one_of(
    st.builds(
        upload_change,
        st.sampled_from([COMPLETE_JSON, OTHER_JSON, None]),
        st.sampled_from(["1", "f", "10"]),
        st.sampled_from([(), WRONG]),
        st.none() | st.builds(lambda file, attempt: execution_name(attempt, file), FILES, ATTEMPTS),
    ),
    st.builds(
        lambda pair, file, attempt: report_change(pair[0], pair[1], file, attempt),
        st.sampled_from(REPORTED),
        FILES,
        ATTEMPTS,
    ),
    st.just(lambda record: apply_deletion(record, LATER)),
)


@given(st.lists(CHANGES, max_size=12))
def test_the_rank_never_falls_and_a_repetition_changes_nothing(changes: list[Change]) -> None:
    before: MeetingRecord | None = None
    for change in changes:
        after = change(before)
        assert change(after) is after
        if before is not None:
            assert after is not None
            assert after.rank >= before.rank
        if after is not None:
            assert (after.stage is not None) == (after.status is MeetingStatus.PROCESSING)
        before = after


@given(st.lists(CHANGES, max_size=6), st.lists(CHANGES, max_size=6))
def test_a_deleted_meeting_never_returns(changes: list[Change], later: list[Change]) -> None:
    record: MeetingRecord | None = STARTED
    for change in [*changes, lambda record: apply_deletion(record, LATER), *later]:
        record = change(record)
    assert record is not None
    kept = {name for name, field in MeetingRecord.model_fields.items() if getattr(record, name) != field.default}
    assert kept - {"attempt"} == {"user", "meeting_id", "status", "updated_at"}
    assert record_attributes(record) == {"ttl": int((LATER + timedelta(days=30)).timestamp())}
    assert "startedAt" not in serialize_model(record), "it would be in the index"


def test_late_reports_change_nothing_except_that_a_failed_meeting_can_become_ready() -> None:
    failed = REPORT_FAILED(STARTED)
    assert report_change(MeetingStatus.PROCESSING, Stage.TRANSCRIPTION)(failed) is failed
    ready = report_change(MeetingStatus.READY)(failed)
    assert (ready.status, ready.reason) == (MeetingStatus.READY, None)


MEDIA, SUMMARY = (MeetingStatus.PROCESSING, Stage.MEDIA), (MeetingStatus.PROCESSING, Stage.SUMMARY)
FAILED, READY = (MeetingStatus.FAILED, None), (MeetingStatus.READY, None)


@pytest.mark.parametrize(
    ("state", "change", "expected"),
    [
        # The execution runs or was not started, and then it runs.
        (MEDIA, upload_change(COMPLETE_JSON, "2"), (1, *MEDIA)),
        (SUMMARY, upload_change(COMPLETE_JSON, "2"), (1, *SUMMARY)),
        # The execution has ended, another execution has ended, or the event is repeated.
        (SUMMARY, upload_change(COMPLETE_JSON, "2", ended=execution_name()), (2, *MEDIA)),
        (SUMMARY, upload_change(COMPLETE_JSON, "2", ended=execution_name(2)), (1, *SUMMARY)),
        (SUMMARY, upload_change(COMPLETE_JSON, "1", ended=execution_name()), (1, *SUMMARY)),
        (READY, upload_change(COMPLETE_JSON, "2", ended=execution_name()), (1, *READY)),
        # Other chunks, which may have been replaced before, or may be incomplete.
        (READY, upload_change(OTHER_JSON, "2"), (2, *MEDIA)),
        (READY, upload_change(OTHER_JSON, "0"), (1, *READY)),
        (READY, upload_change(OTHER_JSON, "2", WRONG), (2, *FAILED)),
        # A retry, and a repeated event, which is no retry.
        (FAILED, upload_change(COMPLETE_JSON, "2"), (2, *MEDIA)),
        (FAILED, upload_change(COMPLETE_JSON, "1"), (1, *FAILED)),
        (FAILED, upload_change(COMPLETE_JSON, "2", WRONG), (2, *FAILED)),
        # A malformed file.
        (FAILED, upload_change(None, "2"), (1, *FAILED)),
        (READY, upload_change(None, "2"), (1, *READY)),
        (SUMMARY, upload_change(None, "2"), (1, *SUMMARY)),
    ],
)
def test_the_status_after_an_upload(state: Any, change: Any, expected: Any) -> None:
    status, stage = state
    after = change(STARTED.model_copy(update={"status": status, "stage": stage}))
    assert (after.attempt, after.status, after.stage) == expected
    assert after.title == STARTED.title, "even a malformed file keeps the title"


def test_a_new_attempt_keeps_nothing_of_the_last_one() -> None:
    failed = report_change(MeetingStatus.FAILED, video_key="video", duration_ms=1)(STARTED)
    after = upload_change(COMPLETE_JSON, "2")(failed)
    assert (after.video_key, after.duration_ms, after.reason) == (None, None, None)


def test_the_language_is_kept_once_the_processing_has_started() -> None:
    german = complete_json(b"a", b"b", language="de-DE")
    assert upload_change(german, "2")(STARTED).language == "en-US"
    assert upload_change(german, "2")(REPORT_FAILED(STARTED)).language == "de-DE"


def test_execution_names_are_short_and_unique_by_user_content_and_attempt() -> None:
    records = [
        STARTED.model_copy(update={"user": user, "content": complete.content, "attempt": attempt})
        for user in (ANN, BOB)
        for complete in (COMPLETE_JSON, OTHER_JSON)
        for attempt in (1, 2, 10**18)
    ]
    names = {record.execution_name for record in records}
    assert len(names) == len({json.dumps(record.execution_input) for record in records}) == len(records)
    assert all(len(name) <= 80 and name.startswith(f"{MEETING.meeting_id}-") for name in names)


def test_the_largest_possible_item_fits_into_the_table() -> None:
    wrong = tuple(
        WrongChunk(name=f"{number:05d}".ljust(128, "x"), problem=ChunkProblem.UNREADABLE)
        for number in range(MAX_CHUNKS)
    )
    clef = "\U0001d11e"  # four bytes in UTF-8
    texts: dict[str, Any] = {"title": clef * 200, "participants": (clef * 100,) * 100, "tags": (clef * 50,) * 50}
    largest = report_change(MeetingStatus.FAILED, wrong=wrong, **texts)(STARTED)
    assert len(upload_change(COMPLETE_JSON, wrong=wrong)(None).wrong) == len(largest.wrong) == 1_000
    item = serialize_model(largest)
    # Includes the syntax of JSON, which DynamoDB does not count.
    assert len(json.dumps(item, ensure_ascii=False).encode()) < 400 * 1024
