"""Environment variables of the sweep, and the types of their values, which the stack's settings use too.

The sweep is a scheduled function that checks meetings which make no progress.
"""

from typing import Annotated, Self

from pydantic import Field, model_validator

from handlers.common.sweep_time_budget import SweepSeconds
from handlers.meetings.environment import MeetingsEnvironment

ProcessingMinutes = Annotated[int, Field(ge=15, le=24 * 60)]
IncompleteMinutes = Annotated[int, Field(ge=60, le=14 * 24 * 60)]
GiveUpMinutes = Annotated[int, Field(ge=60, le=14 * 24 * 60)]


class SweepEnvironment(MeetingsEnvironment):
    processing_minutes: ProcessingMinutes = 60
    """Time without a new stage or attempt after which the sweep checks the workflow execution of a meeting in progress.
    If the execution runs, the sweep checks it again after the same time.
    """
    incomplete_minutes: IncompleteMinutes = 7 * 24 * 60
    """Time after which a meeting with missing chunks (files of the recording) is marked as failed. The deployment sets
    it to the time after which the bucket's lifecycle deletes chunks, but at most two weeks.
    """
    give_up_minutes: GiveUpMinutes = 2 * 24 * 60
    """Time since the upload of a recording after which the sweep starts no execution for it, but marks the meeting as
    failed instead.
    """
    sweep_seconds: SweepSeconds = 40
    """Time after which a sweep checks no further meeting."""

    @model_validator(mode="after")
    def _check_minutes(self) -> Self:
        if self.give_up_minutes <= self.processing_minutes:
            raise ValueError("give_up_minutes must be larger than processing_minutes")
        return self
