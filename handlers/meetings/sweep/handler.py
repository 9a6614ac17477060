"""Lambda function `sweep`, which a schedule invokes: it checks meetings that make no progress, and restarts them or
marks them as failed.
"""

from collections.abc import Mapping
from datetime import timedelta
from functools import cache
from typing import Any, Literal

from pydantic import BaseModel

from handlers.meetings.meeting_gateways import create_gateways
from handlers.meetings.sweep.environment import SweepEnvironment
from handlers.meetings.sweep.meeting_sweep import MeetingSweep, MeetingTimeLimits


class SweepScheduleEvent(BaseModel):
    """Event with which the schedule invokes the function."""

    kind: Literal["sweep"]


@cache
def _sweep() -> MeetingSweep:
    environment = SweepEnvironment.read()
    gateways = create_gateways(environment)
    return MeetingSweep(
        gateways.table,
        gateways.executions,
        gateways.upload_processor,
        limits=MeetingTimeLimits(
            check_execution_after=timedelta(minutes=environment.processing_minutes),
            fail_incomplete_after=timedelta(minutes=environment.incomplete_minutes),
            give_up_after=timedelta(minutes=environment.give_up_minutes),
        ),
        budget=timedelta(seconds=environment.sweep_seconds),
        clock=gateways.clock,
        log=gateways.log,
    )


def handler(event: Mapping[str, Any], _context: object) -> dict[str, int]:
    SweepScheduleEvent.model_validate(event)
    return _sweep().run()
