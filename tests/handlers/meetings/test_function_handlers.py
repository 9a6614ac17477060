"""Tests of the meetings functions through their Lambda handlers, with environment variables as on AWS."""

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws
from pydantic import ValidationError

from handlers.meetings.execution_name_and_input import MeetingExecution
from handlers.meetings.start import handler as upload_events_handler
from handlers.meetings.steps import handler as workflow_steps_handler
from handlers.meetings.steps.handler import StepFailed
from handlers.meetings.storage import handler as storage_handler
from tests.handlers.meetings.meeting_harness import (
    BUCKET,
    MEETING,
    TABLE,
    MeetingHarness,
    create_harness,
    object_created_event,
)

VARIABLES = {"TABLE_NAME": TABLE, "BUCKET_NAME": BUCKET, "STACK": "dev"}


@pytest.fixture
def harness(monkeypatch: pytest.MonkeyPatch) -> Iterator[MeetingHarness]:
    """The harness with a state machine emulated by moto, which the functions find through their environment."""
    with create_harness(monkeypatch) as meeting_harness, mock_aws():
        step_functions = boto3.client("stepfunctions")
        definition = json.dumps({"StartAt": "End", "States": {"End": {"Type": "Wait", "Seconds": 1, "End": True}}})
        arn = step_functions.create_state_machine(
            name="meetings", definition=definition, roleArn="arn:aws:iam::123456789012:role/states"
        )["stateMachineArn"]
        for name, value in {**VARIABLES, "STATE_MACHINE_ARN": arn}.items():
            monkeypatch.setenv(name, value)
        cached_functions: tuple[Any, ...] = (
            upload_events_handler._upload_events,
            workflow_steps_handler._steps,
            storage_handler._storage_counter,
        )
        for function in cached_functions:
            function.cache_clear()
        yield meeting_harness
        for function in cached_functions:
            function.cache_clear()


def test_the_lambda_handlers_process_a_recording_together(harness: MeetingHarness) -> None:
    harness.upload_recording_without_event(b"a")
    message = {"messageId": "m", "body": object_created_event(MEETING.upload_key("complete.json"))}
    assert upload_events_handler.handler({"Records": [message]}, None) == {"batchItemFailures": []}
    assert harness.state() == ("processing", "media")
    execution = MeetingExecution.for_record(harness.record())
    step_functions = boto3.client("stepfunctions")
    state_machine = step_functions.list_state_machines()["stateMachines"][0]["stateMachineArn"]
    [started_execution] = step_functions.list_executions(stateMachineArn=state_machine)["executions"]
    assert started_execution["name"] == execution.name

    harness.write_media_result(execution.recording)
    assert workflow_steps_handler.handler({**execution.input, "step": "media"}, None)["outcome"] == "ready"
    assert workflow_steps_handler.handler({**execution.input, "step": "transcribed"}, None) == {"outcome": "goes_on"}
    last_step = {**execution.input, "step": "finish", "outcome": "summarized"}
    assert workflow_steps_handler.handler(last_step, None) == {"outcome": "ready"}
    metrics = boto3.client("cloudwatch").list_metrics(Namespace="Polyphony/Meetings")["Metrics"]
    assert {metric["MetricName"] for metric in metrics} == {"FfmpegRatio", "ProcessingDuration"}

    assert storage_handler.handler({"kind": "storage"}, None) == {"objects": 2, "users": 1, "metrics": 0}


def test_the_handlers_reject_invalid_events(harness: MeetingHarness) -> None:
    with pytest.raises(ValidationError):
        storage_handler.handler({"kind": "other"}, None)
    with pytest.raises(StepFailed):
        workflow_steps_handler.handler({}, None)
