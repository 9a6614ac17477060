"""The audio bucket: reading one version, and finding the current one."""

import pytest

from handlers.common.audio.ranged_file import BLOCK
from handlers.voice_qa.validate_lecture.lecture_bucket import ObjectGone
from tests.handlers.voice_qa.validate_lecture.lecture_setup import BUCKET, KEY, Stage


def test_an_older_version_is_read_as_it_was(stage: Stage) -> None:
    data = bytes(range(256)) * 1024
    one, _ = stage.put(data), stage.put(b"newer")
    file = stage.bucket.open(one)
    assert file.at(BLOCK - 2, 4) == data[BLOCK - 2 : BLOCK + 2]
    assert file.fetched == 2 * BLOCK
    assert file.read() == data


@pytest.mark.parametrize("versioned", [True, False])
def test_the_last_upload_is_current_until_it_is_deleted(stage: Stage, versioned: bool) -> None:
    if not versioned:
        stage.unversioned()
    older, newer = stage.put(b"older"), stage.put(b"newer")
    assert not stage.bucket.is_current(older)
    assert stage.bucket.is_current(newer)
    stage.s3.delete_object(Bucket=BUCKET, Key=KEY)
    assert not stage.bucket.is_current(newer)


def test_an_object_that_changes_while_it_is_read_is_gone(stage: Stage) -> None:
    stage.unversioned()
    one = stage.put(bytes(3 * BLOCK))
    file = stage.bucket.open(one)
    assert file.at(0, 1) == b"\0"
    stage.put(b"x" * 3 * BLOCK)
    with pytest.raises(ObjectGone):
        file.at(2 * BLOCK, 1)
