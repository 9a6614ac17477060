"""Lambda function `steps`, with which the workflow of a recording writes its progress to the meeting's record."""

import os
from collections.abc import Mapping
from functools import cache
from typing import Any

import boto3

from handlers.common.aws import CONFIG
from handlers.meetings.meeting_gateways import create_gateways
from handlers.meetings.metrics import MeetingMetrics
from handlers.meetings.steps.environment import MeetingStepsEnvironment
from handlers.meetings.steps.job_results import JobResults, ResultMalformed, ResultMissing
from handlers.meetings.steps.step_operations import StepEvent, WorkflowSteps


class StepFailed(Exception):
    """A step failed, and the workflow may retry it. The message is only the class name of the original exception, whose
    own message may quote keys.
    """


def run_step(steps: WorkflowSteps, event: Mapping[str, Any]) -> dict[str, Any]:
    """Run the step that the event names. Raises StepFailed, ResultMissing or ResultMalformed."""
    try:
        return steps.run(StepEvent.model_validate(event)).model_dump(mode="json", by_alias=True)
    except (ResultMissing, ResultMalformed):
        raise
    except Exception as error:  # noqa: BLE001 - the message may quote customer data
        error_type = type(error).__name__
    raise StepFailed(error_type)


@cache
def _steps() -> WorkflowSteps:
    environment = MeetingStepsEnvironment.read()
    gateways = create_gateways(environment)
    return WorkflowSteps(
        gateways.table,
        JobResults(gateways.bucket),
        gateways.upload_processor,
        MeetingMetrics(boto3.client("cloudwatch", config=CONFIG), environment.stack),
        clock=gateways.clock,
        log=gateways.log,
    )


def handler(event: Mapping[str, Any], _context: object) -> dict[str, Any]:
    return run_step(_steps(), event)


if "AWS_LAMBDA_RUNTIME_API" in os.environ:
    _steps()  # Lambda gives the initialisation more CPU than an invocation
