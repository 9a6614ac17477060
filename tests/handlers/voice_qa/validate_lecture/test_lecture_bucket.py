"""Lectures (uploaded recordings) in the bucket: reads of one version, and the comparison with the current version."""

import pytest

from handlers.voice_qa.validate_lecture.lecture_audio import BLOCK
from handlers.voice_qa.validate_lecture.lecture_bucket import ObjectGone
from tests.handlers.voice_qa.validate_lecture.lecture_harness import BUCKET, LECTURE_KEY, LectureHarness


def test_an_older_version_is_read_as_it_was(lectures: LectureHarness) -> None:
    data = bytes(range(256)) * 1025
    older_object, _ = lectures.put(data), lectures.put(b"newer")
    file = lectures.bucket.open(older_object)
    assert file.read() == data
    assert (file.requests, file.fetched) == (2, len(data))


@pytest.mark.parametrize("versioned", [True, False])
def test_the_last_upload_is_current_until_it_is_deleted(lectures: LectureHarness, versioned: bool) -> None:
    if not versioned:
        lectures.remove_versioning()
    older_object, newer_object = lectures.put(b"older"), lectures.put(b"newer")
    assert not lectures.bucket.is_current(older_object)
    assert lectures.bucket.is_current(newer_object)
    lectures.s3.delete_object(Bucket=BUCKET, Key=LECTURE_KEY)
    assert not lectures.bucket.is_current(newer_object)


def test_an_unversioned_object_that_is_replaced_while_it_is_read_is_gone(lectures: LectureHarness) -> None:
    lectures.remove_versioning()
    new_object = lectures.put(bytes(3 * BLOCK))
    file = lectures.bucket.open(new_object)
    assert file.read(1) == b"\0"
    lectures.put(b"x" * 3 * BLOCK)
    with pytest.raises(ObjectGone):
        file.read()
