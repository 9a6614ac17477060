"""What a program says of a meeting that it uploads, and hears when that is done."""

from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from handlers.common.name_patterns import Ulid
from handlers.common.time_and_ids import clock
from handlers.common.time_and_ids.timestamps import timestamp
from handlers.meetings.complete_file import Chunk, CompleteFile, Language, Participants, Tags, Title


class NewMeeting(BaseModel):
    """A meeting to upload. Keep its `meeting_id` until it is ready: by it an interrupted upload goes on, and a failed one begins anew."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    title: Title
    started_at: AwareDatetime
    """When it began, with its time zone."""
    language: Language = "en-US"
    """What is spoken, as Amazon Transcribe names it."""
    participants: Participants = ()
    tags: Tags = ()
    meeting_id: Ulid = Field(default_factory=clock.new_id)

    def complete(self, chunks: Sequence[Chunk]) -> CompleteFile:
        """What says that the recording is whole."""
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
    """A recording that is whole, and will be worked on."""

    meeting_id: str
    content: str
    """What tells this recording from another one of the same meeting: `wait_until_ready` takes it."""
    sent: int
    """Chunks that were sent now."""
    kept: int
    """Chunks that were there already."""
