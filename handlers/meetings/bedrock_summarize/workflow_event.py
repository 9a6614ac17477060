"""Event with which the workflow invokes the summary function, and the function's response.

The event names the recording and the parts of its audio. An event is rejected if the key of a part is not the key that
the recording's part must have. So no event can make the function read other objects.
"""

import itertools
from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field, model_validator

from handlers.common.ids import Ulid, UserId
from handlers.common.json_models import Message
from handlers.meetings.media_result import AudioPart, Milliseconds
from handlers.meetings.s3_keys import ContentHash, MeetingId, Recording
from handlers.meetings.upload_completion_file import Language

MAX_PARTS = 999
"""The key of a part contains its number with three digits."""


class SummaryRequest(Message):
    """Request to summarise a recording. All parts of its audio have been transcribed."""

    user: UserId
    meeting_id: Ulid
    content: ContentHash
    language: Language
    duration_ms: Milliseconds
    audio: Annotated[tuple[AudioPart, ...], Field(min_length=1, max_length=MAX_PARTS)]
    """Parts of the audio, in their order."""

    @model_validator(mode="after")
    def _check_parts(self) -> Self:
        if [part.key for part in self.audio] != [self.recording.audio_key(number) for number in range(len(self.audio))]:
            raise ValueError("the audio keys must be the recording's own, in order")
        offsets = [part.offset_ms for part in self.audio]
        if any(later <= before for before, later in itertools.pairwise(offsets)):
            raise ValueError("each part must begin after the previous one")
        return self

    @property
    def recording(self) -> Recording:
        return Recording(MeetingId(self.user, self.meeting_id), self.content)


class SummaryOutcome(StrEnum):
    """Outcome of the summary function."""

    SUMMARIZED = "summarized"
    NOTHING_SAID = "nothing_said"
    """The transcript is empty, and there is no summary."""


class SummaryResult(Message):
    """Response of the summary function."""

    outcome: SummaryOutcome
    transcript_key: str
    summary_key: str | None = None
    action_items: int = 0
    dropped: int = 0
    """Number of action items that were dropped because their quote does not occur in the transcript."""
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    made: bool = False
    """True if this invocation wrote the summary. False if the summary existed already, or if there is none."""
