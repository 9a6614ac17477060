"""A subsystem as tests deploy it: as a preview sees it, or as it is once AWS has given its ids; and what to ask of it."""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from components.blocks.naming.context import Subsystem
from components.blocks.naming.scope import Scope
from components.settings.settings_base import SubsystemSettings
from local.preview.property_values import UNKNOWN, Props
from local.preview.resource_graph import Resource
from tests.components.blocks.api.test_websocket_api import DeployedProvider, deploy
from tests.fake_engine import Engine, Recorded, foundation_settings, scope

ACCOUNT = "us-east-1:123456789012"
QUEUES = "https://sqs.us-east-1.amazonaws.com/123456789012"
POOL = "us-east-1:0f3c1a5e-7d42-4b8e-9a61-2c5d8e7f9b10"

Permission = tuple[str, str, str | None]
"""Action, resource, condition as JSON."""


class Versions(DeployedProvider):
    """Knows the versions of functions and secrets, and the id of an identity pool, too."""

    def make(self, resource: Resource) -> tuple[str, Props]:
        made, outputs = super().make(resource)
        if resource.kind == "IdentityPool":
            return POOL, outputs
        more: dict[str, Props] = {
            "Function": {"version": "7"},
            "Parameter": {"version": 3},
            "Queue": {"url": f"{QUEUES}/{resource.inputs.get('name')}"},
        }
        return made, {**outputs, **more.get(resource.kind, {})}


class Deployment:
    """One subsystem as tests deploy it; equal settings are deployed once, because tests only read what is recorded."""

    def __init__(
        self,
        subsystem: Subsystem,
        component: Callable[[str, Any], object],
        arguments: Callable[[Scope, Any], object],
        settings: type[SubsystemSettings],
        *,
        given: Mapping[str, Any] | None = None,
        foundation: Mapping[str, Any] | None = None,
    ) -> None:
        """`given` and `foundation` are settings that every deployment has unless its changes say otherwise."""
        self._subsystem, self._component, self._arguments = subsystem, component, arguments
        self._settings, self._given, self._foundation = settings, given or {}, foundation or {}
        self._found: dict[str, Recorded] = {}

    def settings(self, **changes: Any) -> Any:
        """Return the settings, changed by their outside names."""
        return self._settings.model_validate({**self._given, **changes})

    def program(self, foundation: Mapping[str, Any] | None = None, **changes: Any) -> Callable[[], Any]:
        """Return a program that is the subsystem alone."""
        base = foundation_settings(**{**self._foundation, **(foundation or {})})
        made = scope(subsystem=self._subsystem, foundation=base)
        return lambda: self._component(self._subsystem, self._arguments(made, self.settings(**changes)))

    def preview(self, foundation: Mapping[str, Any] | None = None, **changes: Any) -> Recorded:
        """Return what a preview sees: ids are unknown."""
        return self._once("preview", Engine().run, foundation, changes)

    def complete(self, **changes: Any) -> Recorded:
        """Return what is registered when AWS has given its ids."""
        return self._once("complete", lambda body: deploy(body, Versions()), None, changes)

    def _once(
        self,
        how: str,
        run: Callable[[Callable[[], None]], Recorded],
        foundation: Mapping[str, Any] | None,
        changes: dict[str, Any],
    ) -> Recorded:
        key = json.dumps((how, foundation, changes))
        if key not in self._found:
            body = self.program(foundation, **changes)

            def program() -> None:
                body()

            self._found[key] = run(program)
        return self._found[key]


def prefix(subsystem: Subsystem) -> str:
    """What the names of a subsystem begin with."""
    return f"polyphony-test-{subsystem}"


def variables(recorded: Recorded, function: str) -> dict[str, Any]:
    """The environment of a function."""
    found: dict[str, Any] = recorded.one("lambda.Function", function).inputs["environment"]["variables"]
    return found


def alarms(recorded: Recorded, subsystem: Subsystem) -> dict[str, dict[str, Any]]:
    """By the end of their names."""
    found = [one.inputs for one in recorded.all("cloudwatch.MetricAlarm")]
    return {one["name"].removeprefix(f"{prefix(subsystem)}-"): one for one in found}


def permissions(recorded: Recorded, role: str) -> set[Permission]:
    """All that a role may do, by all of its policies."""
    policies = [one for one in recorded.all("iam.RolePolicy") if one.inputs["role"] == role]
    assert policies, f"{role} has no policy"
    return {permission for policy in policies for permission in _permissions(policy)}


def may(service: str, actions: str, *resources: str, condition: str | None = None) -> set[Permission]:
    """Return permissions: `may("s3", "GetObject PutObject", bucket)`."""
    return {(f"{service}:{action}", resource, condition) for action in actions.split() for resource in resources}


def may_run(function: str) -> set[Permission]:
    """Return what every function needs to run: its own log lines, and traces; `function`: its whole name."""
    return {
        *may("logs", "CreateLogStream PutLogEvents", f"arn:aws:logs:{ACCOUNT}:log-group:/aws/lambda/{function}:*"),
        *may("xray", "PutTelemetryRecords PutTraceSegments", "*"),
    }


def may_consume(queue: str) -> set[Permission]:
    """Return what a function needs whose messages come by a queue; `queue`: its whole name."""
    return may("sqs", "DeleteMessage GetQueueAttributes ReceiveMessage", f"arn:aws:sqs:{ACCOUNT}:{queue}")


def roles(recorded: Recorded) -> set[str]:
    """Every role that is granted something."""
    return {one.inputs["role"] for one in recorded.all("iam.RolePolicy")}


def _permissions(policy: Resource) -> Iterator[Permission]:
    text = policy.inputs["policy"]
    assert text is not UNKNOWN, f"{policy.name} is known when AWS has given its ids"
    for statement in json.loads(text)["Statement"]:
        assert statement["Effect"] == "Allow"
        condition = json.dumps(statement["Condition"], sort_keys=True) if "Condition" in statement else None
        for action in statement["Action"]:
            for resource in statement["Resource"]:
                yield action, resource, condition
