"""Tests of the command `checklist`, which checks the stack after a change of meetings and lists the manual checks."""

from argparse import Namespace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import boto3
import pytest
from botocore.stub import ANY, Stubber

from clients.meetings import UploadInterrupted
from operations import meetings_post_change_checks
from operations.command_context import CommandContext
from operations.command_errors import CommandFailed

GROUP = "/aws/lambda/polyphony-dev-meetings-steps"
CANARY = "canary-9f2c"
NOW = datetime.now(UTC)


class StubbedStack:
    """A stack without problems, as stubbed AWS responses. A test adds alarms, errors in logs, or failed executions.

    botocore validates the responses against the service models.
    """

    def __init__(self) -> None:
        self.alarms = {"polyphony-dev-meetings-one-warning": "OK"}
        self.log_error_count = 0
        self.failed_executions: dict[str, list[datetime]] = {}
        """Times at which executions ended, by status."""
        self.printed: list[str] = []
        keys: dict[str, Any] = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
        services: tuple[Any, ...] = ("logs", "stepfunctions", "cloudwatch", "sts")
        self.clients: dict[str, Any] = {
            service: boto3.client(service, region_name="us-east-1", **keys) for service in services
        }
        self.stubs = {service: Stubber(client) for service, client in self.clients.items()}

    def run(
        self, sample: tuple[Path | None, Path | None, str | None] = (None, None, None), create_client: Any = None
    ) -> int:
        """Run the command. It uploads the sample, if there is one, with the client that `create_client` returns."""
        self._add_responses()
        context = CommandContext(self.clients.__getitem__, lambda: 0.0, lambda _: None, self.printed.append)
        for stub in self.stubs.values():
            stub.activate()
        recording, token, api_url = sample
        options = Namespace(stack="dev", hours=24, recording=recording, token=token, api_url=api_url)
        return meetings_post_change_checks.run(context, options, create_client)

    def _add_responses(self) -> None:
        cloudwatch, logs, states = self.stubs["cloudwatch"], self.stubs["logs"], self.stubs["stepfunctions"]
        alarms = [{"AlarmName": name, "StateValue": state} for name, state in self.alarms.items()]
        any_alarms = {"AlarmNamePrefix": ANY, "AlarmTypes": ANY}
        cloudwatch.add_response("describe_alarms", {"MetricAlarms": alarms}, any_alarms)
        logs.add_response("describe_log_groups", {"logGroups": [{"logGroupName": GROUP}]}, {"logGroupNamePrefix": ANY})
        logs.add_response("describe_log_groups", {"logGroups": []}, {"logGroupNamePrefix": ANY})
        logs.add_response(
            "filter_log_events",
            {"events": [{"message": CANARY}] * self.log_error_count},
            {"logGroupName": GROUP, "startTime": ANY, "filterPattern": meetings_post_change_checks.ERROR_PATTERN},
        )
        self.stubs["sts"].add_response(
            "get_caller_identity", {"Account": "123456789012", "Arn": "arn:aws:sts::123456789012:assumed-role/a/b"}
        )
        arn = "arn:aws:states:us-east-1:123456789012:stateMachine:polyphony-dev-meetings-workflow"
        for status in meetings_post_change_checks.FAILED_STATUSES:
            execution = {"executionArn": arn, "stateMachineArn": arn, "name": "one", "status": status}
            executions = [
                {**execution, "startDate": time, "stopDate": time} for time in self.failed_executions.get(status, [])
            ]
            request = {"stateMachineArn": arn, "statusFilter": status, "maxResults": 1000}
            states.add_response("list_executions", {"executions": executions}, request)
        # Two metrics, each in the period and in the period before it.
        for value in (10.0, 20.0, 1.0, 1.0):
            point = {"Datapoints": [{"ExtendedStatistics": {"p95": value}}]}
            cloudwatch.add_response("get_metric_statistics", point)


def test_a_healthy_stack_leaves_only_the_manual_checks() -> None:
    stack = StubbedStack()
    assert stack.run() == 0
    assert "measured  ProcessingDuration, p95: 10.0; in the period before: 20.0" in stack.printed
    assert not [line for line in stack.printed if line.startswith("FOUND")]
    manual_checks = [f"confirm   {check}" for check in meetings_post_change_checks.MANUAL_CHECKS]
    assert [line for line in stack.printed if line.startswith("confirm")] == manual_checks


def test_an_alarm_in_state_alarm_is_a_finding() -> None:
    stack = StubbedStack()
    stack.alarms["polyphony-dev-meetings-two-critical"] = "ALARM"
    assert stack.run() == 1
    assert "FOUND     alarms in state ALARM: polyphony-dev-meetings-two-critical" in stack.printed


def test_errors_in_logs_are_counted_but_not_printed() -> None:
    stack = StubbedStack()
    stack.log_error_count = 3
    assert stack.run() == 1
    assert f"FOUND     3 errors in {GROUP}" in stack.printed
    assert CANARY not in "\n".join(stack.printed)


def test_only_failed_executions_within_the_period_count() -> None:
    stack = StubbedStack()
    stack.failed_executions["TIMED_OUT"] = [NOW - timedelta(hours=1), NOW - timedelta(hours=30)]
    assert stack.run() == 1
    assert "FOUND     1 executions of polyphony-dev-meetings-workflow: TIMED_OUT" in stack.printed


def test_a_stack_without_alarms_is_refused() -> None:
    stack = StubbedStack()
    stack.alarms = {}
    with pytest.raises(CommandFailed, match="Check --stack, account and Region"):
        stack.run()


Sample = tuple[Path, Path, str]
"""Recording, file with a user's token, and URL of the API."""


@pytest.fixture
def sample(tmp_path: Path) -> Sample:
    (tmp_path / "token").write_text(f"{CANARY}\n")
    (tmp_path / "one.mp4").write_bytes(b"video")
    return tmp_path / "one.mp4", tmp_path / "token", "https://api.example.com"


def test_a_sample_is_processed_and_its_token_is_not_printed(sample: Sample) -> None:
    stack, create_client = StubbedStack(), Mock()
    client = create_client.return_value
    client.wait_until_ready.return_value.status = "ready"
    assert stack.run(sample=sample, create_client=create_client) == 0
    read_token = create_client.call_args.args[1]
    assert read_token() == CANARY
    uploaded = client.upload.return_value
    client.wait_until_ready.assert_called_once_with(uploaded.meeting_id, content=uploaded.content)
    assert any(line.startswith("ok        the sample is ready") for line in stack.printed)
    assert CANARY not in "\n".join(stack.printed)


def test_a_sample_that_is_not_processed_is_a_finding(sample: Sample) -> None:
    stack, create_client = StubbedStack(), Mock()
    create_client.return_value.wait_until_ready.side_effect = UploadInterrupted(CANARY)
    assert stack.run(sample=sample, create_client=create_client) == 1
    assert "FOUND     the sample was not processed: UploadInterrupted" in stack.printed
    assert CANARY not in "\n".join(stack.printed)


def test_incomplete_options_for_a_sample_are_refused(sample: Sample) -> None:
    recording, token, url = sample
    with pytest.raises(CommandFailed, match="all three options"):
        StubbedStack().run((recording, None, None))
    with pytest.raises(CommandFailed, match="all three options"):
        StubbedStack().run((None, token, url))
    with pytest.raises(CommandFailed, match="is not a file"):
        StubbedStack().run((recording, token.with_name("none"), url))
