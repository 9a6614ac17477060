"""Fixtures of the tests of operator's commands.

The function of `cloud`, in memory, and of `moto` has two versions, of which the second is live.
"""

import io
import zipfile
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from operations.function_management_gateway import FunctionGateway
from tests.credentials import credentials
from tests.operations.fake_lambda_cloud import (
    ALARM,
    ENVIRONMENT,
    FUNCTION,
    OTHER_ALARM,
    PATH,
    SECRET,
    FakeLambdaCloud,
    RunRefused,
)


@pytest.fixture
def cloud() -> FakeLambdaCloud:
    """Return a fake of Lambda and CloudWatch with the function and two alarms in state OK."""
    cloud = FakeLambdaCloud()
    cloud.deploy("code-1", "code-2")
    cloud.set_alarm(ALARM, "OK")
    cloud.set_alarm(OTHER_ALARM, "OK")
    return cloud


@pytest.fixture
def run_refused(cloud: FakeLambdaCloud, capsys: pytest.CaptureFixture[str]) -> RunRefused:
    def run(command: str, *arguments: str, path: str = PATH) -> str:
        state_before = cloud.routing(), cloud.live_environment()
        assert cloud.run(command, *arguments, path=path) == 2
        assert (cloud.routing(), cloud.live_environment()) == state_before
        error = capsys.readouterr().err
        assert error.count("\n") == 1
        assert SECRET not in error
        return error

    return run


def _zip_handler(text: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(zipfile.ZipInfo("handler.py"), text)
    return buffer.getvalue()


@pytest.fixture
def mocked_aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Replace AWS by moto during the test."""
    credentials(monkeypatch)
    with mock_aws():
        yield


@pytest.fixture
def moto(mocked_aws: None) -> FunctionGateway:
    """Return a gateway to moto with the same function and versions as in memory."""
    iam, functions, cloudwatch = boto3.client("iam"), boto3.client("lambda"), boto3.client("cloudwatch")
    role = iam.create_role(RoleName="one", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    functions.create_function(
        FunctionName=FUNCTION,
        Runtime="python3.13",
        Role=role,
        Handler="handler.handler",
        Code={"ZipFile": _zip_handler("code-1")},
        Environment={"Variables": ENVIRONMENT},
        Publish=True,
    )
    functions.update_function_code(FunctionName=FUNCTION, ZipFile=_zip_handler("code-2"), Publish=True)
    functions.create_alias(FunctionName=FUNCTION, Name="live", FunctionVersion="2")
    condition: dict[str, Any] = {"Statistic": "Sum", "ComparisonOperator": "GreaterThanThreshold", "Threshold": 0}
    cloudwatch.put_metric_alarm(
        AlarmName=ALARM, Namespace="x", MetricName="x", Period=60, EvaluationPeriods=1, **condition
    )
    cloudwatch.set_alarm_state(AlarmName=ALARM, StateValue="OK", StateReason="a test")
    clients: dict[str, Any] = {"lambda": functions, "cloudwatch": cloudwatch}
    return FunctionGateway(clients.__getitem__)
