"""S3 key layout of the meetings bucket, and the parser of the key of an uploaded `complete.json`.

A client uploads the files of a recording (chunks) and `complete.json`, the list of the chunks, as
`raw/<user>/<meetingId>/<name>`. Everything that the backend makes from a recording has a key
`<kind>/<user>/<meetingId>/<content>…`. `<content>` is a hash over the recording's chunks. It distinguishes the
recordings of one meeting, and it is the same if a recording is processed again.

The user comes directly after the kind, so that a role's policy can restrict users to their own objects.
"""

import re
from dataclasses import dataclass
from typing import Annotated, Final

from pydantic import StringConstraints

from handlers.common import ids

RAW: Final = "raw/"
"""Prefix of the clients' uploads."""
VIDEO: Final = "video/"
"""Prefix of the videos that the media job (an AWS Batch job) makes from the chunks."""
AUDIO: Final = "audio/"
"""Prefix of the audio parts that Amazon Transcribe reads."""
TRANSCRIPTS: Final = "transcripts/"
SUMMARIES: Final = "summaries/"
WORK: Final = "work/"
"""Prefix of internal objects, for example the media job's result."""
ALL_PREFIXES: Final = (RAW, VIDEO, AUDIO, TRANSCRIPTS, SUMMARIES, WORK)
"""Prefixes of all objects of a meeting."""
COMPLETE_FILE_NAME: Final = "complete.json"
"""Name of the object that completes an upload. No chunk may have this name."""
USER_TAG: Final = "user"
"""Session tag whose value is the user. IAM policies compare it with the keys, as `${aws:PrincipalTag/user}`."""
ContentHash = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
"""Form of the hash that identifies a recording (`CompleteFile.content`)."""
_COMPLETE_FILE_KEY = re.compile(
    rf"{RAW}({ids.USER_ID_PATTERN})/({ids.ULID_PATTERN})/{re.escape(COMPLETE_FILE_NAME)}", re.ASCII
)


@dataclass(frozen=True)
class MeetingId:
    """A user's pseudonym, and the ULID that the user's app created for the meeting. Two users may use the same ULID."""

    user: str
    meeting_id: str

    @property
    def upload_prefix(self) -> str:
        """Prefix of all objects that the client uploads for the meeting."""
        return f"{RAW}{self.user}/{self.meeting_id}/"

    def upload_key(self, name: str) -> str:
        """Return the key of a chunk or `complete.json`."""
        return self.upload_prefix + name


@dataclass(frozen=True)
class Recording:
    """A recording of a meeting, with the keys of everything that is made from it."""

    meeting: MeetingId
    content: str
    """`<content>` in the keys: the hash that identifies the recording within the meeting."""

    @property
    def video_key(self) -> str:
        return f"{self._folder(VIDEO)[:-1]}.mp4"

    def audio_key(self, part: int) -> str:
        """Return the key of a part of the audio, which Amazon Transcribe transcribes separately; parts count from 0."""
        return f"{self._folder(AUDIO)}{part:03d}.flac"

    def part_transcript_key(self, part: int, language: str) -> str:
        """Return the key to which Amazon Transcribe writes a part's transcript. Each language has its own key."""
        return f"{self._folder(WORK)}transcripts/{language}/{part:03d}.json"

    @property
    def transcript_key(self) -> str:
        """Key of the transcript of the whole recording."""
        return f"{self._folder(TRANSCRIPTS)[:-1]}.json"

    @property
    def summary_key(self) -> str:
        return f"{self._folder(SUMMARIES)[:-1]}.json"

    @property
    def media_result_key(self) -> str:
        """Key of the media job's result."""
        return f"{self._folder(WORK)}media/result.json"

    def _folder(self, prefix: str) -> str:
        return f"{prefix}{self.meeting.user}/{self.meeting.meeting_id}/{self.content}/"


def parse_complete_file_key(key: str) -> MeetingId | None:
    """Return the meeting of the key `raw/<user>/<meetingId>/complete.json`, or None for any other key."""
    match = _COMPLETE_FILE_KEY.fullmatch(key)
    return None if match is None else MeetingId(*match.groups())
