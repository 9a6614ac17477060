"""What the diagrams show: resources that something flows through, found again by the ARN that a grant names.

Left out, because they would hide the rest: what is beside a resource (policies, log groups, versions), alarms and
dashboards, and the dead-letter queues, of which everything that can fail has one.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from guardrails.model.subsystem_names import parse_subsystem
from local.preview.resource_graph import Graph, Resource

DEAD_LETTERS = "polyphony:blocks:DeadLetterQueue"


class Shape(StrEnum):
    """What kind of thing a node is; the diagrams' legend says how each is drawn."""

    FUNCTION = "function"
    QUEUE = "queue"
    STORE = "store"
    WORKFLOW = "workflow"
    JOB = "job"
    ENTRY = "entry"
    CALLER = "caller"
    SERVICE = "service"


@dataclass(frozen=True, order=True)
class Node:
    """One thing in a diagram."""

    subsystem: str
    """Empty for what is outside the program: callers and services of AWS."""
    name: str
    shape: Shape

    @property
    def label(self) -> str:
        """What is written in it: the Pulumi name of its block, its subsystem left out."""
        return self.name.removeprefix(f"{self.subsystem}-")

    @property
    def id(self) -> str:
        """Letters, digits and underscores, which every version of Mermaid takes."""
        return re.sub(r"\W", "_", self.name.lower())


Key = tuple[str, str]
"""The service of an ARN, and the name or id in it."""

SHOWN = {
    "aws:lambda/function:Function": (Shape.FUNCTION, "lambda"),
    "aws:sqs/queue:Queue": (Shape.QUEUE, "sqs"),
    "aws:s3/bucket:Bucket": (Shape.STORE, "s3"),
    "aws:dynamodb/table:Table": (Shape.STORE, "dynamodb"),
    "aws:sns/topic:Topic": (Shape.QUEUE, "sns"),
    "aws:sfn/stateMachine:StateMachine": (Shape.WORKFLOW, "states"),
    "aws:glue/job:Job": (Shape.JOB, "glue"),
    "aws:batch/jobDefinition:JobDefinition": (Shape.JOB, "batch"),
    "aws:apigateway/restApi:RestApi": (Shape.ENTRY, "execute-api"),
    "aws:apigatewayv2/api:Api": (Shape.ENTRY, "execute-api"),
    "aws:bedrock/agentcoreMemory:AgentcoreMemory": (Shape.STORE, "bedrock-agentcore"),
    "aws:ssm/parameter:Parameter": (Shape.STORE, "ssm"),
    "aws:backup/vault:Vault": (Shape.STORE, "backup"),
}
KNOWN_BY_ID = {"execute-api", "bedrock-agentcore"}
"""Services whose ARNs carry the id that AWS gives, never the name."""


def nodes(graph: Graph) -> dict[Key, Node]:
    """Every resource that is shown, by what ARNs call it."""
    return {_key_of(one): node for one, node in _shown(graph)}


def _shown(graph: Graph) -> Iterator[tuple[Resource, Node]]:
    for one in graph.customs():
        block = graph[one.parent]
        if one.type in SHOWN and block.type != DEAD_LETTERS:
            yield one, Node(parse_subsystem(block.name), block.name, SHOWN[one.type][0])


def _key_of(one: Resource) -> Key:
    service = SHOWN[one.type][1]
    if service in KNOWN_BY_ID:
        return service, one.id
    return service, str(one.inputs["bucket" if service == "s3" else "name"]).removeprefix("/")


def key(arn: str) -> Key:
    """What an ARN speaks of: a function without its alias, a table without its index, a bucket without its prefix."""
    service, resource = arn.split(":", 5)[2], arn.split(":", 5)[5]
    match service:
        case "lambda" | "states" | "backup":  # function:NAME:live, execution:NAME:*, backup-vault:NAME
            name = resource.split(":")[1]
        case "dynamodb" | "glue" | "batch" | "bedrock-agentcore" | "ssm" | "iam":  # table/NAME/index/*
            name = re.split("[/:]", resource)[1]
        case _:  # BUCKET/prefix/*, API/stage/route, a queue's or topic's bare name
            name = resource.partition("/")[0]
    return service, name


def roles(graph: Graph) -> dict[str, Node]:
    """Who holds each role, by the role's name: what runs with it, or whom it is for where nothing of ours does."""
    found = {role: node for one, node in _shown(graph) for role in _roles_of(one)}
    for one in graph.customs():
        if one.kind == "Role" and one.inputs["name"] not in found and (outside := _outsider(one, graph)):
            found[one.inputs["name"]] = outside
    return found


def _roles_of(one: Resource) -> Iterator[str]:
    arns = [one.inputs.get("role"), one.inputs.get("roleArn")]
    if one.kind == "JobDefinition":  # what starts its containers is the service's business, what they do is theirs
        arns.append(json.loads(one.inputs["containerProperties"])["jobRoleArn"])
    yield from (arn.partition(":role/")[2] for arn in arns if isinstance(arn, str) and ":role/" in arn)


SERVICES = {
    "mediaconvert.amazonaws.com": Node("", "MediaConvert", Shape.SERVICE),
    "backup.amazonaws.com": Node("", "AWS Backup", Shape.SERVICE),
}


def _outsider(role: Resource, graph: Graph) -> Node | None:
    """Who takes a role that nothing of ours runs with: a service with the data it is given, or a caller."""
    principal = json.loads(role.inputs["assumeRolePolicy"])["Statement"][0]["Principal"]
    if "Service" in principal:
        return SERVICES.get(principal["Service"])
    name = graph[role.parent].name if "Federated" in principal else role.name.removesuffix("-role")
    return Node(parse_subsystem(name), name, Shape.CALLER)
