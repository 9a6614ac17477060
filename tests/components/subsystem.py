"""A subsystem as tests deploy it: as a preview sees it, or as it is once AWS has given its ids; and what to ask of it."""

import json
from collections.abc import Callable, Iterator
from functools import wraps
from typing import Any, ParamSpec

from components.blocks.context import Subsystem
from local.graph import Resource
from local.values import UNKNOWN, Props
from tests.components.blocks.test_websocket_api import Provider, deployed
from tests.engine import Recorded

ACCOUNT = "us-east-1:123456789012"
QUEUES = "https://sqs.us-east-1.amazonaws.com/123456789012"
POOL = "us-east-1:0f3c1a5e-7d42-4b8e-9a61-2c5d8e7f9b10"

Asked = ParamSpec("Asked")

Permission = tuple[str, str, str | None]
"""Action, resource, condition as JSON."""


class Versions(Provider):
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


def made_by_aws(body: Callable[[], object]) -> Recorded:
    """What a program registers, when AWS has given its ids."""

    def program() -> None:
        body()

    return deployed(program, Versions())


def once(deploy: Callable[Asked, Recorded]) -> Callable[Asked, Recorded]:
    """The same settings are deployed once: tests only read what is recorded."""
    found: dict[str, Recorded] = {}

    @wraps(deploy)
    def shared(*args: Asked.args, **changes: Asked.kwargs) -> Recorded:
        key = json.dumps((args, changes))
        if key not in found:
            found[key] = deploy(*args, **changes)
        return found[key]

    return shared


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
