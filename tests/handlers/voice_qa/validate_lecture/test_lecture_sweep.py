"""The sweep validates uploads without a notification and leaves all others unchanged."""

from datetime import datetime, timedelta

import pytest
from botocore.exceptions import ReadTimeoutError

from handlers.common.time_and_ids.ulid import ulid
from handlers.voice_qa import s3_prefixes
from handlers.voice_qa.validate_lecture.lecture_sweep import NOTIFICATION_GRACE_PERIOD
from tests.handlers.common.audio.sample_files import spoken
from tests.handlers.voice_qa.validate_lecture.lecture_harness import BUCKET, ID, KEY, FailingClient, LectureHarness

pytestmark = pytest.mark.media
HOUR = timedelta(hours=1)
NAMES = ("checked", "missing", "ready", "rejected", "ignored", "failed", "unfinished")
NO_RANGE_KEY = dict.fromkeys(NAMES, 0)


def sweep_counts(**found: int) -> dict[str, int]:
    return NO_RANGE_KEY | found


def arrival_time(lectures: LectureHarness, key: str = KEY) -> datetime:
    """Return the time at which the object arrived. The bucket has its own clock."""
    moment: datetime = lectures.s3.head_object(Bucket=BUCKET, Key=key)["LastModified"]
    return moment


def test_a_lecture_without_a_notification_is_validated(lectures: LectureHarness) -> None:
    lectures.put(spoken("mp3"))
    lectures.now = arrival_time(lectures) + HOUR
    assert lectures.sweep().run() == sweep_counts(checked=1, missing=1, ready=1)
    assert lectures.item()["status"] == "ready"
    before = lectures.item()
    lectures.now += HOUR
    assert lectures.sweep().run() == sweep_counts(checked=1)
    assert lectures.item() == before


@pytest.mark.parametrize("versioned", [True, False])
def test_only_the_current_version_counts_whatever_its_time(lectures: LectureHarness, versioned: bool) -> None:
    if not versioned:
        lectures.unversioned()
    lectures.handle(lectures.put(b"bad", arrived=datetime.fromisoformat("2099-01-01T00:00:00Z")))
    lectures.put(spoken("mp3"))
    lectures.put(spoken("wav"))
    lectures.now = arrival_time(lectures) + HOUR
    assert lectures.sweep().run() == sweep_counts(checked=1, missing=1, ready=1)
    assert lectures.item()["format"] == "wav"


@pytest.mark.parametrize(
    ("age", "checked"),
    [
        (NOTIFICATION_GRACE_PERIOD, 1),
        (NOTIFICATION_GRACE_PERIOD - timedelta(seconds=1), 0),
        (48 * HOUR, 1),
        (48.1 * HOUR, 0),
    ],
)
def test_objects_that_are_too_young_or_too_old_are_ignored(
    lectures: LectureHarness, age: timedelta, checked: int
) -> None:
    lectures.put(b"bad")
    lectures.now = arrival_time(lectures) + age
    assert lectures.sweep().run()["checked"] == checked


def test_all_pages_are_checked_with_recent_ids_first(lectures: LectureHarness) -> None:
    lectures.put(b"bad")
    began = arrival_time(lectures)
    ids = [ulid(began + shift * HOUR, 7) for shift in (-1, 1, -2, 2, -99, -98, -97, -96)]
    for lecture_id in ids:
        lectures.put(b"bad", f"lectures/{lecture_id}/a")
    lectures.put(b"bad", "lectures/zzz")
    # The first recent id. moto treats a marker as an existing key.
    lectures.put(b"bad", s3_prefixes.LECTURES + ulid(began - 47 * HOUR, 0))
    lectures.put(b"bad", "lecturesz")
    lectures.now = began + HOUR
    times = iter([lectures.now] * 3 + [lectures.now + HOUR])
    first = lectures.sweep(clock=lambda: next(times)).run()
    assert first == sweep_counts(checked=3, missing=3, rejected=3, unfinished=1), "one page, then the time is over"
    assert {lecture_id for lecture_id in ids if lectures.item(lecture_id)} == {ids[0], ids[2], ids[1]}, (
        "in the order of their ids"
    )
    assert lectures.sweep().run() == sweep_counts(checked=11, missing=8, rejected=6, ignored=2)
    assert all(lectures.item(lecture_id) for lecture_id in [*ids, ID])


@pytest.mark.parametrize(
    ("key", "found"),
    [
        *(("lectures/test-lecture.mp3", 1), ("lectures/monday/talk.mp3", 1), (f"lectures/{ID.lower()}/talk.mp3", 1)),
        *(("lectures/", 0), ("lectures/monday/", 0), (f"lectures/{ID}/", 0)),
    ],
)
def test_an_object_without_a_lecture_id_is_missing_each_time_and_a_folder_is_not(
    lectures: LectureHarness, key: str, found: int
) -> None:
    """The person who uploaded it waits for a lecture that will never be validated."""
    lectures.put(b"bad", key)
    lectures.now = arrival_time(lectures, key) + HOUR
    # The first recent id. moto treats a marker as an existing key.
    lectures.put(b"bad", s3_prefixes.LECTURES + ulid(lectures.now - 48 * HOUR, 0))
    for _ in range(2):
        assert lectures.sweep().run() == sweep_counts(checked=1 + found, missing=1 + found, ignored=1 + found)


def test_one_failure_is_counted_and_the_sweep_continues(
    lectures: LectureHarness, capsys: pytest.CaptureFixture[str]
) -> None:
    lectures.put(b"bad")
    lectures.put(b"bad", KEY + "2")
    lectures.now = arrival_time(lectures) + HOUR
    lectures.s3 = FailingClient(lectures.s3, "get_object", ReadTimeoutError(endpoint_url="x"), times=1)
    assert lectures.sweep().run() == sweep_counts(checked=2, missing=2, rejected=1, failed=1)
    assert '"missing":2' in capsys.readouterr().out


def test_an_empty_bucket_counts_nothing_and_a_deleted_lecture_is_not_found(lectures: LectureHarness) -> None:
    assert lectures.sweep().run() == NO_RANGE_KEY
    lectures.put(b"bad")
    lectures.now = arrival_time(lectures) + HOUR
    lectures.s3.delete_object(Bucket=BUCKET, Key=KEY)
    assert lectures.sweep().run() == NO_RANGE_KEY
