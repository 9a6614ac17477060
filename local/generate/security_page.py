"""`docs/security.md`: the text beside this file, with its tables put in: entries, roles, resource policies, exceptions."""

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from components.blocks.naming.context import Subsystem
from components.blocks.naming.scope import CHECKED_BY_TAG
from guardrails.model.subsystem_names import subsystem
from local.emulation.iam.policy_evaluator import as_list
from local.generate import documented_graph
from local.generate.diagram_edges import statements
from local.generate.documented_graph import STACK
from local.preview import stack_files
from local.preview.preview_provider import ACCOUNT, REGION
from local.preview.resource_graph import Graph, Resource

TEXT = Path(__file__).with_suffix(".md")
Statement = Mapping[str, Any]
OWN_LOGS = {"logs:CreateLogStream", "logs:PutLogEvents"}
TRACES = {"xray:PutTelemetryRecords", "xray:PutTraceSegments"}
POLICIES = {"QueuePolicy", "BucketPolicy", "TopicPolicy"}


def text() -> str:
    """The whole page."""
    graph = documented_graph.graph()
    page = TEXT.read_text(encoding="utf-8")
    parts = {"entries": entries(graph), "roles": roles(graph), "admitted": admitted(graph), "exceptions": exceptions()}
    for name, lines in parts.items():
        page = page.replace(f"{{{name}}}", "\n".join(lines).strip("\n"))
    return page


def entries(graph: Graph) -> Iterator[str]:
    """What can be reached from outside, and what finds out who is there: routes, identity pools, buckets."""
    yield from _head("entry", "route", "who checks callers")
    for one in sorted(graph.customs(), key=lambda one: one.urn):
        for route, checks in _routes(one, graph):
            yield f"| `{one.parent.rpartition('::')[2]}` | {route} | {checks} |"


def _routes(one: Resource, graph: Graph) -> Iterator[tuple[str, str]]:
    match one.kind:
        case "RestApi":
            yield from _methods(one)
        case "Api":  # a WebSocket API is entered by `$connect` alone; what comes later is said by whoever connected
            for route in graph.customs():
                if (
                    route.kind == "Route"
                    and route.inputs.get("apiId") == one.id
                    and route.inputs["routeKey"] == "$connect"
                ):
                    signed = route.inputs["authorizationType"] == "AWS_IAM"
                    yield "`$connect`", "IAM: the handshake is signed" if signed else _says_who(one)
        case "IdentityPool":
            guests = one.inputs["allowUnauthenticatedIdentities"]
            known = "everybody becomes a guest" if guests else "known users only"
            yield "`GetId`, `GetCredentialsForIdentity`", f"nobody: {known}"
        case "BucketCorsConfiguration":
            for rule in one.inputs["corsRules"]:
                methods = ", ".join(f"`{method}`" for method in sorted(rule["allowedMethods"]))
                yield f"{methods} by browsers of the settings' origins", "S3: the request is signed"


def _methods(api: Resource) -> Iterator[tuple[str, str]]:
    """What has a function behind it; everything else is answered by API Gateway itself, without one."""
    for path, methods in sorted(json.loads(api.inputs["body"])["paths"].items()):
        for method, said in sorted(methods.items()):
            if said.get("x-amazon-apigateway-integration", {}).get("type") == "aws_proxy":
                authorizer = "the authorizer, a function of its own: the token's signature, issuer, audience, times"
                yield f"`{method.upper()} {path}`", authorizer if said.get("security") else _says_who(api)


def _says_who(api: Resource) -> str:
    return str(api.inputs["tags"].get(CHECKED_BY_TAG, "**nobody**"))


def exceptions() -> Iterator[str]:
    """What the stacks of this project may break for a while."""
    found = [(stack, one) for stack in stack_files.stacks() for one in _excused(stack)]
    if not found:
        yield "No stack has one."
        return
    yield from _head("stack", "policy", "resource", "until", "reason")
    for stack, one in found:
        yield f"| {stack} | `{one['policy']}` | `{one['resource']}` | {one['expires']} | {one['reason']} |"


def _excused(stack: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(stack_files.read(stack).values["polyphony:exceptions"])
    return found


def roles(graph: Graph) -> Iterator[str]:
    """One chapter a role, by subsystem: whom it trusts, and what it may do beside its own logs and traces."""
    granted: dict[str, list[Statement]] = defaultdict(list)
    for role, statement in statements(graph):
        if not telemetry(statement, role):
            granted[role].append(statement)
    names = {one.inputs["name"]: one for one in graph.customs() if one.kind == "Role"}
    for of in Subsystem:
        yield f"\n### {of.capitalize()}"
        for name in sorted(name for name in names if subsystem(_short(name)) == of):
            [trust] = json.loads(names[name].inputs["assumeRolePolicy"])["Statement"]
            yield f"\n#### {_short(name)}\n"
            yield f"Taken by {_trusted(trust)}.\n"
            yield from _grants(granted[name])


def _trusted(trust: Statement) -> str:
    """Whom a trust policy lets in, and when."""
    [(kind, names)] = trust["Principal"].items()
    who = " or ".join(named(one) if kind == "AWS" else f"`{one}`" for one in as_list(names))
    asked = conditions(trust)
    return f"{who}, if {asked}" if asked else who


def _grants(granted: list[Statement]) -> Iterator[str]:
    if not granted:
        yield "Nothing but its own logs and traces."
        return
    yield from _head("may", "on", "if")
    for one in granted:
        on = "<br>".join(named(resource) for resource in as_list(one["Resource"]))
        yield f"| {_codes(one['Action'])} | {on} | {conditions(one)} |"


def telemetry(statement: Statement, role: str) -> bool:
    """Whether a statement allows only what every function has: its own log group, and traces."""
    actions = set(statement["Action"])
    if actions == TRACES:
        return True
    return actions == OWN_LOGS and all(one.endswith(f":/aws/lambda/{role}:*") for one in statement["Resource"])


def admitted(graph: Graph) -> Iterator[str]:
    """Whom a resource's own policy lets in; that it refuses whoever comes without TLS is said once, in the text."""
    yield from _head("resource", "lets", "do", "if")
    rows: set[str] = set()
    for one in graph.customs():
        if one.kind in POLICIES:
            for statement in json.loads(one.inputs["policy"])["Statement"]:
                if statement["Effect"] == "Allow":
                    who, actions = _codes(statement["Principal"]["Service"]), _codes(statement["Action"])
                    on = named(as_list(statement["Resource"])[0])
                    rows.add(f"| {on} | {who} | {actions} | {conditions(statement)} |")
        elif one.kind == "Permission":
            source = re.sub(r"^arn:aws:execute-api:[^:]*:[^:]*:([^/]*)-api/.*", r"`\1`", one.inputs["sourceArn"])
            function = f"`{_short(one.inputs['function'])}:{one.inputs['qualifier']}`"
            who, action = one.inputs["principal"], one.inputs["action"]
            rows.add(f"| lambda {function} | `{who}` | `{action}` | the API is {source} |")
    yield from sorted(rows)


def named(arn: str) -> str:
    """A resource as people call it: service and name, what all names of a stack share left out."""
    parts = arn.split(":", 5)
    if len(parts) < 6:
        return f"`{arn}`"
    _, _, service, region, _, resource = parts
    elsewhere = f" in {region}" if region not in {"", REGION} else ""
    return f"{service} `{_short(resource)}`{elsewhere}"


def conditions(statement: Statement) -> str:
    """What a statement asks of a request besides."""
    return "; ".join(
        f"{operator} `{key}` {' or '.join(f'`{_short(str(one))}`' for one in as_list(value))}"
        for operator, keys in sorted((statement.get("Condition") or {}).items())
        for key, value in sorted(keys.items())
    )


def _codes(words: str | list[str]) -> str:
    return ", ".join(f"`{one}`" for one in as_list(words))


def _short(text: str) -> str:
    return text.replace(f"-{ACCOUNT}", "").replace(f"polyphony-{STACK}-", "").replace(ACCOUNT, "<account>")


def _head(*columns: str) -> Iterator[str]:
    yield f"| {' | '.join(columns)} |"
    yield "|---" * len(columns) + "|"
