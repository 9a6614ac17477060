"""Fake of Lambda and CloudWatch in memory, with the behaviour that the commands rely on.

Updates take some time, and the revision changes again at their end. Published versions are frozen, and publishing
without a change creates no version. The tests control the clock.
"""

import copy
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError, ReadTimeoutError

from operations.__main__ import main

START = datetime(2026, 1, 3, 12, tzinfo=UTC)
PATH = "transcription/audio-processor"
FUNCTION = "polyphony-dev-transcription-audio-processor"
ALARM = "polyphony-dev-transcription-audio-processor-errors-critical"
OTHER_ALARM = "polyphony-dev-transcription-sessions-errors-critical"
SECRET = "canary-9f2c"
ENVIRONMENT = {
    "LOG_LEVEL": "INFO",
    "PARTIAL_RESULTS_ENABLED": "true",
    "MIN_STABILITY_THRESHOLD": "0.85",
    "PRIVATE_TOKEN": SECRET,
}
Event = Callable[[], None] | BaseException | None
"""Scripted event of a call: an action to run, an error to raise, or nothing."""


def error_response(code: str, message: str = "", status: int = 400) -> ClientError:
    response: Any = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(response, "AnOperation")


def no_response_error() -> BotoCoreError:
    """Return the error of a call without a response."""
    return ReadTimeoutError(endpoint_url="http://127.0.0.1")


@dataclass
class Function:
    """State of a function: `$LATEST`, published versions, and the alias."""

    latest: dict[str, Any]
    versions: dict[str, dict[str, Any]] = field(default_factory=dict)
    live: dict[str, Any] | None = None
    settles: float | None = None
    """Time at which the update in progress ends; None if there is none."""
    unpublished: bool = True
    """True if `$LATEST` has changed since the last version was published."""


class FakeLambdaCloud:
    """One Region with a clock and a script of failures."""

    def __init__(self) -> None:
        self.meta = SimpleNamespace(region_name="us-east-1")
        self.now = 0.0
        self.functions: dict[str, Function] = {}
        self.alarm_states: dict[str, tuple[str, datetime]] = {}
        """State of each alarm, and the time of its last change."""
        self.calls: list[str] = []
        self.printed: list[str] = []
        self.before: dict[str, list[Event]] = {}
        """Events before the effect of a call, by operation, one per call: an error to raise, or a concurrent action."""
        self.after: dict[str, list[Event]] = {}
        """Events after the effect of a call, for example a lost response."""
        self.schedule: list[tuple[float, Callable[[], object]]] = []
        """Actions, each with the time of the clock at which it runs."""
        self.update_seconds = 5.0
        """Duration of an update of `$LATEST`."""
        self.pending_seconds = 0.0
        """Time for which a new version is `Pending`."""
        self.update_ends = "Successful"
        """Status with which updates of `$LATEST` end."""
        self._revisions = itertools.count(1)

    # Time.

    def clock(self) -> float:
        return self.now

    def wait(self, seconds: float) -> None:
        assert seconds > 0
        self._run_event("wait", self.before)
        self.now += seconds
        due = [action for at, action in self.schedule if at <= self.now]
        self.schedule = [(at, action) for at, action in self.schedule if at > self.now]
        for action in due:
            action()
        for function in self.functions.values():
            if function.settles is not None and function.settles <= self.now:
                function.settles = None
                function.latest["LastUpdateStatus"] = self.update_ends
                function.latest["LastUpdateStatusReasonCode"] = "InvalidSubnet" if self.update_ends == "Failed" else ""
                function.latest["RevisionId"] = self.revision()

    # Methods for tests.

    def revision(self) -> str:
        return f"revision-{next(self._revisions)}"

    def deploy(self, *codes: str, live: str | None = None, name: str = FUNCTION) -> Function:
        """Add a function that was deployed once for each code."""
        function = Function(
            {
                "FunctionName": name,
                "Version": "$LATEST",
                "Role": "arn:aws:iam::123456789012:role/one",
                "Environment": {"Variables": dict(ENVIRONMENT)},
                "LastUpdateStatus": "Successful",
                "State": "Active",
                "Layers": [{"Arn": "layer:1", "CodeSize": 10}],
            }
        )
        self.functions[name] = function
        for code in codes:
            function.latest |= {"CodeSha256": code, "RevisionId": self.revision()}
            function.unpublished = True
            self.publish_version(FunctionName=name)
        function.live = {"FunctionVersion": live or str(len(codes)), "RevisionId": self.revision()}
        self.calls.clear()
        return function

    def alarm(self, name: str, state: str) -> None:
        self.alarm_states[name] = (state, START + timedelta(seconds=self.now))

    def traffic(self) -> tuple[str, dict[str, float]]:
        """Return the routing of the alias."""
        live = self.functions[FUNCTION].live
        assert live is not None
        return live["FunctionVersion"], live.get("RoutingConfig", {}).get("AdditionalVersionWeights", {})

    def live_environment(self) -> dict[str, str]:
        """Return the environment of the live version."""
        variables: dict[str, str] = self.functions[FUNCTION].versions[self.traffic()[0]]["Environment"]["Variables"]
        return variables

    def move_alias_concurrently(self, version: str, **weights: float) -> None:
        live = self.functions[FUNCTION].live
        assert live is not None
        live["FunctionVersion"] = version
        live["RoutingConfig"] = {"AdditionalVersionWeights": weights}
        live["RevisionId"] = self.revision()

    def change_variables_concurrently(self, **variables: str) -> None:
        latest = self.functions[FUNCTION].latest
        latest["Environment"] = {"Variables": {**latest["Environment"]["Variables"], **variables}}
        latest["RevisionId"] = self.revision()
        self.functions[FUNCTION].unpublished = True

    def run(self, command: str, *rest: str, stack: str = "dev", path: str = PATH) -> int:
        return main(
            [command, "--stack", stack, path, *rest],
            clients=self,
            clock=self.clock,
            wait=self.wait,
            print_line=self.printed.append,
        )

    # The clients. This object is all of them.

    def __call__(self, service: str) -> "FakeLambdaCloud":
        assert service in {"lambda", "cloudwatch"}
        return self

    def get_alias(self, FunctionName: str, Name: str) -> dict[str, Any]:  # noqa: N803 - boto3's names
        self._begin("get_alias")
        assert Name == "live"
        live = self._function(FunctionName).live
        if live is None:
            raise error_response("ResourceNotFoundException", status=404)
        return copy.deepcopy(live)

    def update_alias(self, **given: Any) -> dict[str, Any]:
        self._begin("update_alias")
        function = self._function(given["FunctionName"])
        live = function.live
        assert live is not None
        weights = given["RoutingConfig"]["AdditionalVersionWeights"]
        if given["RevisionId"] != live["RevisionId"]:
            raise error_response("PreconditionFailedException", status=412)
        for version in (given["FunctionVersion"], *weights):
            if version not in function.versions:
                raise error_response("ResourceNotFoundException", status=404)
        if len({function.versions[version]["Role"] for version in (given["FunctionVersion"], *weights)}) > 1:
            raise error_response("InvalidParameterValueException")
        live |= {"FunctionVersion": given["FunctionVersion"], "RevisionId": self.revision()}
        live.pop("RoutingConfig", None)
        if weights:
            live["RoutingConfig"] = {"AdditionalVersionWeights": dict(weights)}
        self._end("update_alias")
        return copy.deepcopy(live)

    def get_function_configuration(self, FunctionName: str, Qualifier: str) -> dict[str, Any]:  # noqa: N803
        self._begin("get_function_configuration")
        function = self._function(FunctionName)
        if Qualifier == "$LATEST":
            return copy.deepcopy(function.latest)
        if Qualifier not in function.versions:
            raise error_response("ResourceNotFoundException", status=404)
        result = copy.deepcopy(function.versions[Qualifier])
        if result.pop("ready", 0.0) > self.now:
            result["State"] = "Pending"
        return result

    def update_function_configuration(self, **given: Any) -> dict[str, Any]:
        self._begin("update_function_configuration")
        function = self._function(given["FunctionName"])
        if function.settles is not None:
            raise error_response("ResourceConflictException", status=409)
        if given["RevisionId"] != function.latest["RevisionId"]:
            raise error_response("PreconditionFailedException", status=412)
        variables = given["Environment"]["Variables"]
        if sum(len(key) + len(value) for key, value in variables.items()) > 4096:
            raise error_response(
                "InvalidParameterValueException", f"exceeded the 4KB limit. String measured: {variables}"
            )
        function.latest |= {
            "Environment": {"Variables": dict(variables)},
            "LastUpdateStatus": "InProgress",
            "RevisionId": self.revision(),
        }
        function.settles = self.now + self.update_seconds
        function.unpublished = True
        self._end("update_function_configuration")
        return copy.deepcopy(function.latest)

    def publish_version(self, **given: Any) -> dict[str, Any]:
        self._begin("publish_version")
        function = self._function(given["FunctionName"])
        latest = function.latest
        if function.settles is not None:
            raise error_response("ResourceConflictException", status=409)
        if given.get("RevisionId", latest["RevisionId"]) != latest["RevisionId"]:
            raise error_response("PreconditionFailedException", status=412)
        if given.get("CodeSha256", latest["CodeSha256"]) != latest["CodeSha256"]:
            raise error_response("InvalidParameterValueException")
        if function.unpublished:
            number = str(len(function.versions) + 1)
            function.versions[number] = copy.deepcopy(latest) | {
                "Version": number,
                "Description": given.get("Description", "as deployed"),
                "LastModified": f"2026-01-0{number}T12:00:00.000+0000",
                "ready": self.now + self.pending_seconds,
            }
            function.unpublished = False
        self._end("publish_version")
        return copy.deepcopy(function.versions[max(function.versions, key=int)])

    def get_paginator(self, operation: str) -> SimpleNamespace:
        return SimpleNamespace(paginate=getattr(self, operation))

    def list_versions_by_function(self, FunctionName: str) -> Iterator[dict[str, Any]]:  # noqa: N803
        self._begin("list_versions_by_function")
        function = self._function(FunctionName)
        result = [function.latest, *function.versions.values()]
        yield from ({"Versions": copy.deepcopy(result[at : at + 2])} for at in range(0, len(result), 2))

    def describe_alarms(self, AlarmNamePrefix: str, AlarmTypes: list[str]) -> Iterator[dict[str, Any]]:  # noqa: N803
        self._begin("describe_alarms")
        assert AlarmTypes == ["MetricAlarm"]
        for name, (state, since) in sorted(self.alarm_states.items()):
            if name.startswith(AlarmNamePrefix):
                yield {
                    "MetricAlarms": [{"AlarmName": name, "StateValue": state, "StateTransitionedTimestamp": since}],
                }

    def _function(self, name: str) -> Function:
        if name not in self.functions:
            raise error_response("ResourceNotFoundException", f"Function not found: {name}", 404)
        return self.functions[name]

    def _begin(self, operation: str) -> None:
        self.calls.append(operation)
        self._run_event(operation, self.before)

    def _end(self, operation: str) -> None:
        self._run_event(operation, self.after)

    def _run_event(self, operation: str, script: dict[str, list[Event]]) -> None:
        event = script[operation].pop(0) if script.get(operation) else None
        if isinstance(event, BaseException):
            raise event
        if event is not None:
            event()
