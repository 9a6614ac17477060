"""The workflow's own steps: `media` when that job has ended, `transcribed`, `finish`, or `fail`."""

import os
from collections.abc import Mapping
from functools import cache
from typing import Any

import boto3

from handlers.common.aws.clients import CONFIG
from handlers.meetings.gateways import create_gateways
from handlers.meetings.metrics import MeetingMetrics
from handlers.meetings.workflow_steps.environment import StepsEnvironment
from handlers.meetings.workflow_steps.step_operations import StepEvent, WorkflowSteps
from handlers.meetings.workflow_steps.workflow_results import ResultMalformed, ResultMissing, WorkflowResults


class StepFailed(Exception):
    """A step could not be made, and may be made again. Says what kind of thing it was; AWS' own words quote keys."""


def run_step(steps: WorkflowSteps, event: Mapping[str, Any]) -> dict[str, Any]:
    """Makes the step that an event asks for; raises ResultMissing, ResultMalformed or StepFailed."""
    try:
        return steps.run(StepEvent.model_validate(event)).model_dump(mode="json", by_alias=True)
    except (ResultMissing, ResultMalformed):
        raise
    except Exception as error:  # noqa: BLE001 - what it says may quote what it was about
        kind = type(error).__name__
    raise StepFailed(kind)


@cache
def _steps() -> WorkflowSteps:
    """Made once a container."""
    environment = StepsEnvironment.read()
    made = create_gateways(environment)
    return WorkflowSteps(
        made.table,
        WorkflowResults(made.store),
        made.starter,
        MeetingMetrics(boto3.client("cloudwatch", config=CONFIG), environment.stack),
        clock=made.clock,
        log=made.log,
    )


def handler(event: Mapping[str, Any], _context: object) -> dict[str, Any]:
    """The entry point of the function."""
    return run_step(_steps(), event)


if "AWS_LAMBDA_RUNTIME_API" in os.environ:
    _steps()  # while the container starts, which is faster and comes before anybody waits
