"""What can be reached from outside, and what finds out who is there."""

import json
from collections.abc import Iterator
from typing import Any

from components.blocks.scope import CHECKED_BY_TAG
from local import stack_files
from local.graph import Graph, Resource


def entries(graph: Graph) -> Iterator[str]:
    """Every route, identity pool and bucket that browsers may ask."""
    yield "| entry | route | who checks callers |"
    yield "|---|---|---|"
    for one in sorted(graph.customs(), key=lambda one: one.urn):
        match one.kind:
            case "RestApi":
                yield from _methods(one)
            case "Api":
                yield from _routes(one, graph)
            case "IdentityPool":
                known = (
                    "everybody becomes a guest" if one.inputs["allowUnauthenticatedIdentities"] else "known users only"
                )
                yield f"| {_block(one)} | `GetId`, `GetCredentialsForIdentity` | nobody: {known} |"
            case "BucketCorsConfiguration":
                for rule in one.inputs["corsRules"]:
                    methods = ", ".join(f"`{method}`" for method in sorted(rule["allowedMethods"]))
                    yield f"| {_block(one)} | {methods} by browsers of the settings' origins | S3: the request is signed |"


def _block(one: Resource) -> str:
    return f"`{one.parent.rpartition('::')[2]}`"


def _methods(api: Resource) -> Iterator[str]:
    """What has a function behind it; everything else is answered by API Gateway itself, without one."""
    for path, methods in sorted(json.loads(api.inputs["body"])["paths"].items()):
        for method, said in sorted(methods.items()):
            if said.get("x-amazon-apigateway-integration", {}).get("type") == "aws_proxy":
                yield f"| {_block(api)} | `{method.upper()} {path}` | {_checks(said, api)} |"


def _checks(said: dict[str, Any], api: Resource) -> str:
    if said.get("security"):
        return "the authorizer, a function of its own: the token's signature, issuer, audience, times"
    return str(api.inputs["tags"].get(CHECKED_BY_TAG, "**nobody**"))


def _routes(api: Resource, graph: Graph) -> Iterator[str]:
    """A WebSocket API is entered by `$connect` alone; what is said afterwards is said by whoever connected."""
    for one in graph.customs():
        if one.kind == "Route" and one.inputs.get("apiId") == api.id and one.inputs["routeKey"] == "$connect":
            kind = one.inputs["authorizationType"]
            checks = "IAM: the handshake is signed" if kind == "AWS_IAM" else api.inputs["tags"].get(CHECKED_BY_TAG)
            yield f"| {_block(api)} | `$connect` | {checks or '**nobody**'} |"


def exceptions() -> Iterator[str]:
    """What the stacks of this project may break for a while."""
    found = [(stack, one) for stack in stack_files.stacks() for one in _excused(stack)]
    if not found:
        yield "No stack has one."
        return
    yield "| stack | policy | resource | until | reason |"
    yield "|---|---|---|---|---|"
    for stack, one in found:
        yield f"| {stack} | `{one['policy']}` | `{one['resource']}` | {one['expires']} | {one['reason']} |"


def _excused(stack: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(stack_files.read(stack).values["polyphony:exceptions"])
    return found
