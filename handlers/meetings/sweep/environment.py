"""Environment variables of the sweep of meetings, and value ranges that the stack's settings share."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from handlers.common.sweep_time_budget import SweepSeconds
from handlers.meetings.environment import MeetingsEnvironment

ProcessingMinutes = Annotated[int, Field(ge=15, le=24 * 60)]
IncompleteMinutes = Annotated[int, Field(ge=60, le=14 * 24 * 60)]
GiveUpMinutes = Annotated[int, Field(ge=60, le=14 * 24 * 60)]


class SweepEnvironment(MeetingsEnvironment):
    processing_minutes: ProcessingMinutes = 60
    """Time without progress after which the sweep checks a meeting's execution, and the interval between two checks."""
    incomplete_minutes: IncompleteMinutes = 7 * 24 * 60
    """Time after which missing chunks are no longer expected. The deployment sets it to the days after which the
    bucket's lifecycle deletes uploaded chunks, but at most two weeks.
    """
    give_up_minutes: GiveUpMinutes = 2 * 24 * 60
    """Age of a recording after which the sweep does not start it again."""
    sweep_seconds: SweepSeconds = 40
    """Time after which a sweep starts no further work."""

    @model_validator(mode="after")
    def _check_minutes(self) -> Self:
        if self.give_up_minutes <= self.processing_minutes:
            raise ValueError("give_up_minutes must be larger than processing_minutes")
        return self
