"""Fixtures of the tests of operator's commands: a function on moto, with two versions of which the second is live."""

import hashlib
import json
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore import xform_name
from botocore.exceptions import ClientError
from moto import mock_aws

from operations.__main__ import main
from tests.credentials import credentials

PATH = "transcription/audio-processor"
FUNCTION = "polyphony-dev-transcription-audio-processor"
ALARM, OTHER_ALARM = f"{FUNCTION}-errors-critical", "polyphony-dev-transcription-sessions-errors-critical"
SECRET = "canary-9f2c"
ENVIRONMENT = {
    "LOG_LEVEL": "INFO",
    "PARTIAL_RESULTS_ENABLED": "true",
    "SESSIONS_TABLE_NAME": "sessions",
    "STRUCTURED_LOGGING": "true",
    "LAST_RESULTS_MS": "3000",
    "PRIVATE_TOKEN": SECRET,
}


def client_error(code: str, status: int = 400) -> ClientError:
    response: Any = {"Error": {"Code": code, "Message": SECRET}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(response, "AnOperation")


class Cloud:
    """Lambda and CloudWatch on moto, a clock, and the commands. The function's alias is at version 2 of two.

    It adds what moto lacks: the check of `RevisionId`, and provisioned concurrency. `before` has events, one per call of
    an operation or of `wait`: functions that run, or errors that are raised, before the call. `states` has the states of
    versions that are not active.
    """

    def __init__(self) -> None:
        self.now, self.printed, self.allocations = 0.0, list[str](), list[str]()
        self.before: dict[str, list[Any]] = {}
        self.states: dict[str, str] = {}
        self.functions: Any = boto3.client("lambda")
        self.functions.get_provisioned_concurrency_config = self._get_allocation  # type: ignore[method-assign]
        self.functions.meta.events.register("provide-client-params.lambda", self._before_call)
        self.functions.meta.events.register("after-call.lambda", self._complete_answer)
        self.cloudwatch: Any = boto3.client("cloudwatch")
        boto3.client("iam").create_role(RoleName="one", AssumeRolePolicyDocument="{}")
        self.deploy(FUNCTION, "code-1", "code-2")
        for name in (ALARM, OTHER_ALARM):
            self.set_alarm(name)

    def deploy(self, function: str, *codes: str) -> None:
        """Publish a version for each code, the last of which is live."""
        self.functions.create_function(
            FunctionName=function,
            Code={"ZipFile": codes[0].encode()},
            Environment={"Variables": ENVIRONMENT},
            Runtime="python3.13",
            Role="arn:aws:iam::123456789012:role/one",
            Handler="handler.handler",
            Publish=True,
        )
        for code in codes[1:]:
            self.functions.update_function_code(FunctionName=function, ZipFile=code.encode(), Publish=True)
        self.functions.create_alias(FunctionName=function, Name="live", FunctionVersion=str(len(codes)))

    def set_alarm(self, name: str, state: str = "OK") -> None:
        condition: Any = {"Statistic": "Sum", "ComparisonOperator": "GreaterThanThreshold", "Threshold": 0}
        metric: Any = {"Namespace": "x", "MetricName": "x", "Period": 60, "EvaluationPeriods": 1}
        self.cloudwatch.put_metric_alarm(AlarmName=name, **metric, **condition)
        self.cloudwatch.set_alarm_state(AlarmName=name, StateValue=state, StateReason="a test")

    def move_alias(self, version: str, weights: dict[str, float] | None = None, function: str = FUNCTION) -> None:
        routing = {"AdditionalVersionWeights": weights or {}}
        self.functions.update_alias(FunctionName=function, Name="live", FunctionVersion=version, RoutingConfig=routing)

    def traffic(self, function: str = FUNCTION) -> tuple[str, dict[str, float]]:
        """Return the alias's version, and the weights of other versions."""
        alias = self.functions.get_alias(FunctionName=function, Name="live")
        return alias["FunctionVersion"], (alias.get("RoutingConfig") or {}).get("AdditionalVersionWeights", {})

    def variables(self, qualifier: str = "live") -> dict[str, str]:
        answer = self.functions.get_function_configuration(FunctionName=FUNCTION, Qualifier=qualifier)
        return dict(answer["Environment"]["Variables"])

    def run(self, command: str, *arguments: str, path: str | None = PATH) -> int:
        line = [command, "--stack", "dev", *filter(None, [path]), *arguments]
        clients = {"lambda": self.functions, "cloudwatch": self.cloudwatch}.__getitem__
        return main(line, clients=clients, clock=lambda: self.now, wait=self.wait, print_line=self.printed.append)

    def wait(self, seconds: float) -> None:
        self._run_event("wait")
        self.now += seconds

    def _run_event(self, operation: str) -> None:
        event = self.before[operation].pop(0) if self.before.get(operation) else None
        if isinstance(event, BaseException):
            raise event
        if event is not None:
            event()

    def _before_call(self, model: Any, params: dict[str, Any], **_: Any) -> None:
        """Run the event before a call, and refuse the call if its revision is not the current one."""
        self._run_event(xform_name(model.name))
        revision = params.pop("RevisionId", None)
        if revision is not None:
            current = self.functions.get_function_configuration(
                FunctionName=params["FunctionName"], Qualifier="$LATEST"
            )
            if model.name == "UpdateAlias":
                current = self.functions.get_alias(FunctionName=params["FunctionName"], Name="live")
            if revision != current["RevisionId"]:
                raise client_error("PreconditionFailedException", 412)

    def _complete_answer(self, parsed: dict[str, Any], **_: Any) -> None:
        """Set the state of a version in an answer of moto, and the revision, which is a hash of the answer."""
        if "Version" in parsed:
            parsed["State"] = self.states.get(parsed["Version"], "Active")
        content = {key: value for key, value in parsed.items() if key not in {"RevisionId", "ResponseMetadata"}}
        parsed["RevisionId"] = hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()

    def _get_allocation(self, FunctionName: str, Qualifier: str) -> Any:  # noqa: N803 - boto3's names
        self.functions.get_alias(FunctionName=FunctionName, Name=Qualifier)
        if not self.allocations:
            raise client_error("ProvisionedConcurrencyConfigNotFoundException", 404)
        return {"Status": self.allocations.pop(0) if len(self.allocations) > 1 else self.allocations[0]}


@pytest.fixture
def mocked_aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Replace AWS by moto during the test."""
    credentials(monkeypatch)
    with mock_aws():
        yield


@pytest.fixture
def cloud(mocked_aws: None) -> Cloud:
    return Cloud()


@pytest.fixture
def refuse(cloud: Cloud, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Return a function that runs a command, which must fail with one line and without an effect on callers."""

    def run(command: str, *arguments: str, path: str = PATH) -> str:
        before = cloud.traffic(), cloud.variables()
        assert cloud.run(command, *arguments, path=path) == 2
        assert (cloud.traffic(), cloud.variables()) == before
        error = capsys.readouterr().err
        assert error.count("\n") == 1
        assert SECRET not in error
        return error

    return run
