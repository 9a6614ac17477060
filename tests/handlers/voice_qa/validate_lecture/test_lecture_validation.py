"""Validation of lectures after S3's notifications: each lecture's item gets the verdict on its newest version.

A lecture is an uploaded recording about which guests ask questions. Notifications may arrive twice, in any order, and
while another invocation validates the same lecture.
"""

from itertools import permutations
from typing import Any
from unittest.mock import DEFAULT, Mock

import boto3
import pytest

from handlers.voice_qa.records import parse_lecture_id
from handlers.voice_qa.validate_lecture import handler
from tests.handlers.common.fakes import client_error
from tests.handlers.voice_qa.validate_lecture.lecture_harness import (
    BUCKET,
    ENVIRONMENT,
    LECTURE_ID,
    LECTURE_KEY,
    OTHER_LECTURE_ID,
    TABLE,
    LectureHarness,
    call_handler,
    silence,
)
from tests.moto_tables import create_table, stored_items

READ = AssertionError("the object was read")
VALID, OTHER_VALID = silence(20_000), silence(30_000)
WEBM_HEADER = b"\x1a\x45\xdf\xa3\x87\x42\x82\x84webm"


def test_a_valid_lecture_becomes_ready(lectures: LectureHarness) -> None:
    assert lectures.handle(lectures.put(VALID)) == []
    item = lectures.item()
    assert (item["sessionId"], item["lectureId"]) == (f"lecture#{LECTURE_ID}", LECTURE_ID)
    assert (item["status"], item["durationMs"], "expiresAt" in item) == ("ready", 20_000, False)
    assert item["format"] == "wav", "the content determines the format, not the name"
    head = lectures.s3.head_object(Bucket=BUCKET, Key=LECTURE_KEY)
    assert (item["key"], item["versionId"]) == (LECTURE_KEY, head["VersionId"])


@pytest.mark.parametrize(("data", "code"), [(b"", "EMPTY"), (b"hello", "UNKNOWN_FORMAT"), (WEBM_HEADER, "UNREADABLE")])
def test_an_invalid_lecture_is_rejected_with_its_reason(lectures: LectureHarness, data: bytes, code: str) -> None:
    assert lectures.handle(lectures.put(data)) == []
    item = lectures.item()
    assert (item["status"], item["code"], "mp3, " in item["message"]) == ("rejected", code, "FORMAT" in code)


@pytest.mark.parametrize(
    ("milliseconds", "code"), [(9_999, "TOO_SHORT"), (10_000, None), (60_000, None), (60_001, "TOO_LONG")]
)
def test_the_duration_must_be_within_its_limits(
    lectures: LectureHarness, milliseconds: int, code: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handler, "LECTURE_MAX_SECONDS", 60)
    assert lectures.handle(lectures.put(silence(milliseconds))) == []
    assert lectures.item().get("code") == code


@pytest.mark.parametrize(("excess", "code"), [(0, None), (1, "TOO_LARGE")])
def test_a_file_that_is_too_large_is_not_read(
    lectures: LectureHarness, excess: int, code: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    new_object = lectures.put(VALID)
    lectures.environment = ENVIRONMENT.model_copy(update={"max_lecture_bytes": len(VALID) - excess})
    if code:
        monkeypatch.setattr(lectures.s3, "get_object", Mock(side_effect=READ))
    assert lectures.handle(new_object) == []
    assert lectures.item().get("code") == code


def test_the_entry_point_uses_its_environment(lectures: LectureHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    dynamodb = boto3.client("dynamodb")
    create_table(dynamodb, TABLE, "sessionId", "lectureId")
    for name, value in {"S3_BUCKET": BUCKET, "DYNAMODB_TABLE": TABLE, "MAX_LECTURE_BYTES": "1000"}.items():
        monkeypatch.setenv(name, value)
    handler._validator.cache_clear()
    assert call_handler(lectures.put(VALID)) == []
    handler._validator.cache_clear()
    assert [item["code"]["S"] for item in stored_items(dynamodb, TABLE)] == ["TOO_LARGE"]


def test_a_repeated_notification_changes_nothing_and_reads_nothing(
    lectures: LectureHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    new_object = lectures.put(VALID)
    lectures.handle(new_object)
    before = lectures.item()
    monkeypatch.setattr(lectures.s3, "get_object", Mock(side_effect=READ))
    assert lectures.handle(new_object, new_object) == []
    assert lectures.item() == before


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_the_newest_version_counts_for_any_order_of_notifications(
    lectures: LectureHarness, order: tuple[int, ...]
) -> None:
    lectures.table.store_owner(LECTURE_ID, "somebody")
    versions = [lectures.put(data) for data in (b"bad", VALID, OTHER_VALID)]
    for index in order:
        assert lectures.handle(versions[index]) == []
        assert lectures.handle(versions[0]) == [], "the notification of the oldest version may be repeated at any time"
    item = lectures.item()
    assert (item["status"], item["durationMs"], item["owner"]) == ("ready", 30_000, "somebody")
    assert lectures.table.find(LECTURE_ID).is_older_than("another key", "0"), "events of different keys have no order"


class Killed(BaseException):
    """The invocation is killed. No code may catch this."""


@pytest.mark.parametrize(
    ("client", "operation"), [("dynamodb", "get_item"), ("s3", "get_object"), ("dynamodb", "put_item")]
)
def test_an_invocation_that_is_killed_at_any_call_is_completed_by_the_next_delivery(
    lectures: LectureHarness, client: str, operation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: Any, **__: Any) -> None:
        raise Killed

    new_object = lectures.put(VALID)
    with monkeypatch.context() as patched:
        patched.setattr(getattr(lectures, client), operation, die)
        with pytest.raises(Killed):
            lectures.handle(new_object)
    assert lectures.handle(new_object) == []
    assert lectures.item()["status"] == "ready"


@pytest.mark.parametrize("change", ["delete", "replace"])
@pytest.mark.parametrize("versioned", [True, False])
def test_only_the_announced_version_is_judged(
    lectures: LectureHarness, change: str, *, versioned: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    if not versioned:
        lectures.s3.delete_bucket(Bucket=BUCKET)
        lectures.s3.create_bucket(Bucket=BUCKET)
    new_object = lectures.put(b"OggS, but no recording")
    if change == "delete":
        version = lectures.s3.head_object(Bucket=BUCKET, Key=LECTURE_KEY).get("VersionId", "null")
        lectures.s3.delete_object(Bucket=BUCKET, Key=LECTURE_KEY, VersionId=version)
    else:
        lectures.put(VALID)
    assert lectures.handle(new_object) == []
    gone = change == "delete" or not versioned
    assert ("lecture_gone" in capsys.readouterr().out, lectures.item() == {}) == (gone, gone)
    assert lectures.item().get("status") == (None if gone else "rejected")


@pytest.mark.parametrize(("code", "status"), [("SlowDown", 503), ("AccessDenied", 403)])
def test_only_the_message_whose_object_cannot_be_read_is_returned(
    lectures: LectureHarness, code: str, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    new_object, other_object = lectures.put(VALID), lectures.put(VALID, f"lectures/{OTHER_LECTURE_ID}/a")
    get_object = Mock(wraps=lectures.s3.get_object, side_effect=[client_error(code, status), DEFAULT, DEFAULT])
    monkeypatch.setattr(lectures.s3, "get_object", get_object)
    assert lectures.handle(new_object, other_object) == ["0"]
    assert not lectures.item()
    assert lectures.item(OTHER_LECTURE_ID)["status"] == "ready"
    assert lectures.handle(new_object) == []
    assert lectures.item()["status"] == "ready"


def test_messages_that_announce_no_object_of_the_bucket_are_returned(lectures: LectureHarness) -> None:
    message = lectures.put(VALID)
    other_bucket = message.replace(f'"name": "{BUCKET}"', '"name": "other"')
    assert lectures.handle("not json", message, "{}", other_bucket) == ["0", "2", "3"]
    assert lectures.item()["status"] == "ready"


def test_a_lecture_is_one_object_directly_below_its_id() -> None:
    for name in ("a.mp3", "a b+c%.MOV", "日本", ".hidden", "lectures"):
        assert parse_lecture_id(f"lectures/{LECTURE_ID}/{name}") == LECTURE_ID
    for key in (
        *("", "lectures/a.mp3", f"lectures/{LECTURE_ID}", f"lectures/{LECTURE_ID}/"),
        *(f"lectures/{LECTURE_ID.lower()}/a.mp3", f"lectures/{LECTURE_ID}/a/b.mp3", f"lectures/{LECTURE_ID}0/a.mp3"),
        *(f"lectures/8{LECTURE_ID[1:]}/a.mp3", f"queries/{LECTURE_ID}/a.mp3", f"xlectures/{LECTURE_ID}/a.mp3"),
    ):
        assert parse_lecture_id(key) is None


def test_an_object_of_no_lecture_is_logged_and_creates_no_item(
    lectures: LectureHarness, capsys: pytest.CaptureFixture[str]
) -> None:
    assert lectures.handle(lectures.put(b"x", "lectures/canary.mp3")) == []
    assert stored_items(lectures.dynamodb, TABLE) == []
    log_output = capsys.readouterr().out
    assert log_output.count("lecture_key_ignored") == 1
    assert "canary" not in log_output
