"""What the workflow asks of the summary, and what it is told. Pure.

The event says which recording, and how its sound was divided. Its keys are those that the recording's places have, or
it is refused: nothing is read from where an event says.
"""

import itertools
from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field, model_validator

from handlers.common.name_patterns import Ulid, User
from handlers.common.websocket.messages import Message
from handlers.meetings.complete_file import Language
from handlers.meetings.media_result import AudioPart, Milliseconds
from handlers.meetings.s3_keys import Content, MeetingId, Recording

MAX_PARTS = 999
"""Of the sound: their keys have three digits."""


class SummaryRequest(Message):
    """A recording that is to be summarised. Amazon Transcribe is done with each part of its sound."""

    user: User
    meeting_id: Ulid
    content: Content
    language: Language
    duration_ms: Milliseconds
    audio: Annotated[tuple[AudioPart, ...], Field(min_length=1, max_length=MAX_PARTS)]

    @model_validator(mode="after")
    def _check_parts(self) -> Self:
        if [part.key for part in self.audio] != [self.recording.audio_key(at) for at in range(len(self.audio))]:
            raise ValueError("the audio's keys are the recording's own, in their order")
        offsets = [part.offset_ms for part in self.audio]
        if any(later <= before for before, later in itertools.pairwise(offsets)):
            raise ValueError("each part begins after the one before")
        return self

    @property
    def recording(self) -> Recording:
        """Where everything of it is."""
        return Recording(MeetingId(self.user, self.meeting_id), self.content)


class SummaryOutcome(StrEnum):
    """What came of it."""

    SUMMARIZED = "summarized"
    NOTHING_SAID = "nothing_said"
    """There is a transcript, and nothing in it."""


class SummaryResult(Message):
    """What the workflow goes on with."""

    outcome: SummaryOutcome
    transcript_key: str
    summary_key: str | None = None
    action_items: int = 0
    dropped: int = 0
    """Action items whose quote nobody had said."""
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    made: bool = False
    """Whether it was made now: where it was found, its tokens were paid for earlier."""
