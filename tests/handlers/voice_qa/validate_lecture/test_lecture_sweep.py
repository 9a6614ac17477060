"""The sweep: it validates recent uploads whose notification was lost, and changes no others.

Its count `missing` contains the objects that the table did not describe yet, and `ignored` those among them whose keys
contain no lecture's id. Lecture ids are ULIDs, so keys sort by the time at which the lectures were created.
"""

from datetime import datetime, timedelta

import pytest
from botocore.exceptions import ReadTimeoutError

from handlers.common.time_and_ids.ulid import ulid
from handlers.voice_qa import s3_prefixes
from handlers.voice_qa.validate_lecture.lecture_sweep import NOTIFICATION_GRACE_PERIOD
from tests.handlers.common.audio.sample_files import spoken
from tests.handlers.voice_qa.validate_lecture.lecture_harness import (
    BUCKET,
    LECTURE_ID,
    LECTURE_KEY,
    FailingClient,
    LectureHarness,
)

pytestmark = pytest.mark.media
HOUR = timedelta(hours=1)
COUNTS = ("checked", "missing", "ready", "rejected", "ignored", "failed", "unfinished")


def sweep_counts(**counts: int) -> dict[str, int]:
    """Return the result of a sweep. All other counts are 0."""
    return dict.fromkeys(COUNTS, 0) | counts


def arrival_time(lectures: LectureHarness, key: str = LECTURE_KEY) -> datetime:
    """Return the time of an object in the bucket, which follows the real clock."""
    last_modified: datetime = lectures.s3.head_object(Bucket=BUCKET, Key=key)["LastModified"]
    return last_modified


def put_first_recent_key(lectures: LectureHarness) -> None:
    """Upload an ignored object at the key after which the sweep lists recent objects.

    AWS starts a listing after this key. moto omits the first object that follows, unless the key itself exists.
    """
    lectures.put(b"bad", s3_prefixes.LECTURES + ulid(lectures.now - 48 * HOUR, 0))


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
def test_only_the_current_version_is_validated_even_if_an_older_one_has_a_later_time(
    lectures: LectureHarness, versioned: bool
) -> None:
    if not versioned:
        lectures.remove_versioning()
    lectures.handle(lectures.put(b"bad", arrived=datetime.fromisoformat("2099-01-01T00:00:00Z")))
    lectures.put(spoken("mp3"))
    lectures.put(spoken("wav"))
    lectures.now = arrival_time(lectures) + HOUR
    assert lectures.sweep().run() == sweep_counts(checked=1, missing=1, ready=1)
    assert lectures.item()["format"] == "wav"


@pytest.mark.parametrize(
    ("age", "checked"),
    [
        *((NOTIFICATION_GRACE_PERIOD - timedelta(seconds=1), 0), (NOTIFICATION_GRACE_PERIOD, 1)),
        *((48 * HOUR, 1), (48.1 * HOUR, 0)),
    ],
)
def test_too_young_and_too_old_objects_are_ignored(lectures: LectureHarness, age: timedelta, checked: int) -> None:
    lectures.put(b"bad")
    lectures.now = arrival_time(lectures) + age
    assert lectures.sweep().run()["checked"] == checked


def test_all_pages_are_checked_with_recent_ids_first(lectures: LectureHarness) -> None:
    lectures.put(b"bad")
    arrived = arrival_time(lectures)
    lectures.now = arrived + HOUR
    ids = [ulid(arrived + hours * HOUR, 7) for hours in (-2, -1, 1, 2, -99, -98, -97, -96)]
    # "lectures/zzz" contains no lecture's id, and "lecturesz" is not below the prefix of lectures.
    for key in (*(f"lectures/{lecture_id}/a" for lecture_id in ids), "lectures/zzz", "lecturesz"):
        lectures.put(b"bad", key)
    put_first_recent_key(lectures)
    # The clock lets the time of the first sweep run out after one page of three objects.
    times = iter([lectures.now] * 3 + [lectures.now + HOUR])
    counts = lectures.sweep(clock=lambda: next(times)).run()
    assert counts == sweep_counts(checked=3, missing=3, rejected=3, unfinished=1)
    assert [lecture_id for lecture_id in ids if lectures.item(lecture_id)] == ids[:3], "recent ids are checked first"
    assert lectures.sweep().run() == sweep_counts(checked=11, missing=8, rejected=6, ignored=2)
    assert all(lectures.item(lecture_id) for lecture_id in [*ids, LECTURE_ID])


@pytest.mark.parametrize(
    ("key", "count"),
    [
        *((f"lectures/{name}.mp3", 1) for name in ("test-lecture", "monday/talk", f"{LECTURE_ID.lower()}/talk")),
        *((f"lectures/{folder}", 0) for folder in ("", "monday/", f"{LECTURE_ID}/")),
    ],
)
def test_an_object_without_a_lecture_id_is_counted_by_each_sweep_but_a_folder_is_not(
    lectures: LectureHarness, key: str, count: int
) -> None:
    """The person who uploaded the object waits for a lecture that will never be validated, so an alarm must report it.

    The sweep also counts the object of `put_first_recent_key`.
    """
    lectures.put(b"bad", key)
    lectures.now = arrival_time(lectures, key) + HOUR
    put_first_recent_key(lectures)
    for _ in range(2):
        assert lectures.sweep().run() == sweep_counts(checked=1 + count, missing=1 + count, ignored=1 + count)


def test_the_sweep_counts_a_failure_and_continues(lectures: LectureHarness, capsys: pytest.CaptureFixture[str]) -> None:
    lectures.put(b"bad")
    lectures.put(b"bad", LECTURE_KEY + "2")
    lectures.now = arrival_time(lectures) + HOUR
    lectures.s3 = FailingClient(lectures.s3, "get_object", ReadTimeoutError(endpoint_url="x"), times=1)
    assert lectures.sweep().run() == sweep_counts(checked=2, missing=2, rejected=1, failed=1)
    assert '"missing":2' in capsys.readouterr().out


def test_a_deleted_lecture_is_not_counted(lectures: LectureHarness) -> None:
    lectures.put(b"bad")
    lectures.now = arrival_time(lectures) + HOUR
    lectures.s3.delete_object(Bucket=BUCKET, Key=LECTURE_KEY)
    assert lectures.sweep().run() == sweep_counts()
