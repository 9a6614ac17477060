"""A function with two versions, the second live: in memory, and as moto plays it."""

import io
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from operations.aws_gateway import FunctionGateway
from tests.credentials import credentials
from tests.operations.fake_cloud import ALARM, ENVIRONMENT, FUNCTION, OTHER_ALARM, PATH, SECRET, Cloud


@pytest.fixture
def cloud() -> Cloud:
    made = Cloud()
    made.deployed("code-1", "code-2")
    made.alarm(ALARM, "OK")
    made.alarm(OTHER_ALARM, "OK")
    return made


@pytest.fixture
def refused(cloud: Cloud, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Runs a command that is refused and returns its one line; callers keep what they had."""

    def run(command: str, *arguments: str, path: str = PATH) -> str:
        before = cloud.traffic(), cloud.heard()
        assert cloud.run(command, *arguments, path=path) == 2
        assert (cloud.traffic(), cloud.heard()) == before
        error = capsys.readouterr().err
        assert error.count("\n") == 1
        assert SECRET not in error
        return error

    return run


def _zipped(text: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(zipfile.ZipInfo("handler.py"), text)
    return buffer.getvalue()


@pytest.fixture
def moto(monkeypatch: pytest.MonkeyPatch) -> Iterator[FunctionGateway]:
    """The same function as in memory: two versions, the second live."""
    credentials(monkeypatch)
    with mock_aws():
        iam, functions, cloudwatch = boto3.client("iam"), boto3.client("lambda"), boto3.client("cloudwatch")
        role = iam.create_role(RoleName="one", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
        functions.create_function(
            FunctionName=FUNCTION,
            Runtime="python3.13",
            Role=role,
            Handler="handler.handler",
            Code={"ZipFile": _zipped("code-1")},
            Environment={"Variables": ENVIRONMENT},
            Publish=True,
        )
        functions.update_function_code(FunctionName=FUNCTION, ZipFile=_zipped("code-2"), Publish=True)
        functions.create_alias(FunctionName=FUNCTION, Name="live", FunctionVersion="2")
        for name in ("polyphony-dev-transcription-a", "polyphony-dev-ingestion-b"):
            cloudwatch.put_metric_alarm(
                AlarmName=name,
                Namespace="x",
                MetricName="x",
                Period=60,
                Threshold=0,
                EvaluationPeriods=1,
                ComparisonOperator="GreaterThanThreshold",
                Statistic="Sum",
            )
            cloudwatch.set_alarm_state(AlarmName=name, StateValue="OK", StateReason="a test")
        clients: dict[str, Any] = {"lambda": functions, "cloudwatch": cloudwatch}
        yield FunctionGateway(clients.__getitem__)
