"""A meeting is written only as it follows from what is there, together with where the sweep looks for it."""

from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from handlers.common.aws.dynamodb_values import plain
from handlers.common.aws.versioned_items import TooManyWriters
from handlers.common.identity import user_ids
from handlers.common.time_and_ids.ulid import ulid
from handlers.meetings.complete_file import ChunkProblem, WrongChunk
from handlers.meetings.meeting_progress import apply_report, mark_failed, postpone
from handlers.meetings.meeting_record import DUE_PARTITION, INDEX, MeetingReason, MeetingRecord, MeetingStatus
from handlers.meetings.meeting_table import DueMeeting, MeetingTable
from handlers.meetings.s3_keys import MeetingId
from tests.handlers.meetings.meeting_setup import ANN, BOB, CANARY, MEETING, START, TABLE, Stage
from tests.handlers.meetings.test_meeting_progress import BEGUN, LATER, WORDS


def of(user: str, number: int = 1) -> MeetingRecord:
    return BEGUN.model_copy(update={"user": user, "meeting_id": ulid(START, number)})


def test_what_is_written_comes_back(stage: Stage) -> None:
    wrong = (WrongChunk(name="a", problem=ChunkProblem.SIZE),)
    record = BEGUN.model_copy(update={"wrong": wrong, "tags": ("a", "\u00e9"), "duration_ms": 5})
    assert stage.table.read(MEETING) is None
    assert stage.table.write(None, record)
    assert stage.table.read(MEETING) == record
    [item] = [plain(item) for item in stage.stored() if item["user"]["S"] == ANN]
    assert (item["meetingId"], item["startedAt"]) == (MEETING.meeting_id, "2026-01-31T10:00:00.000Z")


def test_who_comes_second_does_not_write(stage: Stage) -> None:
    assert stage.table.write(None, BEGUN)
    assert not stage.table.write(None, BEGUN.model_copy(update={"title": "mine"}))
    first, second = (apply_report(BEGUN, word, LATER) for word in WORDS[1:3])
    assert first.due == second.due == BEGUN.due
    assert stage.table.write(BEGUN, first)
    assert not stage.table.write(BEGUN, second)
    done, given_up = (
        mark_failed(first, reason, LATER) for reason in (MeetingReason.TIMED_OUT, MeetingReason.MEDIA_FAILED)
    )
    assert stage.table.write(first, done)
    assert not stage.table.write(first, given_up)
    assert (stage.table.read(MEETING), stage.open()) == (done, [])


def test_a_write_whose_answer_was_lost_has_succeeded(stage: Stage) -> None:
    stage.table.write(None, BEGUN)
    after = apply_report(BEGUN, WORDS[1], LATER)
    assert [stage.table.write(BEGUN, after) for _ in range(2)] == [True, True]


def test_a_move_is_made_on_top_of_what_another_wrote(stage: Stage) -> None:
    stage.table.write(None, BEGUN)
    seen: list[str] = []

    def move(record: MeetingRecord) -> MeetingRecord:
        seen.append(record.title)
        if len(seen) == 1:
            stage.table.write(record, record.model_copy(update={"title": "theirs", "version": 2}))
        return mark_failed(record, MeetingReason.TIMED_OUT, LATER)

    change = stage.table.update(MEETING, move)
    assert change is not None
    assert change.has_changed
    assert (seen, change.after.title, change.after.version) == ([f"{CANARY} title", "theirs"], "theirs", 3)


def test_a_move_that_changes_nothing_is_not_written(stage: Stage) -> None:
    stage.table.write(None, BEGUN)
    with stage.counted() as calls:
        change = stage.table.update(MEETING, lambda record: record)
    assert change is not None
    assert not change.has_changed
    assert calls == ["GetItem"]
    assert stage.table.update(MeetingId(BOB, MEETING.meeting_id), lambda record: record) is None


def test_a_meeting_that_never_holds_still_is_an_error(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    stage.table.write(None, BEGUN)
    monkeypatch.setattr(MeetingTable, "write", lambda *_: False)
    with pytest.raises(TooManyWriters):
        stage.table.update(MEETING, lambda record: mark_failed(record, MeetingReason.TIMED_OUT, LATER))


@pytest.mark.parametrize(
    ("call", "codes", "beaten"),
    [
        ("transact_write_items", ["ConditionalCheckFailed", "None"], True),
        ("transact_write_items", ["None", "TransactionConflict"], True),
        ("transact_write_items", ["ThrottlingError", "None"], False),
        ("transact_write_items", ["ConditionalCheckFailed", "ValidationError"], False),
        ("put_item", ["TransactionConflictException"], True),
        ("put_item", ["ProvisionedThroughputExceededException"], False),
    ],
)
def test_a_clash_is_another_who_was_quicker_and_anything_else_is_not(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, call: str, codes: list[str], *, beaten: bool
) -> None:
    stage.table.write(None, BEGUN)
    after = apply_report(BEGUN, WORDS[1 if call == "put_item" else 4], LATER)
    single = ClientError({"Error": {"Code": codes[0], "Message": CANARY}}, "PutItem")
    error = single if call == "put_item" else _cancelled(stage, codes)

    def refuse(**_: Any) -> Any:
        raise error

    monkeypatch.setattr(stage.dynamodb, call, refuse)
    if beaten:
        assert not stage.table.write(BEGUN, after)
    else:
        with pytest.raises(ClientError):
            stage.table.write(BEGUN, after)


def _cancelled(stage: Stage, codes: list[str]) -> ClientError:
    answer: Any = {
        "Error": {"Code": "TransactionCanceledException", "Message": CANARY},
        "CancellationReasons": [{"Code": code} for code in codes],
    }
    error: ClientError = stage.dynamodb.exceptions.TransactionCanceledException(answer, "TransactWriteItems")
    return error


def test_what_is_due_is_found_by_when_and_whose(stage: Stage) -> None:
    for number, user in enumerate([ANN, BOB, ANN]):
        record = of(user, number)
        stage.table.write(None, record)
        stage.table.write(record, postpone(record, START + timedelta(hours=3 - number)))
    found = list(stage.table.list_due("2026-01-31T14:30:00.000Z"))
    assert found == [
        DueMeeting(MeetingId(ANN, ulid(START, 2)), "2026-01-31T13:00:00.000Z"),
        DueMeeting(MeetingId(BOB, ulid(START, 1)), "2026-01-31T14:00:00.000Z"),
    ]


def test_what_the_sweep_finds_by_is_no_users_and_in_no_list(stage: Stage) -> None:
    stage.table.write(None, BEGUN)
    assert stage.open() == [f"{BEGUN.due}#{ANN}#{MEETING.meeting_id}"]
    with pytest.raises(ValueError, match="user and a ULID"):
        MeetingId(DUE_PARTITION, MEETING.meeting_id)
    assert len(DUE_PARTITION) != user_ids.LENGTH
    listed = stage.dynamodb.scan(TableName=TABLE, IndexName=INDEX)["Items"]
    assert [item["user"]["S"] for item in listed] == [ANN]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=5)
@given(st.lists(st.sampled_from([*WORDS, None]), max_size=6))
def test_whoever_waits_is_where_the_sweep_looks_and_nobody_else(stage: Stage, words: list[Any]) -> None:
    for one in stage.stored():
        stage.dynamodb.delete_item(TableName=TABLE, Key={name: one[name] for name in ("user", "meetingId")})
    stage.table.write(None, BEGUN)
    for number, word in enumerate(words):
        at = START + timedelta(minutes=number)
        stage.table.update(
            MEETING,
            lambda old: postpone(old, at) if word is None and old.due else apply_report(old, word or WORDS[1], at),  # noqa: B023
        )
        record = stage.record()
        waits = record.status in {MeetingStatus.INCOMPLETE, MeetingStatus.PROCESSING}
        assert stage.open() == ([f"{record.due}#{ANN}#{MEETING.meeting_id}"] if waits else [])
