"""Event from the workflow to the summary function, and the response.

The event names the recording and the parts of its audio. It is rejected unless all its keys are the recording's own, so
the function never reads from a location that an event chooses.
"""

import itertools
from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field, model_validator

from handlers.common.identifier_types import Ulid, UserId
from handlers.common.json_models import Message
from handlers.meetings.media_result import AudioPart, Milliseconds
from handlers.meetings.s3_keys import ContentHash, MeetingId, Recording
from handlers.meetings.upload_completion_file import Language

MAX_PARTS = 999
"""The number of a part has three digits in its key."""


class SummaryRequest(Message):
    """A recording whose audio parts are all transcribed."""

    user: UserId
    meeting_id: Ulid
    content: ContentHash
    language: Language
    duration_ms: Milliseconds
    """Duration of the recording."""
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
        """The recording to summarise."""
        return Recording(MeetingId(self.user, self.meeting_id), self.content)


class SummaryOutcome(StrEnum):
    """Outcome of the summary function."""

    SUMMARIZED = "summarized"
    NOTHING_SAID = "nothing_said"
    """The transcript is empty, and there is no summary."""


class SummaryResult(Message):
    """Response with which the workflow continues."""

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
    """True if this invocation wrote the summary. Otherwise another invocation wrote it and sent its metrics."""
