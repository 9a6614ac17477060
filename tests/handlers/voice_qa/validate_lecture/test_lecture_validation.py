"""Validation of uploads: once per version, in any order of events, with failures isolated to their messages."""

from datetime import timedelta
from itertools import permutations
from typing import Any

import pytest
from botocore.exceptions import ClientError

from handlers.common.aws.dynamodb_versioned_items import MAX_ATTEMPTS, TooManyWriters
from handlers.common.aws.s3_notifications import NewObject
from handlers.voice_qa.lecture_upload_rules import parse_upload
from handlers.voice_qa.validate_lecture.lecture_validation import ValidationOutcome
from tests.handlers.common.audio.sample_files import spoken
from tests.handlers.voice_qa.validate_lecture.lecture_harness import (
    BUCKET,
    ID,
    KEY,
    NOW,
    OTHER,
    TABLE,
    FailingClient,
    LectureHarness,
    notification,
)

pytestmark = pytest.mark.media
SECOND = timedelta(seconds=1)


def client_error(code: str, status: int, operation: str = "GetObject") -> ClientError:
    return ClientError({"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}, operation)  # type: ignore[typeddict-item]


def test_a_valid_lecture_becomes_ready(lectures: LectureHarness) -> None:
    one = lectures.put(spoken("mp3"), arrived=NOW - SECOND)
    assert lectures.handle(one) == []
    item = lectures.item()
    assert item.pop("duration_ms") == pytest.approx(12345, abs=60)
    assert item == {
        "sessionId": f"lecture#{ID}",
        "lectureId": ID,
        "status": "ready",
        "format": "mp3",
        "size": one.size,
        "object_key": KEY,
        "version_id": one.version_id,
        "etag": one.etag,
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
    one = lectures.put(b"x").model_copy(update={"size": 10**12})
    lectures.s3 = FailingClient(lectures.s3, "get_object", AssertionError("read"))
    assert lectures.handle(one) == []
    assert lectures.item()["reason_code"] == "TOO_LARGE"


def test_attributes_that_other_writers_set_are_kept(lectures: LectureHarness) -> None:
    key = {"sessionId": {"S": f"lecture#{ID}"}, "lectureId": {"S": ID}}
    lectures.dynamodb.put_item(TableName=TABLE, Item=key | {"owner": {"S": "somebody"}, "status": {"S": "awaited"}})
    lectures.handle(lectures.put(spoken("mp3")))
    assert (lectures.item()["owner"], lectures.item()["status"]) == ("somebody", "ready")
    lectures.handle(lectures.put(b"now something else"))
    assert (lectures.item()["owner"], lectures.item()["status"]) == ("somebody", "rejected")


@pytest.mark.parametrize("kind", ["mp3", "flac", None])
def test_a_repeated_event_changes_nothing_and_reads_nothing(lectures: LectureHarness, kind: str | None) -> None:
    one = lectures.put(spoken(kind) if kind else b"bad")
    lectures.handle(one)
    assert lectures.item().get("format") == kind, "whatever its name is"
    before, lectures.now = lectures.item(), lectures.now + SECOND
    lectures.s3 = FailingClient(lectures.s3, "get_object", AssertionError("read"))
    assert lectures.handle(one, one) == []
    assert lectures.item() == before


def test_a_newer_version_replaces_the_whole_result_of_the_older_one(lectures: LectureHarness) -> None:
    lectures.handle(lectures.put(b"bad"))
    lectures.handle(lectures.put(spoken("mp3")))
    item = lectures.item()
    assert item["status"] == "ready"
    assert not item.keys() & {"reason", "reason_code"}
    lectures.handle(lectures.put(b"bad again"))
    assert not lectures.item().keys() & {"format", "duration_ms"}


@pytest.mark.parametrize("versioned", [True, False])
@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_the_newest_version_stays_for_any_order_of_events(
    lectures: LectureHarness, order: tuple[int, ...], versioned: bool
) -> None:
    if not versioned:
        lectures.unversioned()
    versions = [
        lectures.put(data, arrived=NOW - place * SECOND)  # as if their clocks ran backwards
        for place, data in enumerate((b"bad", spoken("mp3"), spoken("wav")))
    ]
    for place in order:
        assert lectures.handle(versions[place]) == []
        assert lectures.handle(versions[0]) == []
    assert (lectures.item()["status"], lectures.item()["format"]) == ("ready", "wav")
    assert lectures.item()["version_id"] == versions[2].version_id


def test_of_files_with_different_names_the_later_one_counts(lectures: LectureHarness) -> None:
    first = lectures.put(spoken("mp3"), f"lectures/{ID}/1")
    second = lectures.put(spoken("wav"), f"lectures/{ID}/2", NOW + SECOND)
    for stream in (second, first, second):
        lectures.handle(stream)
    assert lectures.item()["object_key"] == f"lectures/{ID}/2"


def test_a_misplaced_file_is_recorded_only_if_there_is_no_other(lectures: LectureHarness) -> None:
    stray = lectures.put(spoken("mp3"), f"lectures/{ID}/a/b.mp3", NOW + SECOND)
    lectures.handle(stray)
    assert (lectures.item()["status"], lectures.item()["reason_code"]) == ("rejected", "MISPLACED")
    lectures.handle(lectures.put(spoken("mp3")))
    assert lectures.item()["status"] == "ready"
    lectures.handle(stray)
    assert lectures.item()["status"] == "ready"


def test_an_object_without_a_lecture_id_is_counted_and_leaves_no_item(
    lectures: LectureHarness, capsys: pytest.CaptureFixture[str]
) -> None:
    assert lectures.handle(lectures.put(b"x", "lectures/canary.mp3"), lectures.put(b"", f"lectures/{ID}/")) == []
    assert lectures.items() == 0
    written = capsys.readouterr().out
    assert written.count("lecture_key_ignored") == 2
    assert '"ignored":2' in written


@pytest.mark.parametrize("versioned", [True, False])
def test_a_deleted_version_ends_the_validation(
    lectures: LectureHarness, versioned: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    if not versioned:
        lectures.unversioned()
    one = lectures.put(spoken("mp3"))
    lectures.s3.delete_object(Bucket=BUCKET, Key=KEY, **({"VersionId": one.version_id} if versioned else {}))
    assert lectures.handle(one) == []
    assert lectures.items() == 0
    assert "lecture_gone" in capsys.readouterr().out


@pytest.mark.parametrize(
    "error",
    [
        client_error(*failure)
        for failure in (("SlowDown", 503), ("InternalError", 500), ("AccessDenied", 403), ("NoSuchBucket", 404))
    ],
)
def test_a_failing_bucket_returns_only_its_own_message(lectures: LectureHarness, error: ClientError) -> None:
    one, other = lectures.put(spoken("mp3")), lectures.put(spoken("mp3"), f"lectures/{OTHER}/a")
    lectures.s3 = FailingClient(lectures.s3, "get_object", error, times=1)
    assert lectures.handle(one, other) == ["0"]
    assert not lectures.item()
    assert lectures.item(OTHER)["status"] == "ready"
    assert lectures.handle(one) == []


@pytest.mark.parametrize("operation", ["get_item", "update_item"])
def test_a_failing_table_returns_the_message(lectures: LectureHarness, operation: str) -> None:
    one = lectures.put(spoken("mp3"))
    lectures.dynamodb = FailingClient(lectures.dynamodb, operation, client_error("ThrottlingException", 400), times=1)
    assert lectures.handle(one) == ["0"]
    assert lectures.handle(one) == []
    assert lectures.item()["status"] == "ready"


def test_a_bucket_that_cannot_name_the_current_version_returns_the_message(lectures: LectureHarness) -> None:
    lectures.handle(lectures.put(spoken("mp3")))
    one = lectures.put(spoken("wav"))
    lectures.s3 = FailingClient(lectures.s3, "head_object", client_error("500", 500, "HeadObject"), times=1)
    assert lectures.handle(one) == ["0"]
    assert lectures.handle(one) == []
    assert lectures.item()["format"] == "wav"
    deleted = lectures.put(spoken("flac"))
    lectures.s3.delete_object(Bucket=BUCKET, Key=KEY)
    assert lectures.handle(deleted) == []
    assert lectures.item()["format"] == "wav", "no version is newer if the object was deleted since"


def test_an_invalid_message_is_refused_and_the_rest_of_the_batch_continues(lectures: LectureHarness) -> None:
    foreign = NewObject(bucket="other", key=KEY, version_id="v", size=1, etag="e", arrived=NOW)
    assert lectures.handle("not json", lectures.put(spoken("mp3")), "{}", foreign) == ["0", "2", "3"]
    assert lectures.item()["status"] == "ready"


def test_the_records_of_a_message_before_an_invalid_one_are_validated(lectures: LectureHarness) -> None:
    good = notification(lectures.put(spoken("mp3")))
    assert lectures.handle(good.replace("]}", ', {"x": 1}]}')) == ["0"]
    assert lectures.item()["status"] == "ready"


class TableWithConcurrentWriter:
    """Table to which another writer writes just before an update."""

    def __init__(self, lectures: LectureHarness, client: Any, meddle: list[NewObject]) -> None:
        self._stage, self._client, self._meddle = lectures, client, meddle

    def __getattr__(self, name: str) -> Any:
        if name == "update_item" and self._meddle:
            self._stage.dynamodb = self._client
            assert self._stage.handle(self._meddle.pop()) == []
        return getattr(self._client, name)


@pytest.mark.parametrize("first", [True, False])
def test_of_two_concurrent_validations_the_newer_upload_stays(lectures: LectureHarness, first: bool) -> None:
    if not first:
        lectures.handle(lectures.put(b"bad"))
    older = parse_upload(lectures.put(spoken("mp3")))
    assert older is not None
    newer = lectures.put(spoken("wav"), KEY if first else f"lectures/{ID}/2", NOW + SECOND)
    lectures.dynamodb = TableWithConcurrentWriter(lectures, lectures.dynamodb, [newer])
    assert lectures.validator.validate(older) is ValidationOutcome.NOT_REPLACED
    assert lectures.item()["format"] == "wav"


def test_an_upload_that_is_validated_twice_at_the_same_time_is_written_once(lectures: LectureHarness) -> None:
    one = lectures.put(spoken("mp3"))
    upload = parse_upload(one)
    assert upload is not None
    lectures.dynamodb = TableWithConcurrentWriter(lectures, lectures.dynamodb, [one])
    assert lectures.validator.validate(upload) is ValidationOutcome.SAME


def test_a_lecture_that_changes_each_time_is_retried_later(lectures: LectureHarness) -> None:
    upload = parse_upload(lectures.put(b"bad", f"lectures/{ID}/1", NOW + 99 * SECOND))
    assert upload is not None
    others = [lectures.put(b"bad", f"lectures/{ID}/n{place}", NOW + place * SECOND) for place in range(MAX_ATTEMPTS)]

    class Busy(TableWithConcurrentWriter):
        def __getattr__(self, name: str) -> Any:
            if name == "update_item":
                found = super().__getattr__(name)
                self._stage.dynamodb = self
                return found
            return getattr(self._client, name)

    others.reverse()
    lectures.dynamodb = Busy(lectures, lectures.dynamodb, others)
    with pytest.raises(TooManyWriters):
        lectures.validator.validate(upload)


def test_no_key_name_or_id_is_logged(lectures: LectureHarness, capsys: pytest.CaptureFixture[str]) -> None:
    one = lectures.put(spoken("mp3"))
    lectures.handle(one, one, lectures.put(b"canary"), lectures.put(b"x", f"lectures/{OTHER}/canary/x"))
    lectures.handle(lectures.put(b"x", "lectures/canary"), '{"Records": [{"s3": "canary"}]}', "canary")
    lectures.s3 = FailingClient(lectures.s3, "get_object", client_error("canary", 503))
    lectures.handle(lectures.put(b"y"))
    lectures.sweep().run()
    written = capsys.readouterr()
    assert written.out.count("message_failed") == 1
    for canary in ("canary", ID, OTHER, one.etag, one.version_id):
        assert canary not in written.out + written.err
