"""Who calls, reads, writes or wakes whom: taken from event sources, rules, schedules, integrations and grants.

Nothing is drawn by hand. A grant of a service that is neither drawn nor left out on purpose stops the page.
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from local import CannotRun
from local.generate.diagram_nodes import Key, Node, Shape, key, nodes, roles
from local.preview.resource_graph import Graph, Resource

Known = Mapping[Key, Node]
Held = Mapping[str, Node]
CLOCK = Node("", "clock", Shape.SERVICE)
CALLERS = Node("", "callers", Shape.CALLER)

LEFT_OUT = {
    "logs", "xray", "cloudwatch", "tag",  # telemetry, and finding what is tagged
    "ecr",  # a container's image
    "iam",  # which role a job is given: the job's own edges show what it does
}  # fmt: skip
SERVICES = {"bedrock": "Bedrock", "transcribe": "Transcribe", "mediaconvert": "MediaConvert"}
"""AWS services that are asked for something; nothing of them is ours."""

ADDRESSES = {
    "JWKS_URL": Node("", "identity provider", Shape.SERVICE),
    "AGENTCORE_ENDPOINT": Node("", "agent at AgentCore", Shape.SERVICE),
}
"""Variables that hold an address which is asked. Others hold what is compared (an issuer, an origin) or a way back."""

READS = re.compile(r"Get|BatchGet|List|Query|Scan|Describe|ConditionCheck")
VERBS = {
    "lambda:InvokeFunction": "calls",
    "states:StartExecution": "starts",
    "states:DescribeExecution": "asks after",
    "glue:StartJobRun": "starts",
    "batch:SubmitJob": "starts",
    "sqs:SendMessage": "sends",
    "sts:AssumeRole": "lends keys to",
    "backup:CopyIntoBackupVault": "copies into",
    "execute-api:Invoke": "connects",
    "execute-api:ManageConnections": "answers over",
}
STORES = {"s3", "dynamodb", "ssm", "bedrock-agentcore"}
UNSAID = {
    # What belongs to another verb on the same edge, or to an event source that is drawn already.
    "sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ChangeMessageVisibility",
    "glue:GetJobRun", "glue:GetJobRuns", "glue:BatchStopJobRun", "batch:DescribeJobs", "batch:ListJobs", "batch:TerminateJob",
    "backup:DescribeBackupVault", "sts:TagSession",
}  # fmt: skip


class Undrawn(CannotRun):
    """The pages have no place for something that the program has; the message says what to write."""


@dataclass(frozen=True, order=True)
class Edge:
    """One arrow: whoever acts stands at its tail."""

    tail: Node
    head: Node
    label: str


def edges(graph: Graph) -> list[Edge]:
    """Every arrow of the platform, those between two nodes joined into one."""
    known, held = nodes(graph), roles(graph)
    said: dict[tuple[Node, Node], set[str]] = defaultdict(set)
    for one in (*_events(graph, known, held), *_outside(graph, known, held), *_grants(graph, known, held)):
        said[one.tail, one.head].add(one.label)
    return sorted(Edge(tail, head, _joined(labels)) for (tail, head), labels in said.items() if tail != head)


def _joined(labels: set[str]) -> str:
    rest = labels - {"asks after"} if "starts" in labels else labels
    first = ["reads, writes"] if {"reads", "writes"} <= rest else []
    return ", ".join([*first, *sorted(rest - {"reads", "writes"} if first else rest)])


def _events(graph: Graph, known: Known, held: Held) -> Iterator[Edge]:
    """What wakes whom: mappings, notifications, rules, schedules."""
    for one in graph.customs():
        given = one.inputs
        match one.kind:
            case "EventSourceMapping":
                yield Edge(known[key(given["eventSourceArn"])], known[key(given["functionName"])], "wakes")
            case "BucketNotification":
                for queue in given["queues"]:
                    head = known[key(queue["queueArn"])]
                    yield Edge(known["s3", given["bucket"]], head, f"new in {queue['filterPrefix']}")
            case "Schedule":
                head = known[key(given["target"]["arn"])]
                yield Edge(CLOCK, head, re.sub(r"^rate\((.*)\)$", r"every \1", given["scheduleExpression"]))
            case "EventTarget":
                yield from _rule(one, graph, known, held)


def _rule(target: Resource, graph: Graph, known: Known, held: Held) -> Iterator[Edge]:
    [rule] = [one for one in graph.customs() if one.kind == "EventRule" and one.inputs["name"] == target.inputs["rule"]]
    pattern = json.loads(rule.inputs["eventPattern"])
    head = known[key(target.inputs["arn"])]
    [source], [what] = pattern["source"], pattern["detail-type"]
    detail = pattern.get("detail", {})
    if source == "aws.s3":
        [bucket], [under] = detail["bucket"]["name"], detail["object"]["key"]
        yield Edge(known["s3", bucket], head, f"new in {under['prefix']}")
    elif source == "aws.glue":
        [job] = detail["jobName"]
        yield Edge(known["glue", job], head, "has failed")
    elif source in {"aws.mediaconvert", "aws.backup"}:
        name = {"aws.mediaconvert": "MediaConvert", "aws.backup": "AWS Backup"}[source]
        yield Edge(Node("", name, Shape.SERVICE), head, what.lower())
    else:
        for role, statement in statements(graph):  # whoever may put events of the source on the bus
            if "events:PutEvents" in statement["Action"] and source in json.dumps(statement.get("Condition", {})):
                yield Edge(held[role], head, f"event {what}")


def _outside(graph: Graph, known: Known, held: Held) -> Iterator[Edge]:
    """Who enters by APIs, identity pools and buckets, and whom functions reach by an address in their environment."""
    for one in graph.customs():
        given = one.inputs
        match one.kind:
            case "Permission" if given["principal"] == "apigateway.amazonaws.com":
                api = known[key(given["sourceArn"])]
                yield Edge(CALLERS, api, "call")
                verb = "asks" if "/authorizers/" in given["sourceArn"] else "calls"
                yield Edge(api, known["lambda", given["function"]], verb)
            case "IdentityPool" if given["allowUnauthenticatedIdentities"]:
                guests = {node for node in held.values() if node.shape is Shape.CALLER and node.name in one.name}
                yield from (Edge(CALLERS, guest, "become") for guest in guests)
            case "BucketCorsConfiguration":
                methods = sorted({method for rule in given["corsRules"] for method in rule["allowedMethods"]})
                yield Edge(CALLERS, known["s3", given["bucket"]], f"browsers {', '.join(methods)}")
            case "Function":
                for name, value in given["environment"]["variables"].items():
                    if name in ADDRESSES and value.startswith("https://"):
                        yield Edge(known["lambda", given["name"]], ADDRESSES[name], "asks")


def statements(graph: Graph) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every statement of every role's policies, with the role's name."""
    for one in sorted(graph.customs(), key=lambda one: one.urn):
        if one.kind == "RolePolicy":
            for statement in json.loads(one.inputs["policy"])["Statement"]:
                yield one.inputs["role"], statement


def _grants(graph: Graph, known: Known, held: Held) -> Iterator[Edge]:
    for role, statement in statements(graph):
        if role not in held:  # a schedule's, a backup's or a log writer's: drawn from the resource itself
            continue
        for action in statement["Action"]:
            for resource in statement["Resource"]:
                if head := _reached(action, resource, known, held):
                    yield Edge(held[role], head, _verb(action, head))


def _reached(action: str, resource: str, known: Known, held: Held) -> Node | None:
    service = action.partition(":")[0]
    if service in LEFT_OUT or action in UNSAID or action == "events:PutEvents":
        return None
    if service in SERVICES:
        return Node("", SERVICES[service], Shape.SERVICE)
    if action == "sts:AssumeRole":
        return held[key(resource)[1]]
    if "*" in key(resource)[1]:  # a backup's, of all tables of a stack: its page of the foundation shows it
        return None
    found = known.get(key(resource))
    if found is None and not (service == "sqs" or (service == "batch" and ":job-queue/" in resource)):
        raise Undrawn(f"{action} on {resource} reaches nothing that the diagrams know: draw it, or leave it out")
    return found


def _verb(action: str, head: Node) -> str:
    if action in VERBS:
        return VERBS[action]
    service, _, name = action.partition(":")
    if service in STORES:
        return "reads" if READS.match(name) else "writes"
    if head.shape is Shape.SERVICE:
        return "asks"
    raise Undrawn(f"{action} has no verb: give it one, or leave it unsaid")
