"""Who may do what: every role with whom it trusts and what it is granted, and what resources let others do."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from components.blocks.context import Subsystem
from guardrails.names import subsystem
from local.graph import Graph, Resource
from local.iam.evaluator import listed
from local.pages.documented import STACK
from local.pages.edges import statements
from local.preview_provider import ACCOUNT, REGION

Statement = Mapping[str, Any]
OWN_LOGS = {"logs:CreateLogStream", "logs:PutLogEvents"}
TRACES = {"xray:PutTelemetryRecords", "xray:PutTraceSegments"}


def named(arn: str) -> str:
    """A resource as people call it: service and name, what all names of a stack share left out."""
    parts = arn.split(":", 5)
    if len(parts) < 6:
        return f"`{arn}`"
    _, _, service, region, _, resource = parts
    elsewhere = f" in {region}" if region not in {"", REGION} else ""
    return f"{service} `{_short(resource)}`{elsewhere}"


def _short(text: str) -> str:
    return text.replace(f"-{ACCOUNT}", "").replace(f"polyphony-{STACK}-", "").replace(ACCOUNT, "<account>")


def conditions(statement: Statement) -> str:
    """What a statement asks of a request besides."""
    said = [
        f"{operator} `{key}` {_values(value)}"
        for operator, keys in sorted((statement.get("Condition") or {}).items())
        for key, value in sorted(keys.items())
    ]
    return "; ".join(said)


def _values(value: Any) -> str:
    return " or ".join(f"`{_short(str(one))}`" for one in listed(value))


def roles(graph: Graph, of: Subsystem) -> Iterator[str]:
    """One chapter a role of a subsystem."""
    granted: dict[str, list[Statement]] = {}
    for role, statement in statements(graph):
        granted.setdefault(role, []).append(statement)
    for one in sorted(graph.customs(), key=lambda one: str(one.inputs.get("name"))):
        if one.kind == "Role" and subsystem(_short(one.inputs["name"])) == of:
            yield f"\n#### {_short(one.inputs['name'])}\n"
            [trust] = json.loads(one.inputs["assumeRolePolicy"])["Statement"]
            yield f"Taken by {trusted(trust)}.\n"
            yield from _table(granted.get(one.inputs["name"], []), one)


def trusted(trust: Statement) -> str:
    """Whom a trust policy lets in, and when."""
    [(kind, names)] = trust["Principal"].items()
    who = " or ".join(named(one) if kind == "AWS" else f"`{one}`" for one in listed(names))
    asked = conditions(trust)
    return f"{who}, if {asked}" if asked else who


def _table(granted: Iterable[Statement], role: Resource) -> Iterator[str]:
    """What is granted, but for what every function has: its own log group, and traces."""
    rest = [one for one in granted if not _telemetry(one, role.inputs["name"])]
    if not rest:
        yield "Nothing but its own logs and traces."
        return
    yield "| may | on | if |"
    yield "|---|---|---|"
    for one in rest:
        actions = ", ".join(f"`{action}`" for action in listed(one["Action"]))
        on = "<br>".join(named(resource) for resource in listed(one["Resource"]))
        yield f"| {actions} | {on} | {conditions(one)} |"


def _telemetry(statement: Statement, role: str) -> bool:
    actions = set(statement["Action"])
    if actions == TRACES:
        return True
    return actions == OWN_LOGS and all(one.endswith(f":/aws/lambda/{role}:*") for one in statement["Resource"])


POLICIES = {"QueuePolicy", "BucketPolicy", "TopicPolicy"}


def admitted(graph: Graph) -> Iterator[str]:
    """Whom a resource's own policy lets in; that it refuses whoever comes without TLS is said once, in the text."""
    yield "| resource | lets | do | if |"
    yield "|---|---|---|---|"
    rows: set[str] = set()
    for one in graph.customs():
        if one.kind in POLICIES:
            for statement in json.loads(one.inputs["policy"])["Statement"]:
                if statement["Effect"] == "Allow":
                    rows.add(_row(named(listed(statement["Resource"])[0]), statement))
        elif one.kind == "Permission":
            source = re.sub(r"^arn:aws:execute-api:[^:]*:[^:]*:([^/]*)-api/.*", r"`\1`", one.inputs["sourceArn"])
            rows.add(
                f"| lambda `{_short(one.inputs['function'])}:{one.inputs['qualifier']}` | "
                f"`{one.inputs['principal']}` | `{one.inputs['action']}` | the API is {source} |"
            )
    yield from sorted(rows)


def _row(resource: str, statement: Statement) -> str:
    who = ", ".join(f"`{one}`" for one in listed(statement["Principal"]["Service"]))
    actions = ", ".join(f"`{action}`" for action in listed(statement["Action"]))
    return f"| {resource} | {who} | {actions} | {conditions(statement)} |"
