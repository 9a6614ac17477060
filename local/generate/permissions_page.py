"""Generator of `docs/reference/permissions.md`: entries for outside callers, permissions of every role, resource
policies, and exceptions.

With an exception, a stack file excuses a resource from a policy of the policy pack.
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from components.core import CHECKED_BY_TAG, Subsystem
from guardrails.subsystem_of_resource import parse_subsystem
from local import ACCOUNT, REGION
from local.emulation.iam.policy_evaluator import as_list
from local.generate import documented_resource_graph
from local.generate.documented_resource_graph import STACK, list_role_statements
from local.preview import stack_files
from local.preview.resource_graph import Graph, Resource

INTRODUCTION = """\
# Permissions

`make docs` generates this page from the resources that a preview of production registers. Names omit the prefix
`polyphony-<stack>-` and the account. [Security](../security.md) explains against which threats the permissions protect.
"""
ENTRIES = """\
## Entries

Callers outside the account can reach only the entries in this table. API Gateway itself answers preflight requests and requests for
unknown paths, so they invoke no function. Every bucket blocks public access.
"""
ROLES = """\
## Roles

The tables list the permissions of each role. They omit two permissions that the roles of all functions have: to write to the function's
own log group, and to send traces. A bucket's objects are written as `bucket/prefix`. The resource `*` occurs only if the action does not
support resource-level permissions. No role may change IAM, or run code with another role. The guardrail policy `grant-allowed` checks
this. In stacks that CI deploys, the permissions boundary `boundary-<stack>` of `bootstrap/roles.yaml` also limits every role, so a call is
allowed only if both the table and the boundary allow it.
"""
RESOURCE_POLICIES_TEXT = """\
## Resource policies

Every queue, topic and bucket also denies requests without TLS. The buckets to which users upload files or recordings also deny
uploads that name a KMS key, because no role of the program could decrypt the objects.
"""
EXCEPTIONS = """\
## Exceptions

An exception in the setting `polyphony:exceptions` allows one resource to violate one policy until a date at most 90 days away. Every preview
reports the exceptions, and an expired exception blocks the deployment. Policies against public data, foreign accounts and privilege
escalation accept no exception.
"""
Statement = Mapping[str, Any]
LOG_WRITES = {"logs:CreateLogStream", "logs:PutLogEvents"}
"""Actions that write to a log group."""
TRACES = {"xray:PutTelemetryRecords", "xray:PutTraceSegments"}
"""Actions that send traces to X-Ray."""
RESOURCE_POLICIES = {"QueuePolicy", "BucketPolicy", "TopicPolicy"}
"""Resource types that attach a policy to a queue, bucket or topic, as `Resource.kind` names them."""


def render_page() -> str:
    """Return the page."""
    graph = documented_resource_graph.build_stack_graph()
    chapters = (
        (ENTRIES, list_entries(graph)),
        (ROLES, list_roles(graph)),
        (RESOURCE_POLICIES_TEXT, list_resource_policies(graph)),
        (EXCEPTIONS, list_exceptions()),
    )
    texts = [f"{introduction}\n" + "\n".join(lines).strip("\n") for introduction, lines in chapters]
    return "\n".join([INTRODUCTION, "\n\n".join(texts)]) + "\n"


def list_entries(graph: Graph) -> Iterator[str]:
    """Yield the table of entries: API routes, identity pools and buckets, each with the check of its callers."""
    yield from _table_head("entry", "route", "check of the caller")
    for resource in sorted(graph.customs(), key=lambda resource: resource.urn):
        for route, check in _list_routes(resource, graph):
            yield f"| `{resource.parent.rpartition('::')[2]}` | {route} | {check} |"


def _list_routes(resource: Resource, graph: Graph) -> Iterator[tuple[str, str]]:
    """Yield each route from outside to a resource, with the check of the caller. Most resources have no route."""
    match resource.kind:
        case "RestApi":
            yield from _list_methods(resource)
        case "Api":  # a WebSocket API
            # Only `$connect` needs a check, because later messages come over a connection that it accepted.
            for route in graph.customs():
                if (
                    route.kind == "Route"
                    and route.inputs.get("apiId") == resource.id
                    and route.inputs["routeKey"] == "$connect"
                ):
                    signed = route.inputs["authorizationType"] == "AWS_IAM"
                    yield "`$connect`", "IAM: the handshake is signed" if signed else _describe_check(resource)
        case "IdentityPool":
            guests = resource.inputs["allowUnauthenticatedIdentities"]
            check = "none: every caller becomes a guest" if guests else "Cognito: only signed-in users get credentials"
            yield "`GetId`, `GetCredentialsForIdentity`", check
        case "BucketCorsConfiguration":
            for rule in resource.inputs["corsRules"]:
                methods = ", ".join(f"`{method}`" for method in sorted(rule["allowedMethods"]))
                yield f"{methods} by browsers of the allowed origins", "S3: the request is signed"


def _list_methods(api: Resource) -> Iterator[tuple[str, str]]:
    """Yield the routes that call a function, with the check of the caller. API Gateway itself answers all others."""
    for path, methods in sorted(json.loads(api.inputs["body"])["paths"].items()):
        for method, operation in sorted(methods.items()):
            if operation.get("x-amazon-apigateway-integration", {}).get("type") == "aws_proxy":
                authorizer = "the authorizer function: the token's signature, issuer, audience and times"
                yield f"`{method.upper()} {path}`", authorizer if operation.get("security") else _describe_check(api)


def _describe_check(api: Resource) -> str:
    """Return the check that a tag of the API names, or a conspicuous `none`."""
    return str(api.inputs["tags"].get(CHECKED_BY_TAG, "**none**"))


def list_exceptions() -> Iterator[str]:
    """Yield the table of policy exceptions in all stack files, or a sentence if there are none."""
    rows = [(stack, exception) for stack in stack_files.list_stacks() for exception in _read_exceptions(stack)]
    if not rows:
        yield "No stack has an exception."
        return
    yield from _table_head("stack", "policy", "resource", "until", "reason")
    for stack, exception in rows:
        policy, resource = f"`{exception['policy']}`", f"`{exception['resource']}`"
        yield f"| {stack} | {policy} | {resource} | {exception['expires']} | {exception['reason']} |"


def _read_exceptions(stack: str) -> list[dict[str, Any]]:
    loaded: list[dict[str, Any]] = json.loads(stack_files.read_stack(stack).values.get("polyphony:exceptions", "[]"))
    return loaded


def list_roles(graph: Graph) -> Iterator[str]:
    """Yield a chapter for each subsystem, with each role's trust policy and its permissions except telemetry."""
    statements: dict[str, list[Statement]] = defaultdict(list)
    for role, statement in list_role_statements(graph):
        if not is_telemetry(statement, role):
            statements[role].append(statement)
    roles_by_name = {resource.inputs["name"]: resource for resource in graph.customs() if resource.kind == "Role"}
    for subsystem in Subsystem:
        yield f"\n### {subsystem.capitalize()}"
        for name in sorted(name for name in roles_by_name if parse_subsystem(_shorten(name)) == subsystem):
            # A trust policy of the program has one statement.
            [trust] = json.loads(roles_by_name[name].inputs["assumeRolePolicy"])["Statement"]
            yield f"\n#### {_shorten(name)}\n"
            yield f"Assumed by {_describe_trust(trust)}.\n"
            yield from _list_grants(statements[name])


def _describe_trust(trust: Statement) -> str:
    """Return the principals and conditions in the statement of a trust policy, as text."""
    [(kind, names)] = trust["Principal"].items()
    principals = " or ".join(to_resource_label(name) if kind == "AWS" else f"`{name}`" for name in as_list(names))
    condition = format_conditions(trust)
    return f"{principals}, if {condition}" if condition else principals


def _list_grants(statements: list[Statement]) -> Iterator[str]:
    if not statements:
        yield "No permissions except its own logs and traces."
        return
    yield from _table_head("actions", "resources", "conditions")
    for statement in statements:
        resources = "<br>".join(to_resource_label(resource) for resource in as_list(statement["Resource"]))
        yield f"| {_join_codes(statement['Action'])} | {resources} | {format_conditions(statement)} |"


def is_telemetry(statement: Statement, role: str) -> bool:
    """Return True if a statement only allows sending traces, or writing to the log group with the role's name."""
    actions = set(statement["Action"])
    if actions == TRACES:
        return True
    return actions == LOG_WRITES and all(arn.endswith(f":/aws/lambda/{role}:*") for arn in statement["Resource"])


def list_resource_policies(graph: Graph) -> Iterator[str]:
    """Yield the table of allowing statements in resource policies, including Lambda permissions."""
    yield from _table_head("resource", "principal", "actions", "conditions")
    rows: set[str] = set()
    for resource in graph.customs():
        inputs = resource.inputs
        if resource.kind in RESOURCE_POLICIES:
            for statement in json.loads(inputs["policy"])["Statement"]:
                if statement["Effect"] == "Allow":
                    principal = _join_codes(statement["Principal"]["Service"])
                    actions = _join_codes(statement["Action"])
                    target = to_resource_label(as_list(statement["Resource"])[0])
                    rows.add(f"| {target} | {principal} | {actions} | {format_conditions(statement)} |")
        elif resource.kind == "Permission":
            # The caller is an API. Its id in the documented graph is its Pulumi name, for example `livestream-api-api`.
            api = re.sub(r"^arn:aws:execute-api:[^:]*:[^:]*:([^/]*)-api/.*", r"`\1`", inputs["sourceArn"])
            function = f"`{_shorten(inputs['function'])}:{inputs['qualifier']}`"
            rows.add(f"| lambda {function} | `{inputs['principal']}` | `{inputs['action']}` | the API is {api} |")
    yield from sorted(rows)


def to_resource_label(arn: str) -> str:
    """Return the service and shortened name in an ARN as Markdown, for example "sqs `livestream-videos`"."""
    parts = arn.split(":", 5)
    if len(parts) < 6:
        return f"`{arn}`"
    _, _, service, region, _, resource = parts
    elsewhere = f" in {region}" if region not in {"", REGION} else ""
    return f"{service} `{_shorten(resource)}`{elsewhere}"


def format_conditions(statement: Statement) -> str:
    """Return the conditions of a statement as text, for example "StringEquals `aws:SourceAccount` `<account>`"."""
    return "; ".join(
        f"{operator} `{key}` {' or '.join(f'`{_shorten(str(text))}`' for text in as_list(value))}"
        for operator, keys in sorted((statement.get("Condition") or {}).items())
        for key, value in sorted(keys.items())
    )


def _join_codes(names: str | list[str]) -> str:
    return ", ".join(f"`{name}`" for name in as_list(names))


def _shorten(text: str) -> str:
    """Return a text without the prefix of the stack's names, and without the account id."""
    return text.replace(f"-{ACCOUNT}", "").replace(f"polyphony-{STACK}-", "").replace(ACCOUNT, "<account>")


def _table_head(*columns: str) -> Iterator[str]:
    yield f"| {' | '.join(columns)} |"
    yield "|---" * len(columns) + "|"
