"""IAM requests of a deployment: one for each action that the table `needs.toml` lists for a resource's type."""

import json
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from local import ACCOUNT, REGION
from local.emulation.iam.policy_evaluator import AccessRequest
from local.preview.resource_graph import Graph, Resource

_TABLE: dict[str, Any] = tomllib.loads(Path(__file__).with_name("needs.toml").read_text())
_CONDITIONS: Mapping[str, Mapping[str, Any]] = _TABLE.pop("conditions")
REQUIRED_ACTIONS: Mapping[str, Mapping[str, str]] = _TABLE
"""Resource type → ARN pattern → actions, each with its condition after a `?`."""
REQUIRED = [
    (arn, item.partition("?")[0]) for row in _TABLE.values() for arn, text in row.items() for item in text.split()
]
"""ARN pattern and action of every required action."""


def list_requests(resource: Resource, graph: Graph, stack: str, boundary: str) -> Iterator[AccessRequest]:
    """Yield the requests that creating, changing and deleting one resource needs."""
    placeholders = {**_placeholders(resource, graph), "stack": stack, "boundary": boundary}
    for arn_pattern, actions_text in REQUIRED_ACTIONS[resource.type].items():
        for action_text in actions_text.split():
            action, _, condition = action_text.partition("?")
            kind, _, placeholders["detail"] = condition.partition(":")
            keys = _CONDITIONS.get(kind, {"iam:PassedToService": condition} if condition else {})
            texts = {key: item.format_map(placeholders) for key, item in keys.items() if isinstance(item, str)}
            yield AccessRequest(action, arn_pattern.format_map(placeholders), {**keys, **texts})


def _placeholders(resource: Resource, graph: Graph) -> dict[str, str]:
    """Return the values of the table's placeholders, from the resource, or from the queue or topic with the same parent."""
    siblings = {child.kind: child.inputs for child in graph.children(resource.parent) if child.custom}
    inputs = resource.inputs

    def first(*keys: str) -> str:
        """Return the first of the inputs as text, or of a function's ARN its name."""
        text = next((str(inputs[key]) for key in keys if inputs.get(key)), "")
        return text.rpartition(":function:")[2].partition(":")[0] if ":function:" in text else text

    roles = {
        "JobDefinition": lambda: json.loads(inputs["containerProperties"])["jobRoleArn"],
        "IdentityPoolRoleAttachment": lambda: inputs["roles"]["unauthenticated"],
        "Schedule": lambda: inputs["target"]["roleArn"],
    }
    return {
        "account": ACCOUNT,
        "region": REGION,
        "bucket": first("bucket"),
        "key": first("key"),
        "layer": first("layerName"),
        "role": roles.get(resource.kind, lambda: first("role", "roleArn", "iamRoleArn"))(),
        # The provider adds a suffix to the prefix.
        "name": first("logGroupName", "repository", "name", "rule", "dashboardName", "namePrefix"),
        "function": first("functionName", "function"),
        "database": first("databaseName"),
        "parameter": first("name").removeprefix("/"),
        **{kind.lower(): str(siblings.get(kind, {}).get("name", "")) for kind in ("Queue", "Topic")},
    }
