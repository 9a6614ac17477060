"""Rules for lecture uploads: valid keys, limits, and which of two uploads counts.

An upload is misplaced if its key contains a lecture's id but does not name a file directly below it.
"""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.common.events import NewObject
from handlers.voice_qa.lecture_upload_rules import (
    AudioFile,
    AudioFormat,
    LectureLimits,
    LectureStatus,
    LectureUpload,
    RejectedAudio,
    StoredUpload,
    UploadPrecedence,
    compare_uploads,
    parse_upload,
)
from handlers.voice_qa.websocket_messages import RejectionReason
from tests.handlers.voice_qa.validate_lecture.lecture_harness import LECTURE_ID, LECTURE_KEY, LIMITS, NOW

OBJECT = NewObject(bucket="audio", key=LECTURE_KEY, version_id="v1", size=9, etag="e1", arrived=NOW)


def object_at(key: str) -> NewObject:
    return OBJECT.model_copy(update={"key": key})


def lecture_upload(key: str = LECTURE_KEY, *, misplaced: bool = False, **changes: object) -> LectureUpload:
    """Return the upload of `OBJECT` with some changes."""
    return LectureUpload(LECTURE_ID, OBJECT.model_copy(update={"key": key, **changes}), misplaced=misplaced)


def stored(upload: LectureUpload) -> StoredUpload:
    s3_object = upload.object
    return StoredUpload(s3_object.key, s3_object.version_id, s3_object.etag, upload.uploaded_at, upload.misplaced)


@pytest.mark.parametrize(
    ("name", "misplaced"),
    [
        *((name, False) for name in ("a.mp3", "a", "a b+c%.MOV", "日本", ".hidden", "x" * 255, "lectures")),
        *((name, True) for name in ("a/b.mp3", "a/", "/", "/a", "..", ".", "a\nb", "a\x00", "x" * 256)),
    ],
)
def test_a_lecture_is_one_file_with_a_valid_name_directly_below_its_id(name: str, misplaced: bool) -> None:
    key = f"lectures/{LECTURE_ID}/{name}"
    assert parse_upload(object_at(key)) == lecture_upload(key, misplaced=misplaced)


@pytest.mark.parametrize(
    "key",
    [
        *("", "lectures/a.mp3", f"lectures/{LECTURE_ID}", f"lectures/{LECTURE_ID}/"),
        f"lectures/{LECTURE_ID.lower()}/a.mp3",
        *(f"lectures/{LECTURE_ID}0/a.mp3", f"lectures/8{LECTURE_ID[1:]}/a.mp3", f"lectures/{LECTURE_ID}\n/a.mp3"),
        *(f"lectures//{LECTURE_ID}/a.mp3", f"queries/{LECTURE_ID}/a.mp3", f"xlectures/{LECTURE_ID}/a.mp3"),
    ],
)
def test_a_key_without_a_lecture_id_belongs_to_no_lecture(key: str) -> None:
    assert parse_upload(object_at(key)) is None


@given(st.text(max_size=300))
def test_every_key_below_a_lecture_id_belongs_to_the_lecture(key: str) -> None:
    upload = parse_upload(object_at(f"lectures/{LECTURE_ID}/{key}"))
    assert (upload is None) == (key == "")


@pytest.mark.parametrize(
    ("milliseconds", "problem"),
    [(999, RejectionReason.TOO_SHORT), (1000, None), (3_600_000, None), (3_600_001, RejectionReason.TOO_LONG)],
)
def test_the_duration_must_be_within_its_limits(milliseconds: int, problem: RejectionReason | None) -> None:
    verdict = LIMITS.judge(AudioFile(AudioFormat.MP3, milliseconds))
    assert verdict.problem is problem
    assert verdict.status is (LectureStatus.REJECTED if problem else LectureStatus.READY)
    assert (verdict.sentence is None) is (problem is None)
    assert verdict.audio is not None


def test_a_supported_format_that_the_settings_do_not_allow_is_rejected() -> None:
    limits = LectureLimits(1, 10, 10, frozenset([AudioFormat.MP3, AudioFormat.FLAC]))
    verdict = limits.judge(AudioFile(AudioFormat.OGG, 5000))
    assert (verdict.status, verdict.problem) == (LectureStatus.REJECTED, RejectionReason.FORMAT_NOT_ALLOWED)
    assert verdict.sentence == "Recordings of this format are not accepted. Allowed formats: flac, mp3."


@pytest.mark.parametrize(
    ("upload", "problem"),
    [
        (lecture_upload(size=0), RejectionReason.EMPTY),
        (lecture_upload(size=LIMITS.max_bytes + 1), RejectionReason.TOO_LARGE),
        (lecture_upload(misplaced=True), RejectionReason.MISPLACED),
    ],
)
def test_misplaced_empty_and_too_large_objects_are_rejected_before_they_are_read(
    upload: LectureUpload, problem: RejectionReason
) -> None:
    with pytest.raises(RejectedAudio) as rejected:
        LIMITS.check_before_reading(upload)
    assert rejected.value.reason is problem


@pytest.mark.parametrize("size", [1, LIMITS.max_bytes])
def test_an_object_of_an_allowed_size_is_read(size: int) -> None:
    LIMITS.check_before_reading(lecture_upload(size=size))


def test_every_rejection_reason_has_its_own_sentence() -> None:
    sentences = [LIMITS.rejection(reason).sentence or "" for reason in RejectionReason]
    assert all(sentence.endswith(".") for sentence in sentences)
    assert len(set(sentences)) == len(RejectionReason)


OTHER_KEY, MISPLACED_KEY = f"{LECTURE_KEY}2", f"lectures/{LECTURE_ID}/a/b"
LATER = NOW + timedelta(milliseconds=1)
UPLOAD = lecture_upload()
LATER_UPLOAD = lecture_upload(OTHER_KEY, arrived=LATER)
LATER_MISPLACED = lecture_upload(MISPLACED_KEY, misplaced=True, arrived=LATER)
UNVERSIONED = lecture_upload(version_id="null")


@pytest.mark.parametrize(
    ("before", "upload", "expected"),
    [
        pytest.param(None, UPLOAD, UploadPrecedence.HIGHER, id="first upload"),
        pytest.param(UPLOAD, lecture_upload(arrived=LATER), UploadPrecedence.SAME, id="same version, later event"),
        pytest.param(UPLOAD, lecture_upload(version_id="v2"), UploadPrecedence.ASK_BUCKET, id="other version"),
        pytest.param(UPLOAD, LATER_UPLOAD, UploadPrecedence.HIGHER, id="later object"),
        pytest.param(UPLOAD, lecture_upload(OTHER_KEY), UploadPrecedence.LOWER, id="other object at the same time"),
        pytest.param(LATER_UPLOAD, UPLOAD, UploadPrecedence.LOWER, id="earlier object"),
        pytest.param(UPLOAD, LATER_MISPLACED, UploadPrecedence.LOWER, id="misplaced after valid"),
        pytest.param(LATER_MISPLACED, UPLOAD, UploadPrecedence.HIGHER, id="valid after misplaced"),
        pytest.param(LATER_MISPLACED, LATER_MISPLACED, UploadPrecedence.SAME, id="same misplaced object"),
        pytest.param(UNVERSIONED, UNVERSIONED, UploadPrecedence.SAME, id="unversioned, equal content"),
        pytest.param(
            UNVERSIONED,
            lecture_upload(version_id="null", etag="e2"),
            UploadPrecedence.ASK_BUCKET,
            id="unversioned, other content",
        ),
    ],
)
def test_the_newest_valid_upload_counts(
    before: LectureUpload | None, upload: LectureUpload, expected: UploadPrecedence
) -> None:
    assert compare_uploads(stored(before) if before else None, upload) is expected
