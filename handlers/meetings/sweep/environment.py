"""What the sweep of meetings reads from its environment; a deployment's settings share the ranges."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from handlers.common.environment import SweepSeconds
from handlers.meetings.environment import MeetingsEnvironment

ProcessingMinutes = Annotated[int, Field(ge=15, le=24 * 60)]
IncompleteMinutes = Annotated[int, Field(ge=60, le=14 * 24 * 60)]
GiveUpMinutes = Annotated[int, Field(ge=60, le=14 * 24 * 60)]


class SweepEnvironment(MeetingsEnvironment):
    """The function's own."""

    processing_minutes: ProcessingMinutes = 60
    """After which the execution of a meeting that stays where it is is asked for, and then again each time."""
    incomplete_minutes: IncompleteMinutes = 7 * 24 * 60
    """After which chunks are not waited for: what was uploaded is deleted by then."""
    give_up_minutes: GiveUpMinutes = 2 * 24 * 60
    """After which a meeting whose executions come to nothing is not begun anew."""
    sweep_seconds: SweepSeconds = 40
    """After which a sweep begins nothing more."""

    @model_validator(mode="after")
    def _check_minutes(self) -> Self:
        if self.give_up_minutes <= self.processing_minutes:
            raise ValueError("a meeting is given up later than it is asked for")
        return self
