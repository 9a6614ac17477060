"""Models of an upload: the meeting that a program uploads, and the result of the upload."""

from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from handlers.common.identifier_types import Ulid
from handlers.common.time_and_ids.new_ids import new_id
from handlers.common.time_and_ids.timestamps import timestamp
from handlers.meetings.upload_completion_file import Chunk, CompleteFile, Language, Participants, Tags, Title


class NewMeeting(BaseModel):
    """A meeting to upload.

    To continue an interrupted upload, or to restart a failed meeting, upload the meeting again with the same values,
    including `meeting_id`. So keep the values until the meeting is ready.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    title: Title
    started_at: AwareDatetime
    """Start of the meeting, with time zone."""
    language: Language = "en-US"
    """Spoken language, as a language code of Amazon Transcribe."""
    participants: Participants = ()
    tags: Tags = ()
    meeting_id: Ulid = Field(default_factory=new_id)
    """Id of the meeting, by default a new ULID."""

    def to_complete_file(self, chunks: Sequence[Chunk]) -> CompleteFile:
        """Return the content of `complete.json`, the file with which the client completes the upload.

        It describes the meeting, and lists the chunks (files) of the recording.
        """
        return CompleteFile(
            schema_version=1,
            title=self.title,
            started_at=timestamp(self.started_at),
            language=self.language,
            participants=self.participants,
            tags=self.tags,
            chunks=tuple(chunks),
        )


@dataclass(frozen=True)
class Uploaded:
    """Result of an upload that was completed."""

    meeting_id: str
    content: str
    """Hash over the chunks, which identifies this recording among several recordings of the same meeting. Pass it to
    `wait_until_ready`.
    """
    sent: int
    """Number of chunks that this upload sent."""
    kept: int
    """Number of chunks that the bucket already had."""
