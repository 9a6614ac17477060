"""What a deployment asks IAM for: one request for each action that each resource of a stack needs."""

import json
import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from local.emulation.iam.policy_evaluator import AccessRequest
from local.preview.preview_provider import ACCOUNT, REGION
from local.preview.resource_graph import Graph, Resource

TABLE = Path(__file__).with_name("needs.toml")
VIA = f"dynamodb.{REGION}.amazonaws.com"


@cache
def needs() -> dict[str, dict[str, str]]:
    """Type → what is asked for → which actions, as the file says them."""
    return tomllib.loads(TABLE.read_text())


def actions() -> set[str]:
    """Every action that the table names."""
    return {word.partition("?")[0] for one in needs().values() for words in one.values() for word in words.split()}


def requests(one: Resource, graph: Graph, stack: str, boundary: str) -> Iterator[AccessRequest]:
    """What making, changing and removing one resource asks for."""
    known = _known(one, graph, stack)
    for on, words in needs()[one.type].items():
        arn = on.format_map(known)
        for word in words.split():
            action, _, given = word.partition("?")
            yield AccessRequest(action, arn, _context(given, stack, boundary, known))


def _context(given: str, stack: str, boundary: str, known: Mapping[str, str]) -> dict[str, str]:
    tags = {"Project": "polyphony", "Environment": stack}
    kind, _, what = given.partition(":")
    match kind:
        case "":
            return {}
        case "asked":
            return {f"aws:RequestTag/{key}": value for key, value in tags.items()}
        case "own":
            return {f"aws:ResourceTag/{key}": value for key, value in tags.items()}
        case "made":
            return {"ec2:CreateAction": what}
        case "here":
            return {"aws:RequestedRegion": REGION}
        case "bounded":
            return {"iam:PermissionsBoundary": boundary}
        case "function":
            return {"lambda:FunctionArn": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{known['function']}"}
        case "via":
            return {"kms:ViaService": VIA}
    return {"iam:PassedToService": given}


def _known(one: Resource, graph: Graph, stack: str) -> dict[str, str]:
    """Names for the table's places, from the resource, or from the block that it is a part of."""
    given = one.inputs
    siblings = {other.kind: other for other in graph.children(one.parent) if other.custom}

    def name(value: Any) -> str:
        return str(value).rpartition(":function:")[2].partition(":")[0] if ":function:" in str(value) else str(value)

    found = {
        "account": ACCOUNT,
        "region": REGION,
        "stack": stack,
        "name": name(
            given.get("logGroupName") or given.get("repository") or given.get("name") or given.get("rule") or ""
        ),
        "bucket": name(given.get("bucket")),
        "key": name(given.get("key")),
        "function": name(given.get("functionName") or given.get("function")),
        "layer": name(given.get("layerName")),
        "parameter": name(given.get("name")).removeprefix("/"),
        "database": name(given.get("databaseName")),
        "queue": name(siblings["Queue"].inputs["name"]) if "Queue" in siblings else "",
        "topic": name(siblings["Topic"].inputs["name"]) if "Topic" in siblings else "",
        "role": _role(one),
    }
    if one.kind == "ComputeEnvironment":
        found["name"] = f"{given['namePrefix']}1"
    if one.kind == "EventTarget":
        found["name"] = name(given["rule"])
    if one.kind == "Dashboard":
        found["name"] = name(given["dashboardName"])
    return found


def _role(one: Resource) -> str:
    """The role that a resource is given, by ARN; the role that a policy is of, by name."""
    given = one.inputs
    if one.kind == "JobDefinition":
        return str(json.loads(given["containerProperties"])["jobRoleArn"])
    if one.kind == "IdentityPoolRoleAttachment":
        return str(given["roles"]["unauthenticated"])
    if one.kind == "Schedule":
        return str(given["target"]["roleArn"])
    return str(given.get("role") or given.get("roleArn") or given.get("iamRoleArn") or "")
