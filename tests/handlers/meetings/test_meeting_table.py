"""Tests of the meeting table: conditional writes, and the due items, which list the meetings for the sweep to check.

`table.write(before, after)` writes `after` if the table still contains `before`, and returns True if it now has it.
"""

from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from handlers.common.aws.dynamodb_values import deserialize_item
from handlers.common.aws.dynamodb_versioned_items import TooManyWriters
from handlers.common.identity import user_ids
from handlers.common.time_and_ids.ulid import ulid
from handlers.meetings.meeting_record import DUE_PARTITION, INDEX, MeetingReason, MeetingRecord, MeetingStatus
from handlers.meetings.meeting_state_transitions import ExecutionReport, apply_report, mark_failed, postpone_sweep
from handlers.meetings.meeting_table import DueMeeting, MeetingTable
from handlers.meetings.s3_keys import MeetingId
from handlers.meetings.upload_completion_file import ChunkProblem, WrongChunk
from tests.handlers.meetings.meeting_harness import ANN, BOB, CANARY, MEETING, START, TABLE, MeetingHarness
from tests.handlers.meetings.test_meeting_state_transitions import (
    LATER,
    READY_REPORT,
    REPORTS,
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
    [item] = [deserialize_item(item) for item in harness.all_items() if item["user"]["S"] == ANN]
    assert (item["meetingId"], item["startedAt"]) == (MEETING.meeting_id, "2026-01-31T10:00:00.000Z")


def test_a_write_based_on_an_old_version_is_refused(harness: MeetingHarness) -> None:
    assert harness.table.write(None, STARTED_RECORD)
    assert not harness.table.write(None, STARTED_RECORD.model_copy(update={"title": "other"}))
    transcribing, summarizing = (
        apply_report(STARTED_RECORD, report, LATER) for report in (TRANSCRIPTION_REPORT, SUMMARY_REPORT)
    )
    assert transcribing.due == summarizing.due == STARTED_RECORD.due, "these writes do not change the due item"
    assert harness.table.write(STARTED_RECORD, transcribing)
    assert not harness.table.write(STARTED_RECORD, summarizing)
    timed_out, media_failed = (
        mark_failed(transcribing, reason, LATER) for reason in (MeetingReason.TIMED_OUT, MeetingReason.MEDIA_FAILED)
    )
    assert harness.table.write(transcribing, timed_out)
    assert not harness.table.write(transcribing, media_failed)
    assert (harness.table.read(MEETING), harness.sort_keys_due_for_sweep()) == (timed_out, [])


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
        return mark_failed(record, MeetingReason.TIMED_OUT, LATER)

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
        harness.table.update(MEETING, lambda record: mark_failed(record, MeetingReason.TIMED_OUT, LATER))


@pytest.mark.parametrize(
    ("call", "codes", "is_concurrent_write"),
    [
        ("transact_write_items", ["ConditionalCheckFailed", "None"], True),
        ("transact_write_items", ["None", "TransactionConflict"], True),
        ("transact_write_items", ["ThrottlingError", "None"], False),
        ("transact_write_items", ["ConditionalCheckFailed", "ValidationError"], False),
        ("put_item", ["TransactionConflictException"], True),
        ("put_item", ["ProvisionedThroughputExceededException"], False),
    ],
)
def test_only_condition_failures_and_conflicts_count_as_concurrent_writes(
    harness: MeetingHarness, monkeypatch: pytest.MonkeyPatch, call: str, codes: list[str], *, is_concurrent_write: bool
) -> None:
    harness.table.write(None, STARTED_RECORD)
    # A ready meeting has no due item any more, so this write is a transaction.
    after = apply_report(STARTED_RECORD, TRANSCRIPTION_REPORT if call == "put_item" else READY_REPORT, LATER)
    put_error = ClientError({"Error": {"Code": codes[0], "Message": CANARY}}, "PutItem")
    error = put_error if call == "put_item" else _transaction_cancelled(harness, codes)

    def raise_error(**_: Any) -> Any:
        raise error

    monkeypatch.setattr(harness.dynamodb, call, raise_error)
    if is_concurrent_write:
        assert not harness.table.write(STARTED_RECORD, after)
    else:
        with pytest.raises(ClientError):
            harness.table.write(STARTED_RECORD, after)


def _transaction_cancelled(harness: MeetingHarness, codes: list[str]) -> ClientError:
    response: Any = {
        "Error": {"Code": "TransactionCanceledException", "Message": CANARY},
        "CancellationReasons": [{"Code": code} for code in codes],
    }
    error: ClientError = harness.dynamodb.exceptions.TransactionCanceledException(response, "TransactWriteItems")
    return error


def test_due_meetings_are_listed_in_order_of_their_time(harness: MeetingHarness) -> None:
    for number, user in enumerate([ANN, BOB, ANN]):
        record = STARTED_RECORD.model_copy(update={"user": user, "meeting_id": ulid(START, number)})
        harness.table.write(None, record)
        harness.table.write(record, postpone_sweep(record, START + timedelta(hours=3 - number)))
    assert list(harness.table.list_due("2026-01-31T14:30:00.000Z")) == [
        DueMeeting(MeetingId(ANN, ulid(START, 2)), "2026-01-31T13:00:00.000Z"),
        DueMeeting(MeetingId(BOB, ulid(START, 1)), "2026-01-31T14:00:00.000Z"),
    ]


def test_due_items_belong_to_no_user_and_are_not_in_the_index(harness: MeetingHarness) -> None:
    harness.table.write(None, STARTED_RECORD)
    assert harness.sort_keys_due_for_sweep() == [f"{STARTED_RECORD.due}#{ANN}#{MEETING.meeting_id}"]
    with pytest.raises(ValueError, match="user and a ULID"):
        MeetingId(DUE_PARTITION, MEETING.meeting_id)
    assert len(DUE_PARTITION) != user_ids.USER_ID_LENGTH
    indexed_items = harness.dynamodb.scan(TableName=TABLE, IndexName=INDEX)["Items"]
    assert [item["user"]["S"] for item in indexed_items] == [ANN]


def apply_or_postpone(record: MeetingRecord, report: ExecutionReport | None, at: datetime) -> MeetingRecord:
    """Apply the report. Without a report, postpone the sweep of an unfinished meeting."""
    if report is None:
        return postpone_sweep(record, at) if record.due else record
    return apply_report(record, report, at)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=5)
@given(st.lists(st.sampled_from([*REPORTS, None]), max_size=6))
def test_exactly_the_unfinished_meetings_have_a_due_item(harness: MeetingHarness, reports: list[Any]) -> None:
    for item in harness.all_items():
        harness.dynamodb.delete_item(TableName=TABLE, Key={name: item[name] for name in ("user", "meetingId")})
    harness.table.write(None, STARTED_RECORD)
    for number, report in enumerate(reports):
        harness.table.update(MEETING, partial(apply_or_postpone, report=report, at=START + timedelta(minutes=number)))
        record = harness.record()
        is_unfinished = record.status in {MeetingStatus.INCOMPLETE, MeetingStatus.PROCESSING}
        assert harness.sort_keys_due_for_sweep() == (
            [f"{record.due}#{ANN}#{MEETING.meeting_id}"] if is_unfinished else []
        )
