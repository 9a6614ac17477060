"""The sweep validates uploads without a notification and leaves all others unchanged."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError

from handlers.common.time_and_ids.ulid import ulid
from handlers.voice_qa.environment import LECTURES_PREFIX
from handlers.voice_qa.validate_lecture.lecture_sweep import NOTIFICATION_GRACE_PERIOD
from tests.handlers.common.audio.sample_files import spoken
from tests.handlers.voice_qa.validate_lecture.lecture_setup import BUCKET, ID, KEY, Stage

pytestmark = pytest.mark.media
HOUR = timedelta(hours=1)
NAMES = ("checked", "missing", "ready", "rejected", "ignored", "failed", "unfinished")
NO_RANGE_KEY = dict.fromkeys(NAMES, 0)


def swept(**found: int) -> dict[str, int]:
    return NO_RANGE_KEY | found


def arrived(stage: Stage, key: str = KEY) -> datetime:
    """Return the time at which the object arrived. The bucket has its own clock."""
    moment: datetime = stage.s3.head_object(Bucket=BUCKET, Key=key)["LastModified"]
    return moment


def test_a_lecture_without_a_notification_is_validated(stage: Stage) -> None:
    stage.put(spoken("mp3"))
    stage.now = arrived(stage) + HOUR
    assert stage.sweep().run() == swept(checked=1, missing=1, ready=1)
    assert stage.item()["status"] == "ready"
    before = stage.item()
    stage.now += HOUR
    assert stage.sweep().run() == swept(checked=1)
    assert stage.item() == before


def test_a_lecture_that_is_validated_already_is_unchanged(stage: Stage) -> None:
    stage.handle(stage.put(spoken("mp3")))
    before, stage.now = stage.item(), arrived(stage) + HOUR
    assert stage.sweep().run() == swept(checked=1)
    assert stage.item() == before


@pytest.mark.parametrize("versioned", [True, False])
def test_only_the_current_version_counts_whatever_its_time(stage: Stage, versioned: bool) -> None:
    if not versioned:
        stage.unversioned()
    stage.handle(stage.put(b"bad", arrived=datetime.fromisoformat("2099-01-01T00:00:00Z")))
    stage.put(spoken("mp3"))
    stage.put(spoken("wav"))
    stage.now = arrived(stage) + HOUR
    assert stage.sweep().run() == swept(checked=1, missing=1, ready=1)
    assert stage.item()["format"] == "wav"


@pytest.mark.parametrize(
    ("age", "checked"),
    [
        (NOTIFICATION_GRACE_PERIOD, 1),
        (NOTIFICATION_GRACE_PERIOD - timedelta(seconds=1), 0),
        (48 * HOUR, 1),
        (48.1 * HOUR, 0),
    ],
)
def test_objects_that_are_too_young_or_too_old_are_ignored(stage: Stage, age: timedelta, checked: int) -> None:
    stage.put(b"bad")
    stage.now = arrived(stage) + age
    assert stage.sweep().run()["checked"] == checked


def test_all_pages_are_checked_with_recent_ids_first(stage: Stage) -> None:
    stage.put(b"bad")
    began = arrived(stage)
    ids = [ulid(began + shift * HOUR, 7) for shift in (-1, 1, -2, 2, -99, -98, -97, -96)]
    for one in ids:
        stage.put(b"bad", f"lectures/{one}/a")
    stage.put(b"bad", "lectures/zzz")
    # The first recent id. moto treats a marker as an existing key.
    stage.put(b"bad", LECTURES_PREFIX + ulid(began - 47 * HOUR, 0))
    stage.put(b"bad", "lecturesz")
    stage.now = began + HOUR
    times = iter([stage.now] * 3 + [stage.now + HOUR])
    first = stage.sweep(clock=lambda: next(times)).run()
    assert first == swept(checked=3, missing=3, rejected=3, unfinished=1), "one page, then the time is over"
    assert {one for one in ids if stage.item(one)} == {ids[0], ids[2], ids[1]}, "in the order of their ids"
    assert stage.sweep().run() == swept(checked=11, missing=8, rejected=6, ignored=2)
    assert all(stage.item(one) for one in [*ids, ID])


@pytest.mark.parametrize(
    ("key", "found"),
    [
        *(("lectures/test-lecture.mp3", 1), ("lectures/monday/talk.mp3", 1), (f"lectures/{ID.lower()}/talk.mp3", 1)),
        *(("lectures/", 0), ("lectures/monday/", 0), (f"lectures/{ID}/", 0)),
    ],
)
def test_an_object_without_a_lecture_id_is_missing_each_time_and_a_folder_is_not(
    stage: Stage, key: str, found: int
) -> None:
    """The person who uploaded it waits for a lecture that will never be validated."""
    stage.put(b"bad", key)
    stage.now = arrived(stage, key) + HOUR
    # The first recent id. moto treats a marker as an existing key.
    stage.put(b"bad", LECTURES_PREFIX + ulid(stage.now - 48 * HOUR, 0))
    for _ in range(2):
        assert stage.sweep().run() == swept(checked=1 + found, missing=1 + found, ignored=1 + found)


def test_one_failure_is_counted_and_the_sweep_continues(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    stage.put(b"bad")
    stage.put(b"bad", KEY + "2")
    stage.now = arrived(stage) + HOUR
    real = stage.s3

    class Once:
        failed = False

        def __getattr__(self, name: str) -> Any:
            if name == "get_object" and not self.failed:
                self.failed = True
                raise ReadTimeoutError(endpoint_url="x")
            return getattr(real, name)

    stage.s3 = Once()
    assert stage.sweep().run() == swept(checked=2, missing=2, rejected=1, failed=1)
    assert '"missing":2' in capsys.readouterr().out


def test_an_empty_bucket_counts_nothing_and_a_deleted_lecture_is_not_found(stage: Stage) -> None:
    assert stage.sweep().run() == NO_RANGE_KEY
    stage.put(b"bad")
    stage.now = arrived(stage) + HOUR
    stage.s3.delete_object(Bucket=BUCKET, Key=KEY)
    assert stage.sweep().run() == NO_RANGE_KEY
