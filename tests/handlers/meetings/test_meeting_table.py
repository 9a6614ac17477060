"""Tests of the meeting table and its conditional writes.

`table.write(before, after)` writes `after` if the table still contains `before`, and returns True if it now has it.
"""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from handlers.common.records import TooManyWriters, deserialize_item
from handlers.meetings.meeting_record import MeetingRecord
from handlers.meetings.meeting_state_transitions import apply_report
from handlers.meetings.meeting_table import MeetingTable
from handlers.meetings.s3_keys import MeetingId
from handlers.meetings.upload_completion_file import ChunkProblem, WrongChunk
from tests.handlers.meetings.meeting_harness import ANN, BOB, CANARY, MEETING, MeetingHarness
from tests.handlers.meetings.test_meeting_state_transitions import (
    FAILED_REPORT,
    LATER,
    STARTED_RECORD,
    SUMMARY_REPORT,
    TRANSCRIPTION_REPORT,
)


def test_a_record_is_read_back(harness: MeetingHarness) -> None:
    wrong = (WrongChunk(name="a", problem=ChunkProblem.SIZE),)
    record = STARTED_RECORD.model_copy(update={"wrong": wrong, "tags": ("a", "\u00e9"), "duration_ms": 5})
    assert harness.table.read(MEETING) is None
    assert harness.table.write(None, record)
    assert harness.table.read(MEETING) == record
    [item] = [deserialize_item(item) for item in harness.all_items()]
    assert (item["user"], item["meetingId"]) == (ANN, MEETING.meeting_id)
    assert item["startedAt"] == "2026-01-31T10:00:00.000Z"


def test_a_write_based_on_an_old_version_is_refused(harness: MeetingHarness) -> None:
    assert harness.table.write(None, STARTED_RECORD)
    assert not harness.table.write(None, STARTED_RECORD.model_copy(update={"title": "other"}))
    transcribing, summarizing = (
        apply_report(STARTED_RECORD, report, LATER) for report in (TRANSCRIPTION_REPORT, SUMMARY_REPORT)
    )
    assert harness.table.write(STARTED_RECORD, transcribing)
    assert not harness.table.write(STARTED_RECORD, summarizing)
    assert harness.table.read(MEETING) == transcribing


def test_a_repeated_write_succeeds(harness: MeetingHarness) -> None:
    harness.table.write(None, STARTED_RECORD)
    after = apply_report(STARTED_RECORD, TRANSCRIPTION_REPORT, LATER)
    assert [harness.table.write(STARTED_RECORD, after) for _ in range(2)] == [True, True]


def test_an_update_after_a_concurrent_write_is_repeated_with_the_new_record(harness: MeetingHarness) -> None:
    harness.table.write(None, STARTED_RECORD)
    read_titles: list[str] = []

    def fail_after_concurrent_write(record: MeetingRecord) -> MeetingRecord:
        read_titles.append(record.title)
        if len(read_titles) == 1:
            harness.table.write(record, record.model_copy(update={"title": "new", "version": 2}))
        return apply_report(record, FAILED_REPORT, LATER)

    change = harness.table.update(MEETING, fail_after_concurrent_write)
    assert change is not None
    assert change.has_changed
    assert (read_titles, change.after.title, change.after.version) == ([f"{CANARY} title", "new"], "new", 3)


def test_an_update_without_a_change_is_not_written(harness: MeetingHarness) -> None:
    harness.table.write(None, STARTED_RECORD)
    with harness.record_calls() as calls:
        change = harness.table.update(MEETING, lambda record: record)
    assert change is not None
    assert not change.has_changed
    assert calls == ["GetItem"]
    assert harness.table.update(MeetingId(BOB, MEETING.meeting_id), lambda record: record) is None


def test_an_update_that_always_collides_raises_too_many_writers(
    harness: MeetingHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    harness.table.write(None, STARTED_RECORD)
    monkeypatch.setattr(MeetingTable, "write", lambda *_: False)
    with pytest.raises(TooManyWriters):
        harness.table.update(MEETING, lambda record: apply_report(record, FAILED_REPORT, LATER))


@pytest.mark.parametrize(
    ("code", "is_concurrent_write"),
    [("TransactionConflictException", True), ("ProvisionedThroughputExceededException", False)],
)
def test_only_condition_failures_and_conflicts_count_as_concurrent_writes(
    harness: MeetingHarness, monkeypatch: pytest.MonkeyPatch, code: str, *, is_concurrent_write: bool
) -> None:
    harness.table.write(None, STARTED_RECORD)
    after = apply_report(STARTED_RECORD, TRANSCRIPTION_REPORT, LATER)

    def raise_error(**_: Any) -> Any:
        raise ClientError({"Error": {"Code": code, "Message": CANARY}}, "PutItem")

    monkeypatch.setattr(harness.dynamodb, "put_item", raise_error)
    if is_concurrent_write:
        assert not harness.table.write(STARTED_RECORD, after)
    else:
        with pytest.raises(ClientError):
            harness.table.write(STARTED_RECORD, after)
