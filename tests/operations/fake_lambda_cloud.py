"""Fake of Lambda and CloudWatch in memory, with the behaviour on which the operator's commands depend.

Updates take some time, and the function's `RevisionId` changes again at their end. Published versions are frozen, and
publishing without a change creates no version. The tests control the clock.
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
"""Name of the function on the command line."""
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
"""Scripted event of a call: a function to call, an error to raise, or nothing."""
RunRefused = Callable[..., str]
"""Fixture `run_refused`: a function that runs a command and returns its error line.

It checks that the command fails with one line, without the secret and without an effect on the live version.
"""


def error_response(code: str, message: str = "", status: int = 400) -> ClientError:
    response: Any = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(response, "AnOperation")


def lost_response_error() -> BotoCoreError:
    """Return the error of a call without a response."""
    return ReadTimeoutError(endpoint_url="http://127.0.0.1")


@dataclass
class Function:
    """State of a function: `$LATEST`, published versions, and the alias `live`."""

    latest: dict[str, Any]
    versions: dict[str, dict[str, Any]] = field(default_factory=dict)
    live: dict[str, Any] | None = None
    update_ends_at: float | None = None
    """Time at which the update in progress ends; None if there is none."""
    has_unpublished_changes: bool = True
    """True if `$LATEST` has changed since the last version was published."""


class FakeLambdaCloud:
    """Lambda and CloudWatch in one Region, as the clients that the commands use. Waiting advances the clock.

    A test scripts failures and concurrent changes, runs a command, and inspects `printed`, `calls` and the functions.
    """

    def __init__(self) -> None:
        self.meta = SimpleNamespace(region_name="us-east-1")
        self.now = 0.0
        self.functions: dict[str, Function] = {}
        self.alarm_states: dict[str, tuple[str, datetime]] = {}
        """State of each alarm, and the time of its last change."""
        self.calls: list[str] = []
        self.printed: list[str] = []
        self.events_before: dict[str, list[Event]] = {}
        """Events before the effect of a call, by operation, one per call. `wait` stands for a wait of the command."""
        self.events_after: dict[str, list[Event]] = {}
        """Events after the effect of a call: for example, its response is lost."""
        self.schedule: list[tuple[float, Callable[[], object]]] = []
        """Functions to call, each with its time on the clock."""
        self.update_seconds = 5.0
        """Duration of an update of `$LATEST`."""
        self.pending_seconds = 0.0
        """Time for which a new version is `Pending`."""
        self.final_update_status = "Successful"
        """Status with which updates of `$LATEST` end."""
        self._revisions = itertools.count(1)

    def clock(self) -> float:
        return self.now

    def wait(self, seconds: float) -> None:
        assert seconds > 0
        self._run_event("wait", self.events_before)
        self.now += seconds
        due = [function for time, function in self.schedule if time <= self.now]
        self.schedule = [(time, function) for time, function in self.schedule if time > self.now]
        for function in due:
            function()
        for state in self.functions.values():
            if state.update_ends_at is not None and state.update_ends_at <= self.now:
                state.update_ends_at = None
                reason = "InvalidSubnet" if self.final_update_status == "Failed" else ""
                state.latest["LastUpdateStatus"] = self.final_update_status
                state.latest["LastUpdateStatusReasonCode"] = reason
                state.latest["RevisionId"] = self.new_revision()

    def new_revision(self) -> str:
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
            function.latest |= {"CodeSha256": code, "RevisionId": self.new_revision()}
            function.has_unpublished_changes = True
            self.publish_version(FunctionName=name)
        function.live = {"FunctionVersion": live or str(len(codes)), "RevisionId": self.new_revision()}
        self.calls.clear()
        return function

    def set_alarm(self, name: str, state: str) -> None:
        self.alarm_states[name] = (state, START + timedelta(seconds=self.now))

    def routing(self) -> tuple[str, dict[str, float]]:
        """Return the alias's version, and the share of the traffic of any other version."""
        live = self.functions[FUNCTION].live
        assert live is not None
        return live["FunctionVersion"], live.get("RoutingConfig", {}).get("AdditionalVersionWeights", {})

    def live_environment(self) -> dict[str, str]:
        """Return the environment variables of the live version."""
        variables: dict[str, str] = self.functions[FUNCTION].versions[self.routing()[0]]["Environment"]["Variables"]
        return variables

    def move_alias(self, version: str, **weights: float) -> None:
        """Move the alias, as another user would do."""
        live = self.functions[FUNCTION].live
        assert live is not None
        live["FunctionVersion"] = version
        live["RoutingConfig"] = {"AdditionalVersionWeights": weights}
        live["RevisionId"] = self.new_revision()

    def change_variables(self, **variables: str) -> None:
        """Change environment variables of `$LATEST`, as another user would do."""
        latest = self.functions[FUNCTION].latest
        latest["Environment"] = {"Variables": {**latest["Environment"]["Variables"], **variables}}
        latest["RevisionId"] = self.new_revision()
        self.functions[FUNCTION].has_unpublished_changes = True

    def run(self, command: str, *arguments: str, stack: str = "dev", path: str = PATH) -> int:
        """Run a command for the function. Return its exit status."""
        return main(
            [command, "--stack", stack, path, *arguments],
            clients=self,
            clock=self.clock,
            wait=self.wait,
            print_line=self.printed.append,
        )

    def __call__(self, service: str) -> "FakeLambdaCloud":
        assert service in {"lambda", "cloudwatch"}
        return self

    def get_alias(self, FunctionName: str, Name: str) -> dict[str, Any]:  # noqa: N803 - boto3's names
        self._start_call("get_alias")
        assert Name == "live"
        live = self._function(FunctionName).live
        if live is None:
            raise error_response("ResourceNotFoundException", status=404)
        return copy.deepcopy(live)

    def update_alias(self, **parameters: Any) -> dict[str, Any]:
        self._start_call("update_alias")
        function = self._function(parameters["FunctionName"])
        live = function.live
        assert live is not None
        weights = parameters["RoutingConfig"]["AdditionalVersionWeights"]
        if parameters["RevisionId"] != live["RevisionId"]:
            raise error_response("PreconditionFailedException", status=412)
        for version in (parameters["FunctionVersion"], *weights):
            if version not in function.versions:
                raise error_response("ResourceNotFoundException", status=404)
        if len({function.versions[version]["Role"] for version in (parameters["FunctionVersion"], *weights)}) > 1:
            raise error_response("InvalidParameterValueException")
        live |= {"FunctionVersion": parameters["FunctionVersion"], "RevisionId": self.new_revision()}
        live.pop("RoutingConfig", None)
        if weights:
            live["RoutingConfig"] = {"AdditionalVersionWeights": dict(weights)}
        self._run_event("update_alias", self.events_after)
        return copy.deepcopy(live)

    def get_function_configuration(self, FunctionName: str, Qualifier: str) -> dict[str, Any]:  # noqa: N803
        self._start_call("get_function_configuration")
        function = self._function(FunctionName)
        if Qualifier == "$LATEST":
            return copy.deepcopy(function.latest)
        if Qualifier not in function.versions:
            raise error_response("ResourceNotFoundException", status=404)
        result = copy.deepcopy(function.versions[Qualifier])
        if result.pop("ready", 0.0) > self.now:
            result["State"] = "Pending"
        return result

    def update_function_configuration(self, **parameters: Any) -> dict[str, Any]:
        self._start_call("update_function_configuration")
        function = self._function(parameters["FunctionName"])
        if function.update_ends_at is not None:
            raise error_response("ResourceConflictException", status=409)
        if parameters["RevisionId"] != function.latest["RevisionId"]:
            raise error_response("PreconditionFailedException", status=412)
        variables = parameters["Environment"]["Variables"]
        if sum(len(key) + len(value) for key, value in variables.items()) > 4096:
            raise error_response("InvalidParameterValueException", f"4 KB limit exceeded. String measured: {variables}")
        function.latest |= {
            "Environment": {"Variables": dict(variables)},
            "LastUpdateStatus": "InProgress",
            "RevisionId": self.new_revision(),
        }
        function.update_ends_at = self.now + self.update_seconds
        function.has_unpublished_changes = True
        self._run_event("update_function_configuration", self.events_after)
        return copy.deepcopy(function.latest)

    def publish_version(self, **parameters: Any) -> dict[str, Any]:
        self._start_call("publish_version")
        function = self._function(parameters["FunctionName"])
        latest = function.latest
        if function.update_ends_at is not None:
            raise error_response("ResourceConflictException", status=409)
        if parameters.get("RevisionId", latest["RevisionId"]) != latest["RevisionId"]:
            raise error_response("PreconditionFailedException", status=412)
        if parameters.get("CodeSha256", latest["CodeSha256"]) != latest["CodeSha256"]:
            raise error_response("InvalidParameterValueException")
        if function.has_unpublished_changes:
            number = str(len(function.versions) + 1)
            function.versions[number] = copy.deepcopy(latest) | {
                "Version": number,
                "Description": parameters.get("Description", f"deployment {number}"),
                "LastModified": f"2026-01-0{number}T12:00:00.000+0000",
                "ready": self.now + self.pending_seconds,
            }
            function.has_unpublished_changes = False
        self._run_event("publish_version", self.events_after)
        return copy.deepcopy(function.versions[max(function.versions, key=int)])

    def get_paginator(self, operation: str) -> SimpleNamespace:
        return SimpleNamespace(paginate=getattr(self, operation))

    def list_versions_by_function(self, FunctionName: str) -> Iterator[dict[str, Any]]:  # noqa: N803
        self._start_call("list_versions_by_function")
        function = self._function(FunctionName)
        versions = [function.latest, *function.versions.values()]
        for start in range(0, len(versions), 2):
            yield {"Versions": copy.deepcopy(versions[start : start + 2])}

    def describe_alarms(self, AlarmNamePrefix: str, AlarmTypes: list[str]) -> Iterator[dict[str, Any]]:  # noqa: N803
        self._start_call("describe_alarms")
        assert AlarmTypes == ["MetricAlarm"]
        for name, (state, changed_at) in sorted(self.alarm_states.items()):
            if name.startswith(AlarmNamePrefix):
                alarm = {"AlarmName": name, "StateValue": state, "StateTransitionedTimestamp": changed_at}
                yield {"MetricAlarms": [alarm]}

    def _function(self, name: str) -> Function:
        if name not in self.functions:
            raise error_response("ResourceNotFoundException", f"Function not found: {name}", 404)
        return self.functions[name]

    def _start_call(self, operation: str) -> None:
        self.calls.append(operation)
        self._run_event(operation, self.events_before)

    def _run_event(self, operation: str, events: dict[str, list[Event]]) -> None:
        event = events[operation].pop(0) if events.get(operation) else None
        if isinstance(event, BaseException):
            raise event
        if event is not None:
            event()
