"""Rules for lectures: valid keys, limits, and the order of uploads."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.common.audio.probe_result import AudioFile, AudioFormat, RejectedAudio, RejectionReason
from handlers.common.aws.s3_notifications import NewObject
from handlers.voice_qa.lecture_upload_rules import (
    LectureLimits,
    LectureStatus,
    LectureUpload,
    StoredUpload,
    UploadPrecedence,
    compare_uploads,
    parse_upload,
)
from tests.handlers.voice_qa.validate_lecture.lecture_harness import ID, KEY, LIMITS, NOW

OBJECT = NewObject(bucket="audio", key=KEY, version_id="v1", size=9, etag="e1", arrived=NOW)


def at(key: str) -> NewObject:
    return OBJECT.model_copy(update={"key": key})


def known_upload(upload: LectureUpload) -> StoredUpload:
    one = upload.object
    return StoredUpload(one.key, one.version_id, one.etag, upload.uploaded_at, upload.misplaced)


@pytest.mark.parametrize("name", ["a.mp3", "a", "a b+c%.MOV", "日本", ".hidden", "x" * 255, "lectures"])
def test_a_lecture_is_one_file_directly_below_its_id(name: str) -> None:
    assert parse_upload(at(f"lectures/{ID}/{name}")) == LectureUpload(ID, at(f"lectures/{ID}/{name}"))


@pytest.mark.parametrize("name", ["a/b.mp3", "a/", "/", "/a", "..", ".", "a\nb", "a\x00", "x" * 256])
def test_other_objects_below_an_id_are_misplaced(name: str) -> None:
    upload = parse_upload(at(f"lectures/{ID}/{name}"))
    assert upload is not None
    assert upload.misplaced
    assert upload.lecture_id == ID


@pytest.mark.parametrize(
    "key",
    [
        *("", "lectures/a.mp3", f"lectures/{ID}", f"lectures/{ID}/", f"lectures/{ID.lower()}/a.mp3"),
        *(f"lectures/{ID}0/a.mp3", f"lectures/8{ID[1:]}/a.mp3", f"lectures/{ID}\n/a.mp3"),
        *(f"lectures//{ID}/a.mp3", f"queries/{ID}/a.mp3", f"xlectures/{ID}/a.mp3"),
    ],
)
def test_a_key_without_an_id_has_no_lecture(key: str) -> None:
    assert parse_upload(at(key)) is None


@given(st.text(max_size=300))
def test_any_key_is_a_lecture_misplaced_or_ignored(key: str) -> None:
    upload = parse_upload(at(f"lectures/{ID}/{key}"))
    assert (upload is None) == (key == "")


@pytest.mark.parametrize(
    ("milliseconds", "problem"),
    [(999, RejectionReason.TOO_SHORT), (1000, None), (3_600_000, None), (3_600_001, RejectionReason.TOO_LONG)],
)
def test_the_duration_must_be_within_its_limits(milliseconds: int, problem: RejectionReason | None) -> None:
    verdict = LIMITS.judge(AudioFile(AudioFormat.MP3, "mp3", milliseconds))
    assert verdict.problem is problem
    assert verdict.status is (LectureStatus.REJECTED if problem else LectureStatus.READY)
    assert (verdict.sentence is None) is (problem is None)
    assert verdict.audio is not None


def test_a_known_format_may_be_disallowed() -> None:
    limits = LectureLimits(1, 10, 10, frozenset([AudioFormat.MP3, AudioFormat.FLAC]))
    verdict = limits.judge(AudioFile(AudioFormat.OGG, "opus", 5000))
    assert (verdict.status, verdict.problem) == (LectureStatus.REJECTED, RejectionReason.FORMAT_NOT_ALLOWED)
    assert verdict.sentence == "Recordings of this format are not accepted. Allowed formats: flac, mp3."


@pytest.mark.parametrize(
    ("upload", "problem"),
    [
        (LectureUpload(ID, OBJECT.model_copy(update={"size": 0})), RejectionReason.EMPTY),
        (LectureUpload(ID, OBJECT.model_copy(update={"size": LIMITS.max_bytes + 1})), RejectionReason.TOO_LARGE),
        (LectureUpload(ID, OBJECT, misplaced=True), RejectionReason.MISPLACED),
    ],
)
def test_some_uploads_are_rejected_without_being_read(upload: LectureUpload, problem: RejectionReason) -> None:
    for size in (1, LIMITS.max_bytes):
        LIMITS.check_before_reading(LectureUpload(ID, OBJECT.model_copy(update={"size": size})))
    with pytest.raises(RejectedAudio) as refused:
        LIMITS.check_before_reading(upload)
    assert refused.value.reason is problem


def test_every_reason_has_its_own_sentence() -> None:
    sentences = [LIMITS.rejection(reason).sentence or "" for reason in RejectionReason]
    assert all(sentence.endswith(".") for sentence in sentences)
    assert len(set(sentences)) == len(RejectionReason)


MINE = LectureUpload(ID, OBJECT)
LATER = OBJECT.model_copy(update={"arrived": NOW + timedelta(milliseconds=1)})
STRAY = LectureUpload(ID, at(f"lectures/{ID}/a/b"), misplaced=True)


@pytest.mark.parametrize(
    ("before", "upload", "stands"),
    [
        (None, MINE, UploadPrecedence.HIGHER),
        (MINE, MINE, UploadPrecedence.SAME),
        (MINE, LectureUpload(ID, LATER), UploadPrecedence.SAME),
        (MINE, LectureUpload(ID, OBJECT.model_copy(update={"version_id": "v2"})), UploadPrecedence.ASK_BUCKET),
        (MINE, LectureUpload(ID, LATER.model_copy(update={"key": KEY + "2"})), UploadPrecedence.HIGHER),
        (MINE, LectureUpload(ID, at(KEY + "2")), UploadPrecedence.LOWER),
        (LectureUpload(ID, LATER.model_copy(update={"key": KEY + "2"})), MINE, UploadPrecedence.LOWER),
        (MINE, replace(STRAY, object=LATER.model_copy(update={"key": "x"})), UploadPrecedence.LOWER),
        (replace(STRAY, object=LATER.model_copy(update={"key": "x"})), MINE, UploadPrecedence.HIGHER),
        (STRAY, STRAY, UploadPrecedence.SAME),
    ],
)
def test_the_newest_upload_counts(
    before: LectureUpload | None, upload: LectureUpload, stands: UploadPrecedence
) -> None:
    assert compare_uploads(known_upload(before) if before else None, upload) is stands


@pytest.mark.parametrize(("etag", "stands"), [("e1", UploadPrecedence.SAME), ("e2", UploadPrecedence.ASK_BUCKET)])
def test_without_versions_objects_with_equal_bytes_are_the_same(etag: str, stands: UploadPrecedence) -> None:
    before = LectureUpload(ID, OBJECT.model_copy(update={"version_id": "null"}))
    after = LectureUpload(ID, OBJECT.model_copy(update={"version_id": "null", "etag": etag}))
    assert compare_uploads(known_upload(before), after) is stands
