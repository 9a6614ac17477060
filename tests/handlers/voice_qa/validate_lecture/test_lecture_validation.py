"""Validation of lectures after S3's notifications: each lecture's item gets the verdict on its newest version.

A lecture is an uploaded recording about which guests ask questions. Notifications may arrive twice, in any order, and
while another invocation validates the same lecture.
"""

import io
import wave
from collections.abc import Callable
from itertools import permutations
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from handlers.common.events import NewObject
from handlers.voice_qa.environment import ValidatorEnvironment
from handlers.voice_qa.lectures import Lecture, parse_lecture_id
from handlers.voice_qa.messages import LectureState
from handlers.voice_qa.validate_lecture import handler
from tests.handlers.voice_qa.validate_lecture.lecture_harness import (
    BUCKET,
    ENVIRONMENT,
    LECTURE_ID,
    LECTURE_KEY,
    NOW,
    OTHER_LECTURE_ID,
    TABLE,
    FailingClient,
    LectureHarness,
    notification,
    spoken,
)

pytestmark = pytest.mark.media
READ = AssertionError("the object was read")


def client_error(code: str, status: int = 400) -> ClientError:
    return ClientError({"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}, "GetObject")  # type: ignore[typeddict-item]


def silence(milliseconds: int) -> bytes:
    """Return a WAV file of this length."""
    file = io.BytesIO()
    with wave.open(file, "wb") as recording:
        recording.setnchannels(1)
        recording.setsampwidth(1)
        recording.setframerate(1000)
        recording.writeframes(bytes(milliseconds))
    return file.getvalue()


def limits(**changes: Any) -> ValidatorEnvironment:
    return ValidatorEnvironment.model_validate(dict(ENVIRONMENT) | changes)


def test_a_valid_lecture_becomes_ready(lectures: LectureHarness) -> None:
    new_object = lectures.put(spoken("flac"))
    assert lectures.handle(new_object) == []
    item = lectures.item()
    assert (item["sessionId"], item["lectureId"]) == (f"lecture#{LECTURE_ID}", LECTURE_ID)
    assert (item["status"], item["durationMs"], "expiresAt" in item) == ("ready", 12345, False)
    assert item["format"] == "flac", "the content determines the format, not the name"
    assert (item["key"], item["versionId"], item["size"]) == (LECTURE_KEY, new_object.version_id, new_object.size)


@pytest.mark.parametrize(
    ("data", "code"), [(b"", "EMPTY"), (b"hello", "UNKNOWN_FORMAT"), (b"fLaC" + bytes(50), "UNREADABLE")]
)
def test_an_invalid_lecture_is_rejected_with_its_reason(lectures: LectureHarness, data: bytes, code: str) -> None:
    assert lectures.handle(lectures.put(data)) == []
    item = lectures.item()
    assert (item["status"], item["code"], item["format"]) == ("rejected", code, "")
    assert item["message"].endswith(".")


@pytest.mark.parametrize(
    ("milliseconds", "code"), [(9_999, "TOO_SHORT"), (10_000, None), (60_000, None), (60_001, "TOO_LONG")]
)
def test_the_duration_must_be_within_its_limits(lectures: LectureHarness, milliseconds: int, code: str | None) -> None:
    lectures.environment = limits(lecture_min_seconds=10, lecture_max_seconds=60)
    assert lectures.handle(lectures.put(silence(milliseconds))) == []
    assert lectures.item().get("code") == code


def test_a_format_that_the_settings_do_not_allow_is_rejected(lectures: LectureHarness) -> None:
    lectures.environment = limits(lecture_formats="mp3,flac")
    lectures.handle(lectures.put(silence(20_000)))
    assert lectures.item()["code"] == "FORMAT_NOT_ALLOWED"
    assert lectures.item()["message"] == "Recordings of this format are not accepted. Allowed formats: mp3, flac."
    lectures.handle(lectures.put(spoken("flac")))
    assert lectures.item()["status"] == "ready"


def test_a_file_that_is_too_large_is_not_read(lectures: LectureHarness) -> None:
    new_object = lectures.put(silence(20_000))
    lectures.environment = ENVIRONMENT.model_copy(update={"lecture_max_bytes": new_object.size - 1})
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(lectures, "s3", FailingClient(lectures.s3, "get_object", READ))
        assert lectures.handle(new_object) == []
    assert lectures.item()["code"] == "TOO_LARGE"
    lectures.environment = ENVIRONMENT.model_copy(update={"lecture_max_bytes": new_object.size})
    lectures.handle(lectures.put(silence(20_000)))
    assert lectures.item()["status"] == "ready"


@pytest.mark.parametrize(
    "variables",
    [
        *({"LECTURE_FORMATS": formats} for formats in ("", "mp3,", "mp3,midi", "MP3")),
        {"LECTURE_MIN_SECONDS": "61", "LECTURE_MAX_SECONDS": "60"},
    ],
)
def test_contradictory_limits_are_refused(variables: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        limits(**variables)


def test_the_entry_point_uses_its_environment(lectures: LectureHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"S3_BUCKET": BUCKET, "DYNAMODB_TABLE": TABLE, "LECTURE_FORMATS": "webm"}.items():
        monkeypatch.setenv(name, value)
    handler._validator.cache_clear()
    body = notification(lectures.put(silence(20_000)))
    assert handler.handler({"Records": [{"messageId": "1", "body": body}]}, None) == {"batchItemFailures": []}
    handler._validator.cache_clear()
    assert lectures.item()["code"] == "FORMAT_NOT_ALLOWED"


def test_an_older_version_is_not_reported(lectures: LectureHarness) -> None:
    lectures.table.store_owner(LECTURE_ID, "somebody", "c1")
    older, newer = lectures.put(b"bad"), lectures.put(silence(20_000))
    for new_object in (newer, older):
        lectures.handle(new_object)
    assert [report["state"] for report in lectures.clients.sent_to("c1", "lecture")] == ["ready"]


def test_the_next_verdict_replaces_everything_but_the_owner(lectures: LectureHarness) -> None:
    lectures.table.store_owner(LECTURE_ID, "somebody", "c1")
    for data, status in ((spoken("mp3"), "ready"), (b"now something else", "rejected"), (spoken("wav"), "ready")):
        lectures.handle(lectures.put(data))
        item = lectures.item()
        assert (item["owner"], item["listener"], item["status"]) == ("somebody", "c1", status)
        assert ("code" in item, "message" in item, item["format"] == "") == ((status == "rejected"),) * 3


@pytest.mark.parametrize("data", [silence(20_000), b"bad"])
def test_a_repeated_notification_changes_nothing_and_reads_nothing(lectures: LectureHarness, data: bytes) -> None:
    new_object = lectures.put(data)
    lectures.handle(new_object)
    before = lectures.item()
    lectures.s3 = FailingClient(lectures.s3, "get_object", READ)
    assert lectures.handle(new_object, new_object) == []
    assert lectures.item() == before


@pytest.mark.parametrize("versioned", [True, False])
@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_the_newest_version_counts_for_any_order_of_notifications(
    lectures: LectureHarness, order: tuple[int, ...], *, versioned: bool
) -> None:
    if not versioned:
        lectures.remove_versioning()
    versions = [lectures.put(data) for data in (b"bad", silence(20_000), silence(30_000))]
    for index in order:
        assert lectures.handle(versions[index]) == []
        assert lectures.handle(versions[0]) == [], "the notification of the oldest version may be repeated at any time"
    assert (lectures.item()["status"], lectures.item()["durationMs"]) == ("ready", 30_000)


SEQUENCERS = st.text("0123456789ABCDEF", min_size=1, max_size=4)


@given(st.lists(SEQUENCERS, min_size=1, max_size=6))
def test_the_verdict_with_the_highest_sequencer_stays(sequencers: list[str]) -> None:
    lecture = Lecture(owner="somebody")
    for sequencer in sequencers:
        lecture = lecture.apply_verdict(Lecture(key=LECTURE_KEY, sequencer=sequencer, status=LectureState.READY))
    assert int(lecture.sequencer, 16) == max(int(sequencer, 16) for sequencer in sequencers)
    assert lecture.owner == "somebody"


def test_events_of_different_keys_have_no_order() -> None:
    assert Lecture(key=LECTURE_KEY, sequencer="2").is_older_than("another key", "1")


class TableWithConcurrentWriter:
    """DynamoDB client. Before its next write, another function changes the item."""

    def __init__(self, client: Any, change: Callable[[], object]) -> None:
        self._client, self._change = client, [change]

    def __getattr__(self, name: str) -> Any:
        if name == "put_item" and self._change:
            self._change.pop()()
        return getattr(self._client, name)


@pytest.mark.parametrize("has_item", [False, True])
def test_of_two_concurrent_validations_the_newer_version_counts(lectures: LectureHarness, *, has_item: bool) -> None:
    if has_item:
        lectures.handle(lectures.put(b"bad"))
    older, newer = lectures.put(silence(20_000)), lectures.put(silence(30_000))
    other = LectureHarness(lectures.s3, lectures.dynamodb)
    lectures.dynamodb = TableWithConcurrentWriter(lectures.dynamodb, lambda: other.handle(newer))
    assert lectures.handle(older) == []
    assert lectures.item()["durationMs"] == 30_000


def test_a_listener_that_is_registered_during_the_validation_gets_the_report(lectures: LectureHarness) -> None:
    table = lectures.table
    table.store_owner(LECTURE_ID, "somebody", "c1")
    new_object = lectures.put(silence(20_000))
    lectures.dynamodb = TableWithConcurrentWriter(
        lectures.dynamodb, lambda: table.register_listener(LECTURE_ID, "somebody", "c2")
    )
    assert lectures.handle(new_object) == []
    assert list(lectures.clients.inbox) == ["c2"]


@pytest.mark.parametrize(
    ("client", "operation"), [("dynamodb", "get_item"), ("s3", "get_object"), ("dynamodb", "put_item"), ("", "post")]
)
def test_an_invocation_that_is_killed_at_any_call_is_completed_by_the_next_delivery(
    lectures: LectureHarness, client: str, operation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    def die(*_: Any, **__: Any) -> None:
        raise Killed

    lectures.table.store_owner(LECTURE_ID, "somebody", "c1")
    new_object = lectures.put(silence(20_000))
    with monkeypatch.context() as patched:
        patched.setattr(getattr(lectures, client) if client else lectures.clients, operation, die)
        with pytest.raises(Killed):
            lectures.handle(new_object)
    assert lectures.handle(new_object) == []
    assert lectures.item()["status"] == "ready"
    assert [report["state"] for report in lectures.clients.sent_to("c1", "lecture")] == ["ready"]


@pytest.mark.parametrize("change", ["delete", "replace"])
@pytest.mark.parametrize("versioned", [True, False])
def test_only_the_announced_version_is_judged(
    lectures: LectureHarness, change: str, *, versioned: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    if not versioned:
        lectures.remove_versioning()
    new_object = lectures.put(b"OggS, but no recording")
    match change:
        case "delete":
            version = {"VersionId": new_object.version_id} if versioned else {}
            lectures.s3.delete_object(Bucket=BUCKET, Key=LECTURE_KEY, **version)
        case "replace":
            lectures.put(silence(20_000))
    assert lectures.handle(new_object) == []
    gone = change == "delete" or not versioned
    assert ("lecture_gone" in capsys.readouterr().out, lectures.item() == {}) == (gone, gone)
    assert lectures.item().get("status") == (None if gone else "rejected")


@pytest.mark.parametrize("error", [("SlowDown", 503), ("InternalError", 500), ("AccessDenied", 403)])
def test_only_the_message_whose_object_cannot_be_read_is_returned(
    lectures: LectureHarness, error: tuple[str, int]
) -> None:
    new_object = lectures.put(silence(20_000))
    other_object = lectures.put(silence(20_000), f"lectures/{OTHER_LECTURE_ID}/a")
    lectures.s3 = FailingClient(lectures.s3, "get_object", client_error(*error), times=1)
    assert lectures.handle(new_object, other_object) == ["0"]
    assert not lectures.item()
    assert lectures.item(OTHER_LECTURE_ID)["status"] == "ready"
    assert lectures.handle(new_object) == []
    assert lectures.item()["status"] == "ready"


def test_messages_that_announce_no_object_of_the_bucket_are_returned(lectures: LectureHarness) -> None:
    other_bucket = NewObject(bucket="other", key=LECTURE_KEY, version_id="v", size=1, etag="e", arrived=NOW)
    assert lectures.handle("not json", lectures.put(silence(20_000)), "{}", other_bucket) == ["0", "2", "3"]
    assert lectures.item()["status"] == "ready"


@pytest.mark.parametrize("name", ["a.mp3", "a", "a b+c%.MOV", "日本", ".hidden", "lectures"])
def test_a_lecture_is_one_object_directly_below_its_id(name: str) -> None:
    assert parse_lecture_id(f"lectures/{LECTURE_ID}/{name}") == LECTURE_ID


@pytest.mark.parametrize(
    "key",
    [
        *("", "lectures/a.mp3", f"lectures/{LECTURE_ID}", f"lectures/{LECTURE_ID}/"),
        *(f"lectures/{LECTURE_ID.lower()}/a.mp3", f"lectures/{LECTURE_ID}/a/b.mp3", f"lectures/{LECTURE_ID}//a.mp3"),
        *(f"lectures/{LECTURE_ID}0/a.mp3", f"lectures/8{LECTURE_ID[1:]}/a.mp3", f"lectures/{LECTURE_ID}\n/a.mp3"),
        *(f"lectures//{LECTURE_ID}/a.mp3", f"queries/{LECTURE_ID}/a.mp3", f"xlectures/{LECTURE_ID}/a.mp3"),
    ],
)
def test_any_other_key_belongs_to_no_lecture(key: str) -> None:
    assert parse_lecture_id(key) is None


def test_an_object_of_no_lecture_is_logged_and_creates_no_item(
    lectures: LectureHarness, capsys: pytest.CaptureFixture[str]
) -> None:
    without_id, folder = lectures.put(b"x", "lectures/canary.mp3"), lectures.put(b"", f"lectures/{LECTURE_ID}/")
    assert lectures.handle(without_id, folder) == []
    assert lectures.item_count() == 0
    log_output = capsys.readouterr().out
    assert log_output.count("lecture_key_ignored") == 1, "a folder of the S3 console is no lecture"
    assert "canary" not in log_output
