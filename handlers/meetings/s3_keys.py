"""Where the bucket has what of a meeting: its keys, made and parsed. Pure.

Each begins with its kind and then the user, so that a role bound to a user reaches what is below his own name and
nothing else. What is made of a recording is below the recording's content: made again, it is made in the same place.
"""

import re
from dataclasses import dataclass
from typing import Annotated, Final

from pydantic import StringConstraints

from handlers.common.identity import user_ids
from handlers.common.time_and_ids import ulid

RAW: Final = "raw/"
"""What clients upload."""
VIDEO: Final = "video/"
AUDIO: Final = "audio/"
TRANSCRIPTS: Final = "transcripts/"
SUMMARIES: Final = "summaries/"
WORK: Final = "work/"
"""What the media job needs to go on after an interruption, and says when it ends."""
COMPLETE_FILE_NAME: Final = "complete.json"
"""The name of what says that a recording is whole; no chunk may have it."""
USER_TAG: Final = "user"
"""The tag of a session that has a user's name: what roles compare these keys with, as `${aws:PrincipalTag/user}`."""
CHUNK_NAME_PATTERN: Final = r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}"
CONTENT_PATTERN: Final = r"[0-9a-f]{32}"
Content = Annotated[str, StringConstraints(pattern=rf"^{CONTENT_PATTERN}$")]
_UPLOAD_KEY = re.compile(rf"{RAW}({user_ids.PATTERN})/({ulid.PATTERN})/({CHUNK_NAME_PATTERN})", re.ASCII)


@dataclass(frozen=True)
class MeetingId:
    """A user's meeting; the client made the ULID."""

    user: str
    meeting_id: str

    def __post_init__(self) -> None:
        if not (re.fullmatch(user_ids.PATTERN, self.user) and re.fullmatch(ulid.PATTERN, self.meeting_id)):
            raise ValueError("a meeting has a user's name and a ULID")

    @property
    def upload_prefix(self) -> str:
        """How the keys of its uploads begin."""
        return f"{RAW}{self.user}/{self.meeting_id}/"

    def upload_key(self, name: str) -> str:
        """The key of one of its uploads."""
        if re.fullmatch(CHUNK_NAME_PATTERN, name) is None:
            raise ValueError("no name of a chunk")
        return self.upload_prefix + name


@dataclass(frozen=True)
class Recording:
    """One content of a meeting: another order, chunk or byte is another recording."""

    meeting: MeetingId
    content: str

    def __post_init__(self) -> None:
        if re.fullmatch(CONTENT_PATTERN, self.content) is None:
            raise ValueError("a content is 32 hexadecimal digits")

    @property
    def video_key(self) -> str:
        """The key of its video."""
        return f"{self._folder(VIDEO)[:-1]}.mp4"

    @property
    def audio_prefix(self) -> str:
        """How the keys of its sound begin."""
        return self._folder(AUDIO)

    def audio_key(self, part: int) -> str:
        """The key of a part of its sound, from 0."""
        return f"{self.audio_prefix}{part:03d}.flac"

    def part_transcript_prefix(self, language: str) -> str:
        """How the keys of the parts' transcripts begin, heard in a language."""
        return f"{self._folder(WORK)}transcripts/{language}/"

    def part_transcript_key(self, part: int, language: str) -> str:
        """The key of what Amazon Transcribe makes of a part: heard in another language it is another transcript."""
        return f"{self.part_transcript_prefix(language)}{part:03d}.json"

    def answer_key(self, question: str) -> str:
        """The key of what a model answered to a question, by the question's hash."""
        return f"{self._folder(WORK)}answers/{question}.json"

    @property
    def transcript_key(self) -> str:
        """The key of all that was said."""
        return f"{self._folder(TRANSCRIPTS)[:-1]}.json"

    @property
    def summary_key(self) -> str:
        """The key of its summary and action items."""
        return f"{self._folder(SUMMARIES)[:-1]}.json"

    @property
    def media_work_prefix(self) -> str:
        """How the keys of the media job's own notes begin."""
        return f"{self._folder(WORK)}media/"

    @property
    def media_result_key(self) -> str:
        """The key of what the media job says when it ends."""
        return f"{self.media_work_prefix}result.json"

    def _folder(self, prefix: str) -> str:
        return f"{prefix}{self.meeting.user}/{self.meeting.meeting_id}/{self.content}/"


@dataclass(frozen=True)
class UploadKey:
    """What the key of an upload says."""

    meeting: MeetingId
    name: str

    @property
    def is_complete_file(self) -> bool:
        """Whether this says that the recording is whole."""
        return self.name == COMPLETE_FILE_NAME


def parse_upload_key(key: str) -> UploadKey | None:
    """What a key below `raw/` says; none where it is not of the form, or climbs out of it."""
    match = _UPLOAD_KEY.fullmatch(key)
    if match is None:
        return None
    user, meeting_id, name = match.groups()
    return UploadKey(MeetingId(user, meeting_id), name)
