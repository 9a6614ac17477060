"""Validation of lectures after S3's notifications: each lecture's item gets the verdict on its newest object.

A lecture is an uploaded recording about which guests ask questions. Notifications may arrive twice, in any order, and
while another invocation validates the same lecture.
"""

from datetime import timedelta
from itertools import permutations
from typing import Any

import pytest
from botocore.exceptions import ClientError

from handlers.common.events import NewObject
from handlers.common.records import MAX_ATTEMPTS, TooManyWriters
from handlers.voice_qa.lecture_upload_rules import parse_upload
from handlers.voice_qa.validate_lecture.lecture_validation import ValidationOutcome
from tests.handlers.voice_qa.validate_lecture.lecture_harness import (
    BUCKET,
    LECTURE_ID,
    LECTURE_KEY,
    NOW,
    OTHER_LECTURE_ID,
    TABLE,
    FailingClient,
    LectureHarness,
    spoken,
)

pytestmark = pytest.mark.media
SECOND = timedelta(seconds=1)


def client_error(code: str, status: int, operation: str = "GetObject") -> ClientError:
    return ClientError({"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}, operation)  # type: ignore[typeddict-item]


def test_a_valid_lecture_becomes_ready(lectures: LectureHarness) -> None:
    new_object = lectures.put(spoken("mp3"), arrived=NOW - SECOND)
    assert lectures.handle(new_object) == []
    item = lectures.item()
    assert item.pop("duration_ms") == pytest.approx(12345, abs=60)
    assert item == {
        "sessionId": f"lecture#{LECTURE_ID}",
        "lectureId": LECTURE_ID,
        "status": "ready",
        "format": "mp3",
        "size": new_object.size,
        "object_key": LECTURE_KEY,
        "version_id": new_object.version_id,
        "etag": new_object.etag,
        "uploaded_at": "2026-01-03T11:59:59.123Z",
        "validated_at": "2026-01-03T12:00:00.123Z",
        "schema_version": 1,
    }


@pytest.mark.parametrize(
    ("data", "code"), [(b"", "EMPTY"), (b"hello", "UNKNOWN_FORMAT"), (b"fLaC" + bytes(50), "UNREADABLE")]
)
def test_an_invalid_lecture_is_rejected_with_its_reason(lectures: LectureHarness, data: bytes, code: str) -> None:
    assert lectures.handle(lectures.put(data)) == []
    item = lectures.item()
    assert (item["status"], item["reason_code"]) == ("rejected", code)
    assert item["reason"].endswith(".")
    assert "format" not in item


def test_a_file_that_is_too_large_is_not_read(lectures: LectureHarness) -> None:
    new_object = lectures.put(b"x").model_copy(update={"size": 10**12})
    lectures.s3 = FailingClient(lectures.s3, "get_object", AssertionError("read"))
    assert lectures.handle(new_object) == []
    assert lectures.item()["reason_code"] == "TOO_LARGE"


def test_the_validator_keeps_the_owner_that_the_websocket_handler_stored(lectures: LectureHarness) -> None:
    key = {"sessionId": {"S": f"lecture#{LECTURE_ID}"}, "lectureId": {"S": LECTURE_ID}}
    lectures.dynamodb.put_item(TableName=TABLE, Item=key | {"owner": {"S": "somebody"}, "status": {"S": "awaited"}})
    lectures.handle(lectures.put(spoken("mp3")))
    assert (lectures.item()["owner"], lectures.item()["status"]) == ("somebody", "ready")
    lectures.handle(lectures.put(b"now something else"))
    assert (lectures.item()["owner"], lectures.item()["status"]) == ("somebody", "rejected")


@pytest.mark.parametrize("kind", ["mp3", "flac", None])
def test_a_repeated_notification_changes_nothing_and_reads_nothing(lectures: LectureHarness, kind: str | None) -> None:
    new_object = lectures.put(spoken(kind) if kind else b"bad")
    lectures.handle(new_object)
    assert lectures.item().get("format") == kind, "the content determines the format, not the name"
    before, lectures.now = lectures.item(), lectures.now + SECOND
    lectures.s3 = FailingClient(lectures.s3, "get_object", AssertionError("read"))
    assert lectures.handle(new_object, new_object) == []
    assert lectures.item() == before


def test_the_verdict_on_a_newer_version_replaces_all_attributes_of_the_older_one(lectures: LectureHarness) -> None:
    lectures.handle(lectures.put(b"bad"))
    lectures.handle(lectures.put(spoken("mp3")))
    item = lectures.item()
    assert item["status"] == "ready"
    assert not item.keys() & {"reason", "reason_code"}
    lectures.handle(lectures.put(b"bad again"))
    assert not lectures.item().keys() & {"format", "duration_ms"}


@pytest.mark.parametrize("versioned", [True, False])
@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_the_newest_version_counts_for_any_order_of_notifications(
    lectures: LectureHarness, order: tuple[int, ...], versioned: bool
) -> None:
    if not versioned:
        lectures.remove_versioning()
    versions = [
        # Newer versions have earlier times, because the clocks of S3's servers may differ.
        lectures.put(data, arrived=NOW - index * SECOND)
        for index, data in enumerate((b"bad", spoken("mp3"), spoken("wav")))
    ]
    for index in order:
        assert lectures.handle(versions[index]) == []
        assert lectures.handle(versions[0]) == [], "the notification of the oldest version may be repeated at any time"
    assert (lectures.item()["status"], lectures.item()["format"]) == ("ready", "wav")
    assert lectures.item()["version_id"] == versions[2].version_id


def test_a_misplaced_object_counts_only_without_a_valid_one(lectures: LectureHarness) -> None:
    misplaced_object = lectures.put(spoken("mp3"), f"lectures/{LECTURE_ID}/a/b.mp3", NOW + SECOND)
    lectures.handle(misplaced_object)
    assert (lectures.item()["status"], lectures.item()["reason_code"]) == ("rejected", "MISPLACED")
    lectures.handle(lectures.put(spoken("mp3")))
    assert lectures.item()["status"] == "ready"
    lectures.handle(misplaced_object)
    assert lectures.item()["status"] == "ready"


def test_an_object_without_a_lecture_id_is_counted_and_creates_no_item(
    lectures: LectureHarness, capsys: pytest.CaptureFixture[str]
) -> None:
    without_id, folder = lectures.put(b"x", "lectures/canary.mp3"), lectures.put(b"", f"lectures/{LECTURE_ID}/")
    assert lectures.handle(without_id, folder) == []
    assert lectures.item_count() == 0
    log_output = capsys.readouterr().out
    assert log_output.count("lecture_key_ignored") == 1, "a folder of the S3 console is no lecture"
    assert '"ignored":2' in log_output


@pytest.mark.parametrize("versioned", [True, False])
def test_a_version_that_was_deleted_is_not_validated(
    lectures: LectureHarness, versioned: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    if not versioned:
        lectures.remove_versioning()
    new_object = lectures.put(spoken("mp3"))
    version = {"VersionId": new_object.version_id} if versioned else {}
    lectures.s3.delete_object(Bucket=BUCKET, Key=LECTURE_KEY, **version)
    assert lectures.handle(new_object) == []
    assert lectures.item_count() == 0
    assert "lecture_gone" in capsys.readouterr().out


@pytest.mark.parametrize(
    "error",
    [
        client_error(*failure)
        for failure in (("SlowDown", 503), ("InternalError", 500), ("AccessDenied", 403), ("NoSuchBucket", 404))
    ],
)
def test_only_the_message_whose_object_cannot_be_read_is_returned(lectures: LectureHarness, error: ClientError) -> None:
    new_object = lectures.put(spoken("mp3"))
    other_object = lectures.put(spoken("mp3"), f"lectures/{OTHER_LECTURE_ID}/a")
    lectures.s3 = FailingClient(lectures.s3, "get_object", error, times=1)
    assert lectures.handle(new_object, other_object) == ["0"]
    assert not lectures.item()
    assert lectures.item(OTHER_LECTURE_ID)["status"] == "ready"
    assert lectures.handle(new_object) == []


@pytest.mark.parametrize("operation", ["get_item", "update_item"])
def test_a_message_whose_item_cannot_be_read_or_written_is_returned(lectures: LectureHarness, operation: str) -> None:
    new_object = lectures.put(spoken("mp3"))
    lectures.dynamodb = FailingClient(lectures.dynamodb, operation, client_error("ThrottlingException", 400), times=1)
    assert lectures.handle(new_object) == ["0"]
    assert lectures.handle(new_object) == []
    assert lectures.item()["status"] == "ready"


def test_a_message_is_returned_if_the_current_version_cannot_be_determined(lectures: LectureHarness) -> None:
    lectures.handle(lectures.put(spoken("mp3")))
    new_object = lectures.put(spoken("wav"))
    lectures.s3 = FailingClient(lectures.s3, "head_object", client_error("500", 500, "HeadObject"), times=1)
    assert lectures.handle(new_object) == ["0"]
    assert lectures.handle(new_object) == []
    assert lectures.item()["format"] == "wav"
    deleted_object = lectures.put(spoken("flac"))
    lectures.s3.delete_object(Bucket=BUCKET, Key=LECTURE_KEY)
    assert lectures.handle(deleted_object) == []
    assert lectures.item()["format"] == "wav", "an object that was deleted meanwhile is not newer"


def test_invalid_messages_are_returned_and_the_others_are_validated(lectures: LectureHarness) -> None:
    other_bucket = NewObject(bucket="other", key=LECTURE_KEY, version_id="v", size=1, etag="e", arrived=NOW)
    assert lectures.handle("not json", lectures.put(spoken("mp3")), "{}", other_bucket) == ["0", "2", "3"]
    assert lectures.item()["status"] == "ready"


class TableWithConcurrentWriter:
    """DynamoDB client. Before each of its next updates, a concurrent validation of another upload is completed."""

    def __init__(self, lectures: LectureHarness, client: Any, concurrent_uploads: list[NewObject]) -> None:
        self._lectures, self._client, self._concurrent_uploads = lectures, client, concurrent_uploads

    def __getattr__(self, name: str) -> Any:
        if name == "update_item" and self._concurrent_uploads:
            self._lectures.dynamodb = self._client
            assert self._lectures.handle(self._concurrent_uploads.pop(0)) == []
            self._lectures.dynamodb = self
        return getattr(self._client, name)


@pytest.mark.parametrize("has_item", [False, True])
def test_of_two_concurrent_validations_the_newer_upload_counts(lectures: LectureHarness, has_item: bool) -> None:
    if has_item:
        lectures.handle(lectures.put(b"bad"))
    older_upload = parse_upload(lectures.put(spoken("mp3")))
    assert older_upload is not None
    newer_object = lectures.put(spoken("wav"), f"lectures/{LECTURE_ID}/2" if has_item else LECTURE_KEY, NOW + SECOND)
    lectures.dynamodb = TableWithConcurrentWriter(lectures, lectures.dynamodb, [newer_object])
    assert lectures.validator.validate(older_upload) is ValidationOutcome.NOT_REPLACED
    assert lectures.item()["format"] == "wav"


def test_an_upload_that_is_validated_twice_at_the_same_time_is_written_once(lectures: LectureHarness) -> None:
    new_object = lectures.put(spoken("mp3"))
    upload = parse_upload(new_object)
    assert upload is not None
    lectures.dynamodb = TableWithConcurrentWriter(lectures, lectures.dynamodb, [new_object])
    assert lectures.validator.validate(upload) is ValidationOutcome.SAME


def test_a_lecture_that_changes_before_each_update_raises_an_error(lectures: LectureHarness) -> None:
    upload = parse_upload(lectures.put(b"bad", f"lectures/{LECTURE_ID}/1", NOW + 99 * SECOND))
    assert upload is not None
    keys = [f"lectures/{LECTURE_ID}/n{index}" for index in range(MAX_ATTEMPTS)]
    other_objects = [lectures.put(b"bad", key, NOW + index * SECOND) for index, key in enumerate(keys)]
    lectures.dynamodb = TableWithConcurrentWriter(lectures, lectures.dynamodb, other_objects)
    with pytest.raises(TooManyWriters):
        lectures.validator.validate(upload)
