"""IAM requests of a deployment: one for each action that the table `needs.toml` lists for a resource's type."""

import json
import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from guardrails.model import iam_action_table
from local.emulation.iam.policy_conditions import Context
from local.emulation.iam.policy_evaluator import AccessRequest
from local.preview.preview_provider import ACCOUNT, REGION
from local.preview.resource_graph import Graph, Resource

TABLE = Path(__file__).with_name("needs.toml")


@cache
def required_actions_by_type() -> dict[str, dict[str, str]]:
    """Return the table: resource type → ARN pattern → actions, each with its condition after a `?`."""
    return tomllib.loads(TABLE.read_text())


def required_actions() -> set[str]:
    """Return every action in the table."""
    return {
        action_text.partition("?")[0]
        for arn_patterns in required_actions_by_type().values()
        for actions_text in arn_patterns.values()
        for action_text in actions_text.split()
    }


def is_read_only(action: str) -> bool:
    """Return True if IAM's list of actions gives the action the access level Read or List."""
    return any(entry["access_level"] in {"Read", "List"} for entry in iam_action_table.list_entries(action))


def list_requests(resource: Resource, graph: Graph, stack: str, boundary: str) -> Iterator[AccessRequest]:
    """Yield the requests that creating, changing and deleting one resource needs."""
    placeholders = _placeholders(resource, graph, stack)
    for arn_pattern, actions_text in required_actions_by_type()[resource.type].items():
        arn = arn_pattern.format_map(placeholders)
        for action_text in actions_text.split():
            action, _, condition = action_text.partition("?")
            yield AccessRequest(action, arn, _context(condition, stack, boundary, placeholders))


def _context(condition: str, stack: str, boundary: str, placeholders: Mapping[str, str]) -> Context:
    """Return the condition keys of a request. The head of the table describes the conditions."""
    tags = {"Project": "polyphony", "Environment": stack}
    resource_tags = {f"aws:ResourceTag/{key}": value for key, value in tags.items()}
    kind, _, detail = condition.partition(":")
    match kind:
        case "":
            return {}
        case "request-tags":
            return {"aws:TagKeys": list(tags), **{f"aws:RequestTag/{key}": value for key, value in tags.items()}}
        case "resource-tags":
            return resource_tags
        case "other-tags":
            return {"aws:TagKeys": ["Owner"], "aws:RequestTag/Owner": "x", **resource_tags}
        case "created-by":
            return {"ec2:CreateAction": detail}
        case "region":
            return {"aws:RequestedRegion": REGION}
        case "boundary":
            return {"iam:PermissionsBoundary": boundary}
        case "function":
            return {"lambda:FunctionArn": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{placeholders['function']}"}
        case "via":
            return {"kms:ViaService": f"{detail}.{REGION}.amazonaws.com"}
        case "grant-to":
            return {"kms:ViaService": f"{detail}.{REGION}.amazonaws.com", "kms:GrantIsForAWSResource": "true"}
    # Any other text is the service to which a role is passed.
    return {"iam:PassedToService": condition}


def _placeholders(resource: Resource, graph: Graph, stack: str) -> dict[str, str]:
    """Return the values of the table's placeholders, from the resource, or from the queue or topic with the same parent."""
    inputs = resource.inputs
    siblings = {child.kind: child for child in graph.children(resource.parent) if child.custom}

    def name(value: Any) -> str:
        """Return the name of a function from its ARN, or any other value as text."""
        return str(value).rpartition(":function:")[2].partition(":")[0] if ":function:" in str(value) else str(value)

    values = {
        "account": ACCOUNT,
        "region": REGION,
        "stack": stack,
        "name": name(
            inputs.get("logGroupName") or inputs.get("repository") or inputs.get("name") or inputs.get("rule") or ""
        ),
        "bucket": name(inputs.get("bucket")),
        "key": name(inputs.get("key")),
        "function": name(inputs.get("functionName") or inputs.get("function")),
        "layer": name(inputs.get("layerName")),
        "parameter": name(inputs.get("name")).removeprefix("/"),
        "database": name(inputs.get("databaseName")),
        "queue": name(siblings["Queue"].inputs["name"]) if "Queue" in siblings else "",
        "topic": name(siblings["Topic"].inputs["name"]) if "Topic" in siblings else "",
        "role": _role(resource),
    }
    if resource.kind == "ComputeEnvironment":
        # The provider adds a suffix to the prefix.
        values["name"] = f"{inputs['namePrefix']}1"
    if resource.kind == "EventTarget":
        values["name"] = name(inputs["rule"])
    if resource.kind == "Dashboard":
        values["name"] = name(inputs["dashboardName"])
    return values


def _role(resource: Resource) -> str:
    """Return the ARN of the role that a resource gets, or the name of the role that a policy belongs to."""
    inputs = resource.inputs
    if resource.kind == "JobDefinition":
        return str(json.loads(inputs["containerProperties"])["jobRoleArn"])
    if resource.kind == "IdentityPoolRoleAttachment":
        return str(inputs["roles"]["unauthenticated"])
    if resource.kind == "Schedule":
        return str(inputs["target"]["roleArn"])
    return str(inputs.get("role") or inputs.get("roleArn") or inputs.get("iamRoleArn") or "")
