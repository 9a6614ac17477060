"""S3 key layout of a meeting: the keys of its objects, and the parser of the uploads' keys.

Every key starts with the kind of object and then the user, so a role whose policy names the user reaches only that
user's objects. The key of everything that is made from a recording contains a hash of the recording's content, so a
repeated run writes the same keys. Fields named `content` hold this hash.
"""

import re
from dataclasses import dataclass
from typing import Annotated, Final

from pydantic import StringConstraints

from handlers.common.identity import user_ids
from handlers.common.time_and_ids import ulid

RAW: Final = "raw/"
"""Prefix of the clients' uploads."""
VIDEO: Final = "video/"
"""Prefix of the videos that the media job joins."""
AUDIO: Final = "audio/"
"""Prefix of the audio parts that Amazon Transcribe reads."""
TRANSCRIPTS: Final = "transcripts/"
SUMMARIES: Final = "summaries/"
WORK: Final = "work/"
"""Prefix of internal objects: files with which an interrupted job continues, the media job's result, stored answers."""
COMPLETE_FILE_NAME: Final = "complete.json"
"""Name of the file that completes an upload. No chunk may have it."""
USER_TAG: Final = "user"
"""Session tag that holds the user. Role policies compare it with the keys, as `${aws:PrincipalTag/user}`."""
CHUNK_NAME_PATTERN: Final = r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}"
CONTENT_HASH_PATTERN: Final = r"[0-9a-f]{32}"
"""Form of the hash that identifies a recording by its chunks (`CompleteFile.content`)."""
ContentHash = Annotated[str, StringConstraints(pattern=rf"^{CONTENT_HASH_PATTERN}$")]
_UPLOAD_KEY = re.compile(rf"{RAW}({user_ids.USER_ID_PATTERN})/({ulid.ULID_PATTERN})/({CHUNK_NAME_PATTERN})", re.ASCII)


@dataclass(frozen=True)
class MeetingId:
    """A user and the ULID that the client created for the meeting."""

    user: str
    meeting_id: str

    def __post_init__(self) -> None:
        if not (re.fullmatch(user_ids.USER_ID_PATTERN, self.user) and re.fullmatch(ulid.ULID_PATTERN, self.meeting_id)):
            raise ValueError("a meeting id consists of a valid user and a ULID")

    @property
    def upload_prefix(self) -> str:
        """Prefix of all uploads of the meeting."""
        return f"{RAW}{self.user}/{self.meeting_id}/"

    def upload_key(self, name: str) -> str:
        """Return the key of one upload; raise ValueError for an invalid name."""
        if re.fullmatch(CHUNK_NAME_PATTERN, name) is None:
            raise ValueError("invalid name of an uploaded file")
        return self.upload_prefix + name


@dataclass(frozen=True)
class Recording:
    """One version of a meeting's recording. Any change of a chunk, or of the order of chunks, makes another version."""

    meeting: MeetingId
    content: str
    """Identity of the recording: a hash over the hashes of its chunks."""

    def __post_init__(self) -> None:
        if re.fullmatch(CONTENT_HASH_PATTERN, self.content) is None:
            raise ValueError("a content must have 32 hexadecimal digits")

    @property
    def video_key(self) -> str:
        """Key of the video."""
        return f"{self._folder(VIDEO)[:-1]}.mp4"

    @property
    def audio_prefix(self) -> str:
        """Prefix of the audio parts."""
        return self._folder(AUDIO)

    def audio_key(self, part: int) -> str:
        """Return the key of a part of the audio; parts count from 0."""
        return f"{self.audio_prefix}{part:03d}.flac"

    def part_transcript_prefix(self, language: str) -> str:
        """Return the prefix of the parts' transcripts in one language."""
        return f"{self._folder(WORK)}transcripts/{language}/"

    def part_transcript_key(self, part: int, language: str) -> str:
        """Return the key to which Amazon Transcribe writes a part's transcript. It depends on the language, so another
        language does not reuse it.
        """
        return f"{self.part_transcript_prefix(language)}{part:03d}.json"

    def answer_key(self, question_hash: str) -> str:
        """Return the key of the stored answer of a model to a question."""
        return f"{self._folder(WORK)}answers/{question_hash}.json"

    @property
    def transcript_key(self) -> str:
        """Key of the whole transcript."""
        return f"{self._folder(TRANSCRIPTS)[:-1]}.json"

    @property
    def summary_key(self) -> str:
        """Key of the summary with its action items."""
        return f"{self._folder(SUMMARIES)[:-1]}.json"

    @property
    def media_work_prefix(self) -> str:
        """Prefix of the media job's internal files."""
        return f"{self._folder(WORK)}media/"

    @property
    def media_result_key(self) -> str:
        """Key of the media job's result."""
        return f"{self.media_work_prefix}result.json"

    def _folder(self, prefix: str) -> str:
        return f"{prefix}{self.meeting.user}/{self.meeting.meeting_id}/{self.content}/"


@dataclass(frozen=True)
class UploadKey:
    """A parsed key below `raw/`."""

    meeting: MeetingId
    name: str
    """Name of a chunk, or `complete.json`."""

    @property
    def is_complete_file(self) -> bool:
        return self.name == COMPLETE_FILE_NAME


def parse_upload_key(key: str) -> UploadKey | None:
    """Parse a key below `raw/`; return None if the key does not have exactly the form of an upload."""
    match = _UPLOAD_KEY.fullmatch(key)
    if match is None:
        return None
    user, meeting_id, name = match.groups()
    return UploadKey(MeetingId(user, meeting_id), name)
