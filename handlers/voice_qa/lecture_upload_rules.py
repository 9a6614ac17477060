"""Rules for uploaded lectures: which recordings are accepted, and which of several uploads a lecture refers to.

The object of a lecture has the key `lectures/<lectureId>/<filename>`. The id is a ULID. The file name is a single
segment, and its text has no meaning. Other objects below a lecture's id are misplaced uploads, which are always
rejected. Objects whose key contains no lecture's id, or nothing after it (`lectures/<lectureId>/`), are ignored.

A lecture refers to one of its uploads, even if that upload is rejected. Three rules decide between two uploads:
- An upload that is not misplaced takes precedence over a misplaced upload.
- Of uploads with the same key, which are versions of one object, the version that the bucket returns now takes
  precedence. Times are not compared, because a listing shows when a multipart upload began, and an event when it ended.
- Of uploads with different keys, the upload with the later time takes precedence. If the times are equal, the lecture's
  item does not change.
"""

import re
from dataclasses import dataclass
from enum import StrEnum

from handlers.common import ids
from handlers.common.events import NULL_VERSION_ID, NewObject
from handlers.common.ids import timestamp
from handlers.voice_qa import s3_prefixes
from handlers.voice_qa.websocket_messages import RejectionReason

MAX_NAME_CHARS = 255
_KEY = re.compile(rf"{s3_prefixes.LECTURES}({ids.ULID_PATTERN})/(.+)", re.DOTALL)


class AudioFormat(StrEnum):
    """Formats of recordings. They are recognised by content, never by file name."""

    MP3 = "mp3"
    MP4 = "mp4"
    """Includes M4A."""
    WAV = "wav"
    FLAC = "flac"
    OGG = "ogg"
    WEBM = "webm"


@dataclass(frozen=True)
class AudioFile:
    """Properties of a recording, read from its headers."""

    format: AudioFormat
    duration_ms: int


class RejectedAudio(Exception):
    """The recording is not acceptable. The exception contains nothing from the file."""

    def __init__(self, reason: RejectionReason) -> None:
        super().__init__(reason.value)
        self.reason = reason


class LectureStatus(StrEnum):
    """Status of a lecture after its validation."""

    READY = "ready"
    REJECTED = "rejected"


class UploadPrecedence(StrEnum):
    """Precedence of an upload over the upload that the lecture's item describes."""

    HIGHER = "newer"
    """The upload replaces the upload that the item describes."""
    SAME = "same"
    """The item already describes this upload."""
    LOWER = "older"
    """The item is not changed. A misplaced upload has a lower precedence than others, even if it is more recent."""
    ASK_BUCKET = "bucket_knows"
    """Both uploads are versions of one object, so the bucket must be asked for the newest version."""


@dataclass(frozen=True)
class LectureUpload:
    """One version of a lecture's object."""

    lecture_id: str
    object: NewObject
    misplaced: bool = False
    """True if the object does not lie directly below the lecture's id, or has an invalid file name."""

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
        """Return True if this is the same upload. Without versioning, uploads with the same key and ETag are the same."""
        current = upload.object
        same = (self.object_key, self.version_id) == (current.key, current.version_id)
        return same and (current.version_id != NULL_VERSION_ID or self.etag == current.etag)


@dataclass(frozen=True)
class LectureVerdict:
    """Result of validation that is written to the lecture's item."""

    status: LectureStatus
    problem: RejectionReason | None = None
    """Reason for the rejection, or None if the lecture is ready."""
    sentence: str | None = None
    """Reason for the rejection as a sentence for the guest."""
    audio: AudioFile | None = None
    """Properties of the recording, if it could be read."""


@dataclass(frozen=True)
class LectureLimits:
    """Limits for lectures, from the validator's environment."""

    min_seconds: int
    max_seconds: int
    max_bytes: int
    formats: frozenset[AudioFormat]

    def check_before_reading(self, upload: LectureUpload) -> None:
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
        """Return the verdict for a rejected upload. Its sentence contains nothing from the upload."""
        return LectureVerdict(LectureStatus.REJECTED, problem, self._sentence(problem), audio)

    def _sentence(self, problem: RejectionReason) -> str:
        formats = ", ".join(sorted(self.formats))
        return {
            RejectionReason.MISPLACED: (
                "The file must be directly below the id of the lecture, and its name must have at most "
                f"{MAX_NAME_CHARS} characters, all of them printable."
            ),
            RejectionReason.EMPTY: "The file is empty.",
            RejectionReason.TOO_LARGE: f"The file is too large: the maximum is {self.max_bytes} bytes.",
            RejectionReason.UNKNOWN_FORMAT: f"The format of the file is unknown. Allowed formats: {formats}.",
            RejectionReason.FORMAT_NOT_ALLOWED: f"Recordings of this format are not accepted. Allowed formats: {formats}.",
            RejectionReason.UNREADABLE: "The file looks like a recording but cannot be read. Export it again.",
            RejectionReason.NO_AUDIO: "The file has no sound.",
            RejectionReason.NO_DURATION: "The file does not state its duration. Export it again.",
            RejectionReason.TOO_SHORT: f"The recording is too short: the minimum is {self.min_seconds} seconds.",
            RejectionReason.TOO_LONG: f"The recording is too long: the maximum is {self.max_seconds} seconds.",
        }[problem]


def parse_upload(new_object: NewObject) -> LectureUpload | None:
    """Return the upload of an object, or None if its key is not `lectures/`, a lecture's id, `/` and further text."""
    match = _KEY.fullmatch(new_object.key)
    if match is None:
        return None
    lecture_id, name = match.groups()
    valid_name = "/" not in name and len(name) <= MAX_NAME_CHARS and name.isprintable() and name not in {".", ".."}
    return LectureUpload(lecture_id, new_object, misplaced=not valid_name)


def compare_uploads(stored: StoredUpload | None, upload: LectureUpload) -> UploadPrecedence:
    """Return the precedence of an upload over `stored`, the upload that the lecture's item describes, if any."""
    if stored is None:
        return UploadPrecedence.HIGHER
    if stored.describes(upload):
        return UploadPrecedence.SAME
    if stored.misplaced != upload.misplaced:
        return UploadPrecedence.HIGHER if stored.misplaced else UploadPrecedence.LOWER
    if stored.object_key == upload.object.key:
        return UploadPrecedence.ASK_BUCKET
    return UploadPrecedence.HIGHER if upload.uploaded_at > stored.uploaded_at else UploadPrecedence.LOWER
