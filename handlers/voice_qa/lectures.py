"""What an uploaded lecture may be, and which upload a lecture is about. Pure.

A lecture's object is `lectures/<lectureId>/<filename>`, the id a ULID, the name one segment that says nothing. Objects
below a lecture's id that are not of this form are recorded as misplaced, but only where the lecture has nothing else.
Where there is no id, there is no lecture to record anything of.

The newest upload decides, whatever it is. Between versions of one object, the bucket knows which is newest: the one it
gives now. Times would not do: a multipart upload's is when it began, a listing has another than the event, and events
come late. Between objects of different names, nothing but their times can tell; an equal one changes nothing.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from handlers.common.audio.audio_file import AudioFile, AudioFormat, RejectedAudio, RejectionReason
from handlers.common.aws.s3_notifications import UNVERSIONED, NewObject
from handlers.common.time_and_ids import ulid
from handlers.common.time_and_ids.timestamps import timestamp

PREFIX = "lectures/"
MAX_NAME_CHARS = 255
_KEY = re.compile(rf"{PREFIX}({ulid.PATTERN})/(.+)", re.DOTALL)


class LectureStatus(StrEnum):
    """What became of an upload."""

    READY = "ready"
    REJECTED = "rejected"


class UploadOrder(StrEnum):
    """How an upload stands to what is known of its lecture."""

    NEWER = "newer"
    SAME = "same"
    OLDER = "older"
    BUCKET_KNOWS = "bucket_knows"


@dataclass(frozen=True)
class LectureUpload:
    """One version of a lecture's object."""

    lecture_id: str
    object: NewObject
    misplaced: bool = False

    @property
    def uploaded_at(self) -> str:
        """As its record has it."""
        return timestamp(self.object.arrived)


@dataclass(frozen=True)
class KnownUpload:
    """Which upload a lecture's record is about."""

    object_key: str
    version_id: str
    etag: str
    uploaded_at: str
    misplaced: bool

    def is_of(self, upload: LectureUpload) -> bool:
        """Whether it is about this one; without versions, the same bytes are the same."""
        one = upload.object
        same = (self.object_key, self.version_id) == (one.key, one.version_id)
        return same and (one.version_id != UNVERSIONED or self.etag == one.etag)


@dataclass(frozen=True)
class LectureVerdict:
    """What is recorded of an upload."""

    status: LectureStatus
    problem: RejectionReason | None = None
    sentence: str | None = None
    audio: AudioFile | None = None


@dataclass(frozen=True)
class LectureLimits:
    """What a lecture may be."""

    min_seconds: int
    max_seconds: int
    max_bytes: int
    formats: frozenset[AudioFormat]

    @staticmethod
    def of(min_seconds: int, max_seconds: int, max_bytes: int, formats: Iterable[str]) -> "LectureLimits":
        """From the environment."""
        return LectureLimits(min_seconds, max_seconds, max_bytes, frozenset(map(AudioFormat, formats)))

    def check_unread(self, upload: LectureUpload) -> None:
        """Raises RejectedAudio where nobody has to read the object to reject it."""
        if upload.misplaced:
            raise RejectedAudio(RejectionReason.MISPLACED)
        if upload.object.size == 0:
            raise RejectedAudio(RejectionReason.EMPTY)
        if upload.object.size > self.max_bytes:
            raise RejectedAudio(RejectionReason.TOO_LARGE)

    def judge(self, audio: AudioFile) -> LectureVerdict:
        """What becomes of a recording that could be read."""
        if audio.format not in self.formats:
            return self.rejection(RejectionReason.FORMAT_NOT_ALLOWED, audio)
        if audio.duration_ms < self.min_seconds * 1000:
            return self.rejection(RejectionReason.TOO_SHORT, audio)
        if audio.duration_ms > self.max_seconds * 1000:
            return self.rejection(RejectionReason.TOO_LONG, audio)
        return LectureVerdict(LectureStatus.READY, audio=audio)

    def rejection(self, problem: RejectionReason, audio: AudioFile | None = None) -> LectureVerdict:
        """With a sentence for whoever uploaded it: made of the limits alone."""
        return LectureVerdict(LectureStatus.REJECTED, problem, self._sentence(problem), audio)

    def _sentence(self, problem: RejectionReason) -> str:
        formats = ", ".join(sorted(self.formats))
        return {
            RejectionReason.MISPLACED: "A lecture is one file, directly below its id.",
            RejectionReason.EMPTY: "The file is empty.",
            RejectionReason.TOO_LARGE: f"The file is too large: {self.max_bytes} bytes are allowed.",
            RejectionReason.UNKNOWN_FORMAT: f"This is no recording of a known format. Allowed are {formats}.",
            RejectionReason.FORMAT_NOT_ALLOWED: f"Recordings of this format are not taken. Allowed are {formats}.",
            RejectionReason.UNREADABLE: "The file looks like a recording but cannot be read. Export it again.",
            RejectionReason.TRUNCATED: "The file ends too early: part of the recording is missing. Export it again.",
            RejectionReason.NO_AUDIO: "The file has no sound.",
            RejectionReason.CODEC_NOT_SUPPORTED: "The sound in the file is encoded in a way that is not supported.",
            RejectionReason.NO_DURATION: "The file does not tell how long it plays. Export it again.",
            RejectionReason.TOO_SHORT: f"The recording is too short: {self.min_seconds} seconds are the least.",
            RejectionReason.TOO_LONG: f"The recording is too long: {self.max_seconds} seconds are the most.",
        }[problem]


def parse_upload(one: NewObject) -> LectureUpload | None:
    """The upload that an object is; none where its key names no lecture, or no more than one's folder."""
    found = _KEY.fullmatch(one.key)
    if found is None:
        return None
    lecture_id, name = found.groups()
    placed = "/" not in name and len(name) <= MAX_NAME_CHARS and name.isprintable() and name not in {".", ".."}
    return LectureUpload(lecture_id, one, misplaced=not placed)


def compare_uploads(known: KnownUpload | None, upload: LectureUpload) -> UploadOrder:
    """How an upload stands to what is known."""
    if known is None:
        return UploadOrder.NEWER
    if known.is_of(upload):
        return UploadOrder.SAME
    if known.misplaced != upload.misplaced:
        return UploadOrder.NEWER if known.misplaced else UploadOrder.OLDER
    if known.object_key == upload.object.key:
        return UploadOrder.BUCKET_KNOWS
    return UploadOrder.NEWER if upload.uploaded_at > known.uploaded_at else UploadOrder.OLDER
