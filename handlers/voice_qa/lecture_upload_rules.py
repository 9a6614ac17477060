"""Rules for uploaded lectures: which recordings are accepted, and which of several uploads a lecture refers to.

A lecture's object has the key `lectures/<lectureId>/<filename>`. The id is a ULID, and the file name is one segment
without meaning. Other objects below a lecture's id are misplaced uploads, which are always rejected. Objects without a
lecture's id are not recorded.

A lecture refers to the newest of its uploads that are not misplaced, even if that upload is rejected. It refers to the
newest misplaced upload only as long as it has no other. Two rules decide which of two uploads is newer:
- Uploads with the same key are versions of one object. The newest is the version that the bucket returns now. Times do
  not decide, because a multipart upload has the time at which it began, a listing and an event state different times,
  and events may come late.
- For uploads with different keys, the later time decides. If the times are equal, the lecture's item does not change.
"""

import re
from dataclasses import dataclass
from enum import StrEnum

from handlers.common.audio.probe_result import AudioFile, AudioFormat, RejectedAudio, RejectionReason
from handlers.common.aws.s3_notifications import NULL_VERSION_ID, NewObject
from handlers.common.time_and_ids import ulid
from handlers.common.time_and_ids.timestamps import timestamp
from handlers.voice_qa import s3_prefixes

MAX_NAME_CHARS = 255
"""Maximum length of a file name."""
_KEY = re.compile(rf"{s3_prefixes.LECTURES}({ulid.ULID_PATTERN})/(.+)", re.DOTALL)


class LectureStatus(StrEnum):
    """Result of validating an upload."""

    READY = "ready"
    REJECTED = "rejected"


class UploadOrder(StrEnum):
    """Order of an upload relative to the one that a lecture's item describes."""

    NEWER = "newer"
    """The upload replaces the one that the item describes."""
    SAME = "same"
    OLDER = "older"
    """The item keeps the upload that it describes."""
    ASK_BUCKET = "bucket_knows"
    """Only the bucket can decide, because both are versions of one object."""


@dataclass(frozen=True)
class LectureUpload:
    """An upload: one version of a lecture's object."""

    lecture_id: str
    object: NewObject
    misplaced: bool = False
    """True if the object is below a lecture's id, but not directly, or has an invalid file name."""

    @property
    def uploaded_at(self) -> str:
        """Time of the upload in the format of the lecture's item: UTC in ISO 8601 with milliseconds."""
        return timestamp(self.object.arrived)


@dataclass(frozen=True)
class StoredUpload:
    """The upload that a lecture's item describes."""

    object_key: str
    version_id: str
    etag: str
    uploaded_at: str
    """Time of the upload, as `LectureUpload.uploaded_at` returns it."""
    misplaced: bool

    def describes(self, upload: LectureUpload) -> bool:
        """Return True if this is the same upload. In a bucket without versions, objects with equal bytes are the
        same.
        """
        current = upload.object
        same = (self.object_key, self.version_id) == (current.key, current.version_id)
        return same and (current.version_id != NULL_VERSION_ID or self.etag == current.etag)


@dataclass(frozen=True)
class LectureVerdict:
    """Result of validation that is written to the lecture's item."""

    status: LectureStatus
    problem: RejectionReason | None = None
    """Reason for the rejection; None if the lecture is ready."""
    sentence: str | None = None
    """The same reason for the user, as a sentence."""
    audio: AudioFile | None = None
    """Properties of the recording, if it could be read."""


@dataclass(frozen=True)
class LectureLimits:
    """Limits for lectures, from the validator's environment."""

    min_seconds: int
    max_seconds: int
    max_bytes: int
    formats: frozenset[AudioFormat]

    def check_unread(self, upload: LectureUpload) -> None:
        """Raise RejectedAudio if the object can be rejected without reading it."""
        if upload.misplaced:
            raise RejectedAudio(RejectionReason.MISPLACED)
        if upload.object.size == 0:
            raise RejectedAudio(RejectionReason.EMPTY)
        if upload.object.size > self.max_bytes:
            raise RejectedAudio(RejectionReason.TOO_LARGE)

    def judge(self, audio: AudioFile) -> LectureVerdict:
        """Return the verdict on a recording that could be read."""
        if audio.format not in self.formats:
            return self.rejection(RejectionReason.FORMAT_NOT_ALLOWED, audio)
        if audio.duration_ms < self.min_seconds * 1000:
            return self.rejection(RejectionReason.TOO_SHORT, audio)
        if audio.duration_ms > self.max_seconds * 1000:
            return self.rejection(RejectionReason.TOO_LONG, audio)
        return LectureVerdict(LectureStatus.READY, audio=audio)

    def rejection(self, problem: RejectionReason, audio: AudioFile | None = None) -> LectureVerdict:
        """Return a rejection. Its sentence is for the user and is made only from the limits."""
        return LectureVerdict(LectureStatus.REJECTED, problem, self._sentence(problem), audio)

    def _sentence(self, problem: RejectionReason) -> str:
        formats = ", ".join(sorted(self.formats))
        return {
            RejectionReason.MISPLACED: "The file must be directly below the id of the lecture.",
            RejectionReason.EMPTY: "The file is empty.",
            RejectionReason.TOO_LARGE: f"The file is too large: the maximum is {self.max_bytes} bytes.",
            RejectionReason.UNKNOWN_FORMAT: f"The format of the file is unknown. Allowed formats: {formats}.",
            RejectionReason.FORMAT_NOT_ALLOWED: f"Recordings of this format are not accepted. Allowed formats: {formats}.",
            RejectionReason.UNREADABLE: "The file looks like a recording but cannot be read. Export it again.",
            RejectionReason.TRUNCATED: "The file ends too early: part of the recording is missing. Export it again.",
            RejectionReason.NO_AUDIO: "The file has no sound.",
            RejectionReason.CODEC_NOT_SUPPORTED: "The sound in the file is encoded in a way that is not supported.",
            RejectionReason.NO_DURATION: "The file does not state its duration. Export it again.",
            RejectionReason.TOO_SHORT: f"The recording is too short: the minimum is {self.min_seconds} seconds.",
            RejectionReason.TOO_LONG: f"The recording is too long: the maximum is {self.max_seconds} seconds.",
        }[problem]


def parse_upload(new_object: NewObject) -> LectureUpload | None:
    """Return the upload of an object; None if its key contains no lecture's id, or nothing after the id and a slash."""
    match = _KEY.fullmatch(new_object.key)
    if match is None:
        return None
    lecture_id, name = match.groups()
    valid_name = "/" not in name and len(name) <= MAX_NAME_CHARS and name.isprintable() and name not in {".", ".."}
    return LectureUpload(lecture_id, new_object, misplaced=not valid_name)


def compare_uploads(stored: StoredUpload | None, upload: LectureUpload) -> UploadOrder:
    """Return the order of an upload relative to the one that the lecture's item describes, if it describes one."""
    if stored is None:
        return UploadOrder.NEWER
    if stored.describes(upload):
        return UploadOrder.SAME
    if stored.misplaced != upload.misplaced:
        return UploadOrder.NEWER if stored.misplaced else UploadOrder.OLDER
    if stored.object_key == upload.object.key:
        return UploadOrder.ASK_BUCKET
    return UploadOrder.NEWER if upload.uploaded_at > stored.uploaded_at else UploadOrder.OLDER
