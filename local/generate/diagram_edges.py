"""Edges of the architecture diagrams, derived from event sources, rules, schedules, APIs, CORS rules and role policies.

An edge leads from a node that acts, its tail, to a node that is acted on, its head. A permission becomes an edge from
the node that uses the role. The generation fails if a permission has no edge, unless this module omits it on purpose,
for example by `OMITTED_SERVICES`.
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from local import CannotRun
from local.generate.diagram_nodes import Key, Node, Shape, map_nodes, map_role_nodes, to_node_key
from local.preview.resource_graph import Graph, Resource

NodesByKey = Mapping[Key, Node]
"""Node of each resource in the diagrams, by the key of the resource's ARN (see `diagram_nodes`)."""
NodesByRole = Mapping[str, Node]
"""Node that uses each role, by the role's name."""
CLOCK = Node("", "clock", Shape.SERVICE)
"""Tail of the edges of all schedules."""
CALLERS = Node("", "callers", Shape.CALLER)
"""Callers that assume no role of the program, for example browsers that call an API."""

OMITTED_SERVICES = {
    # IAM prefixes of services whose permissions get no edge.
    "logs", "xray", "cloudwatch", "tag",  # telemetry, and searches for resources by tag
    "ecr",  # pulls of a container's image
    "iam",  # `iam:PassRole` for a job's role: the edges of the job show the permissions of that role
}  # fmt: skip
CALLED_SERVICES = {"bedrock": "Bedrock", "transcribe": "Transcribe", "mediaconvert": "MediaConvert"}
"""Label of each AWS service that the program calls without a resource to draw, by IAM prefix."""

ADDRESS_VARIABLES = {
    "JWKS_URL": Node("", "identity provider", Shape.SERVICE),
    "AGENTCORE_ENDPOINT": Node("", "agent at AgentCore", Shape.SERVICE),
}
"""Services that functions call, by the environment variable with the address. Functions do not call the addresses in
other variables, for example a token's issuer."""

READ_ACTIONS = re.compile(r"Get|BatchGet|List|Query|Scan|Describe|ConditionCheck")
"""Start of the name of an action that reads, for example `GetItem`."""
ACTION_LABELS = {
    "lambda:InvokeFunction": "calls",
    "states:StartExecution": "starts",
    "states:DescribeExecution": "describes",
    "glue:StartJobRun": "starts",
    "batch:SubmitJob": "starts",
    "sqs:SendMessage": "sends",
    "sts:AssumeRole": "gives credentials to",
    "backup:CopyIntoBackupVault": "copies into",
    "execute-api:Invoke": "connects",
    "execute-api:ManageConnections": "sends messages over",
}
"""Labels of the edges of single actions."""
READ_OR_WRITE_SERVICES = {"s3", "dynamodb", "ssm", "bedrock-agentcore"}
"""IAM prefixes of the services whose actions have the label `reads` or `writes`, unless ACTION_LABELS has another."""
IMPLIED_ACTIONS = {
    # Actions that become no edge, because each accompanies an action or event source that has an edge.
    "sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ChangeMessageVisibility",
    "glue:GetJobRun", "glue:GetJobRuns", "glue:BatchStopJobRun", "batch:DescribeJobs", "batch:ListJobs", "batch:TerminateJob",
    "backup:DescribeBackupVault", "sts:TagSession",
}  # fmt: skip


class MissingFromDiagram(CannotRun):
    """A diagram lacks something that the program contains. The message names what to add, and where."""


@dataclass(frozen=True, order=True)
class Edge:
    """Arrow of a diagram, from the node that acts to the node that is acted on."""

    tail: Node
    head: Node
    label: str
    """Relation of the tail to the head, for example `reads, writes` or `every 5 minutes`."""


def list_edges(graph: Graph) -> list[Edge]:
    """Return the edges between all nodes, at most one in each direction. Edges from a node to itself are omitted."""
    nodes_by_key, nodes_by_role = map_nodes(graph), map_role_nodes(graph)
    labels_by_ends: dict[tuple[Node, Node], set[str]] = defaultdict(set)
    for edge in (
        *_list_event_edges(graph, nodes_by_key, nodes_by_role),
        *_list_outside_edges(graph, nodes_by_key, nodes_by_role),
        *_list_permission_edges(graph, nodes_by_key, nodes_by_role),
    ):
        labels_by_ends[edge.tail, edge.head].add(edge.label)
    return sorted(
        Edge(tail, head, _join_labels(labels)) for (tail, head), labels in labels_by_ends.items() if tail != head
    )


def _join_labels(labels: set[str]) -> str:
    """Return labels as one label, for example `reads, writes, calls`.

    `describes` is omitted beside `starts`, because nearly every role that starts an execution may also describe it.
    """
    verbs = labels - {"describes"} if "starts" in labels else labels
    first = ["reads, writes"] if {"reads", "writes"} <= verbs else []
    return ", ".join([*first, *sorted(verbs - {"reads", "writes"} if first else verbs)])


def _list_event_edges(graph: Graph, nodes_by_key: NodesByKey, nodes_by_role: NodesByRole) -> Iterator[Edge]:
    """Yield the edges of event source mappings, bucket notifications, schedules and event rules."""
    for resource in graph.customs():
        inputs = resource.inputs
        match resource.kind:
            case "EventSourceMapping":
                yield Edge(
                    nodes_by_key[to_node_key(inputs["eventSourceArn"])],
                    nodes_by_key[to_node_key(inputs["functionName"])],
                    "triggers",
                )
            case "BucketNotification":
                for queue in inputs["queues"]:
                    head = nodes_by_key[to_node_key(queue["queueArn"])]
                    yield Edge(nodes_by_key["s3", inputs["bucket"]], head, f"new in {queue['filterPrefix']}")
            case "Schedule":
                head = nodes_by_key[to_node_key(inputs["target"]["arn"])]
                yield Edge(CLOCK, head, re.sub(r"^rate\((.*)\)$", r"every \1", inputs["scheduleExpression"]))
            case "EventTarget":
                yield from _list_rule_edges(resource, graph, nodes_by_key, nodes_by_role)


def _list_rule_edges(
    target: Resource, graph: Graph, nodes_by_key: NodesByKey, nodes_by_role: NodesByRole
) -> Iterator[Edge]:
    """Yield the edges to the target of an event rule, from each node that causes the rule's events."""
    rules = [resource for resource in graph.customs() if resource.kind == "EventRule"]
    [rule] = [rule for rule in rules if rule.inputs["name"] == target.inputs["rule"]]
    pattern = json.loads(rule.inputs["eventPattern"])
    # A dead-letter queue that receives events for operators is not drawn. Its alarm notifies the topic of alerts, so the
    # edge leads to this topic.
    [alerts_topic] = [node for (service, _), node in nodes_by_key.items() if service == "sns"]
    head = nodes_by_key.get(to_node_key(target.inputs["arn"]), alerts_topic)
    [source], [detail_type] = pattern["source"], pattern["detail-type"]
    detail = pattern.get("detail", {})
    if source == "aws.s3":
        [bucket], [key_filter] = detail["bucket"]["name"], detail["object"]["key"]
        yield Edge(nodes_by_key["s3", bucket], head, f"new in {key_filter['prefix']}")
    elif source == "aws.glue":
        [job] = detail["jobName"]
        yield Edge(nodes_by_key["glue", job], head, "job failed")
    elif source in {"aws.mediaconvert", "aws.backup"}:
        name = {"aws.mediaconvert": "MediaConvert", "aws.backup": "AWS Backup"}[source]
        yield Edge(Node("", name, Shape.SERVICE), head, detail_type.lower())
    else:
        # The program itself publishes the events, so an edge starts at each node whose role may publish them.
        for role, statement in list_role_statements(graph):
            if "events:PutEvents" in statement["Action"] and source in json.dumps(statement.get("Condition", {})):
                yield Edge(nodes_by_role[role], head, f"event {detail_type}")


def _list_outside_edges(graph: Graph, nodes_by_key: NodesByKey, nodes_by_role: NodesByRole) -> Iterator[Edge]:
    """Yield the edges from callers to APIs, buckets and guests (users without login), from APIs to functions, and from
    functions to external services.
    """
    for resource in graph.customs():
        inputs = resource.inputs
        match resource.kind:
            case "Permission" if inputs["principal"] == "apigateway.amazonaws.com":
                api = nodes_by_key[to_node_key(inputs["sourceArn"])]
                yield Edge(CALLERS, api, "call")
                verb = "authorizes with" if "/authorizers/" in inputs["sourceArn"] else "calls"
                yield Edge(api, nodes_by_key["lambda", inputs["function"]], verb)
            case "IdentityPool" if inputs["allowUnauthenticatedIdentities"]:
                # A guest's node is named after the block that contains the pool and the role of its guests.
                block = graph[resource.parent].name
                guests = {node for node in nodes_by_role.values() if node.shape is Shape.CALLER and node.name == block}
                yield from (Edge(CALLERS, guest, "become") for guest in guests)
            case "BucketCorsConfiguration":
                methods = sorted({method for rule in inputs["corsRules"] for method in rule["allowedMethods"]})
                yield Edge(CALLERS, nodes_by_key["s3", inputs["bucket"]], f"browsers {', '.join(methods)}")
            case "Function":
                for name, value in inputs["environment"]["variables"].items():
                    if name in ADDRESS_VARIABLES and value.startswith("https://"):
                        yield Edge(nodes_by_key["lambda", inputs["name"]], ADDRESS_VARIABLES[name], "calls")


def list_role_statements(graph: Graph) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield every statement of every role policy, with the role's name."""
    for resource in sorted(graph.customs(), key=lambda resource: resource.urn):
        if resource.kind == "RolePolicy":
            for statement in json.loads(resource.inputs["policy"])["Statement"]:
                yield resource.inputs["role"], statement


def _list_permission_edges(graph: Graph, nodes_by_key: NodesByKey, nodes_by_role: NodesByRole) -> Iterator[Edge]:
    """Yield the edges of permissions, from the node that uses a role to the node that the role may access."""
    for role, statement in list_role_statements(graph):
        # Roles with which AWS invokes a scheduled function, starts a container or writes API logs belong to no node.
        if role not in nodes_by_role:
            continue
        for action in statement["Action"]:
            for resource in statement["Resource"]:
                if head := _find_head(action, resource, nodes_by_key, nodes_by_role):
                    yield Edge(nodes_by_role[role], head, _choose_label(action, head))


def _find_head(action: str, resource: str, nodes_by_key: NodesByKey, nodes_by_role: NodesByRole) -> Node | None:
    """Return the node that an action on a resource accesses, or None if the action becomes no edge."""
    service = action.partition(":")[0]
    if service in OMITTED_SERVICES or action in IMPLIED_ACTIONS or action == "events:PutEvents":
        return None  # The edges of the event rules show published events.
    if service in CALLED_SERVICES:
        return Node("", CALLED_SERVICES[service], Shape.SERVICE)
    if action == "sts:AssumeRole":
        return nodes_by_role[to_node_key(resource)[1]]
    if "*" in to_node_key(resource)[1]:
        # The backup role may access all tables of a stack. These accesses are not drawn, because the foundation's
        # diagram shows the backups.
        return None
    target = nodes_by_key.get(to_node_key(resource))
    # Dead-letter queues and job queues are not shown, so actions on them get no arrow.
    if target is None and not (service == "sqs" or (service == "batch" and ":job-queue/" in resource)):
        raise MissingFromDiagram(
            f"{action} on {resource} has no node in the diagrams. Add its type to SHOWN_TYPES in "
            "local/generate/diagram_nodes.py, or its service to OMITTED_SERVICES in local/generate/diagram_edges.py."
        )
    return target


def _choose_label(action: str, head: Node) -> str:
    """Return the label for an action. Raise MissingFromDiagram if there is none."""
    if action in ACTION_LABELS:
        return ACTION_LABELS[action]
    service, _, name = action.partition(":")
    if service in READ_OR_WRITE_SERVICES:
        return "reads" if READ_ACTIONS.match(name) else "writes"
    if head.shape is Shape.SERVICE:
        return "calls"
    raise MissingFromDiagram(
        f"{action} has no label. Add it to ACTION_LABELS or IMPLIED_ACTIONS in local/generate/diagram_edges.py."
    )
