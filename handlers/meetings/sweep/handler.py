"""The function that looks after meetings, called by a schedule."""

from collections.abc import Mapping
from datetime import timedelta
from functools import cache
from typing import Any, Literal

from pydantic import BaseModel

from handlers.meetings.gateways import create_gateways
from handlers.meetings.sweep.environment import SweepEnvironment
from handlers.meetings.sweep.meeting_sweep import MeetingSweep, MeetingTimeLimits


class SweepScheduleEvent(BaseModel):
    """What the schedule sends."""

    kind: Literal["sweep"]


@cache
def _sweep() -> MeetingSweep:
    """Made once a container."""
    environment = SweepEnvironment.read()
    made = create_gateways(environment)
    return MeetingSweep(
        made.table,
        made.executions,
        made.starter,
        limits=MeetingTimeLimits(
            processing=timedelta(minutes=environment.processing_minutes),
            incomplete=timedelta(minutes=environment.incomplete_minutes),
            give_up=timedelta(minutes=environment.give_up_minutes),
        ),
        budget=timedelta(seconds=environment.sweep_seconds),
        clock=made.clock,
        log=made.log,
    )


def handler(event: Mapping[str, Any], _context: object) -> dict[str, int]:
    """The entry point of the function."""
    SweepScheduleEvent.model_validate(event)
    return _sweep().run()
