"""Nodes of the architecture diagrams: resources that data flows through, outside callers, and AWS services.

The diagrams omit auxiliary resources (policies, log groups, versions), alarms, dashboards and dead-letter queues.

A node is named after the block that contains its resource. A block is a component of the program, for example a
function with its role and log group. IAM policies and event sources name resources by ARNs, so
a node is found by parts of its resource's ARN (`Key`).
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from components.blocks.bedrock.agentcore_memory import MEMORY_ID_SUFFIX
from guardrails.model.subsystem_of_resource import parse_subsystem
from local.preview.resource_graph import Graph, Resource

DEAD_LETTER_QUEUE = "polyphony:blocks:DeadLetterQueue"
"""Type of the block that contains a dead-letter queue."""


class Shape(StrEnum):
    """Kind of a node. `architecture_page` draws each kind in its own shape."""

    FUNCTION = "function"
    QUEUE = "queue"
    STORE = "store"
    WORKFLOW = "workflow"
    JOB = "job"
    API = "api"
    """API for callers outside the program."""
    CALLER = "caller"
    """Person or program that calls from outside, for example a guest in a browser."""
    SERVICE = "service"
    """AWS service or external service, not a resource of the program."""


@dataclass(frozen=True, order=True)
class Node:
    """Node of a diagram."""

    subsystem: str
    """Empty for services, and for callers that assume no role of the program."""
    name: str
    """Pulumi name of the block, or name of the service or caller."""
    shape: Shape

    @property
    def label(self) -> str:
        """Text in the node: its name without the subsystem."""
        return self.name.removeprefix(f"{self.subsystem}-")

    @property
    def id(self) -> str:
        """Identifier with letters, digits and underscores only, which every version of Mermaid accepts."""
        return re.sub(r"\W", "_", self.name.lower())


Key = tuple[str, str]
"""Service in an ARN, and name or id of the resource in it, for example `("sqs", "polyphony-prod-livestream-videos")`."""

SHOWN_TYPES = {
    # Resource types in the diagrams, each with its shape and the service in its ARN.
    "aws:lambda/function:Function": (Shape.FUNCTION, "lambda"),
    "aws:sqs/queue:Queue": (Shape.QUEUE, "sqs"),
    "aws:s3/bucket:Bucket": (Shape.STORE, "s3"),
    "aws:dynamodb/table:Table": (Shape.STORE, "dynamodb"),
    "aws:sns/topic:Topic": (Shape.QUEUE, "sns"),
    "aws:sfn/stateMachine:StateMachine": (Shape.WORKFLOW, "states"),
    "aws:glue/job:Job": (Shape.JOB, "glue"),
    "aws:batch/jobDefinition:JobDefinition": (Shape.JOB, "batch"),
    "aws:apigateway/restApi:RestApi": (Shape.API, "execute-api"),
    "aws:apigatewayv2/api:Api": (Shape.API, "execute-api"),
    "aws:bedrock/agentcoreMemory:AgentcoreMemory": (Shape.STORE, "bedrock-agentcore"),
    "aws:ssm/parameter:Parameter": (Shape.STORE, "ssm"),
    "aws:backup/vault:Vault": (Shape.STORE, "backup"),
}
SERVICES_WITH_IDS_IN_ARNS = {"execute-api"}
"""Services whose ARNs contain an id that AWS assigns. All other ARNs contain the resource's name."""


def map_nodes(graph: Graph) -> dict[Key, Node]:
    """Return the node of each resource in the diagrams, by the key of the resource's ARN."""
    return {_key_of(resource): node for resource, node in _list_shown(graph)}


def _list_shown(graph: Graph) -> Iterator[tuple[Resource, Node]]:
    for resource in graph.customs():
        block = graph[resource.parent]
        if resource.type in SHOWN_TYPES and block.type != DEAD_LETTER_QUEUE:
            yield resource, Node(parse_subsystem(block.name), block.name, SHOWN_TYPES[resource.type][0])


def _key_of(resource: Resource) -> Key:
    service = SHOWN_TYPES[resource.type][1]
    if service in SERVICES_WITH_IDS_IN_ARNS:
        return service, resource.id
    # The ARN of an SSM parameter contains its name without the leading slash.
    return service, str(resource.inputs["bucket" if service == "s3" else "name"]).removeprefix("/")


def to_node_key(arn: str) -> Key:
    """Return the key of the resource in an ARN, without a function's alias, a table's index or an object's S3 key."""
    service, resource = arn.split(":", 5)[2], arn.split(":", 5)[5]
    match service:
        case "lambda" | "states" | "backup":  # function:NAME:live, execution:NAME:*, backup-vault:NAME
            name = resource.split(":")[1]
        case "dynamodb" | "glue" | "batch" | "bedrock-agentcore" | "ssm" | "iam":  # table/NAME/index/*
            name = re.split("[/:]", resource)[1].removesuffix(MEMORY_ID_SUFFIX)
        case _:  # BUCKET/prefix/*, API/stage/route, or the bare name of a queue or topic
            name = resource.partition("/")[0]
    return service, name


def map_role_nodes(graph: Graph) -> dict[str, Node]:
    """Return the node that uses each role, by the role's name. Roles without such a node are omitted."""
    node_by_role = {role: node for resource, node in _list_shown(graph) for role in _list_roles(resource)}
    for resource in graph.customs():
        if resource.kind == "Role" and resource.inputs["name"] not in node_by_role:
            outside_node = _find_outside_node(resource, graph)
            if outside_node is not None:
                node_by_role[resource.inputs["name"]] = outside_node
    return node_by_role


def _list_roles(resource: Resource) -> Iterator[str]:
    """Yield the names of the roles that a resource uses to call AWS."""
    arns = [resource.inputs.get("role"), resource.inputs.get("roleArn")]
    if resource.kind == "JobDefinition":
        # This is the role of the job's code. With the execution role, AWS only starts the container.
        arns.append(json.loads(resource.inputs["containerProperties"])["jobRoleArn"])
    yield from (arn.partition(":role/")[2] for arn in arns if isinstance(arn, str) and ":role/" in arn)


SERVICES_WITH_ROLES = {
    # Services that are drawn because they act with a role of the program, by service principal.
    "mediaconvert.amazonaws.com": Node("", "MediaConvert", Shape.SERVICE),
    "backup.amazonaws.com": Node("", "AWS Backup", Shape.SERVICE),
}


def _find_outside_node(role: Resource, graph: Graph) -> Node | None:
    """Return the service or the outside caller that assumes a role, or None for a service without a node."""
    principal = json.loads(role.inputs["assumeRolePolicy"])["Statement"][0]["Principal"]
    if "Service" in principal:
        return SERVICES_WITH_ROLES.get(principal["Service"])
    # Guests assume a role through an identity pool (a federated principal). They are named after the block of the role,
    # other callers after the role itself.
    name = graph[role.parent].name if "Federated" in principal else role.name.removesuffix("-role")
    return Node(parse_subsystem(name), name, Shape.CALLER)
