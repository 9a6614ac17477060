"""Functions: on arm64, no larger and no longer than agreed, warm only where it is paid knowingly."""

from collections.abc import Iterator

from guardrails.model.related_resources import concerns
from guardrails.model.resource_types import (
    FUNCTION,
    FUNCTION_ASYNC,
    FUNCTION_PROVISIONED,
    FUNCTION_SOURCE,
    REST_STAGE,
    WORKFLOW,
)
from guardrails.pack.policy_kinds import ALWAYS, NOT_IN_DEV, Group, Judged, Limit, PolicySet, Severity, Stack

POLICIES = PolicySet(Group.COST)

ALWAYS_ON = (
    "docdb",
    "elasticache",
    "elasticsearch",
    "eks",
    "emr",
    "fsx",
    "kendra",
    "lightsail",
    "memorydb",
    "mq",
    "msk",
    "mwaa",
    "neptune",
    "opensearch",
    "rds",
    "redshift",
    "sagemaker",
)
"""Modules of services that are paid by the hour whether they are used or not."""
ALWAYS_ON_TYPES = frozenset(
    {
        "aws:alb/loadBalancer:LoadBalancer",
        "aws:ec2/fleet:Fleet",
        "aws:ec2/instance:Instance",
        "aws:ec2/launchTemplate:LaunchTemplate",
        "aws:ec2/spotFleetRequest:SpotFleetRequest",
        "aws:ec2/spotInstanceRequest:SpotInstanceRequest",
        "aws:bedrock/provisionedModelThroughput:ProvisionedModelThroughput",
        "aws:ecs/service:Service",
        "aws:elb/loadBalancer:LoadBalancer",
        "aws:lb/loadBalancer:LoadBalancer",
        *(f"aws:{module}/" for module in ALWAYS_ON),
    }
)


@POLICIES.resource(
    "function-on-arm64",
    severity=Severity.LOW,
    levels=NOT_IN_DEV,
    description="Functions run on arm64.",
    remedy='Set architectures to ["arm64"], and build its layers for it.',
    frameworks=("AWS Well-Architected SUS05-BP02",),
    types={FUNCTION},
)
def _x86(one: Judged) -> Iterator[str]:
    architectures = list(one.props.get("architectures") or ["x86_64"])
    if architectures != ["arm64"]:
        yield f"It runs on {', '.join(architectures)}, which costs more than arm64 for the same memory and time."


@POLICIES.resource(
    "function-memory-ceiling",
    severity=Severity.LOW,
    levels=NOT_IN_DEV,
    description="No function has more memory than agreed.",
    remedy="Lower memoryMb, or ask for an exception with a measurement.",
    limits=(Limit("megabytes", 2048, "The most memory of a function."),),
    types={FUNCTION},
)
def _large(one: Judged) -> Iterator[str]:
    memory, most = float(one.props.get("memorySize", 128)), one.limits["megabytes"]
    if memory > most:
        yield f"It has {memory:g} MB, more than {most:g}."


@POLICIES.relation(
    "function-timeout-ceiling",
    severity=Severity.LOW,
    levels=NOT_IN_DEV,
    description="No function runs longer than agreed unless it is called asynchronously, or by a workflow.",
    remedy="Lower timeoutSeconds, or call it asynchronously with a failure destination, or by a workflow.",
    limits=(Limit("seconds", 300, "The longest run of a function that somebody waits for."),),
    types={FUNCTION},
)
def _long(one: Judged, stack: Stack) -> Iterator[str]:
    timeout, most = float(one.props.get("timeout", 3)), stack.limits["seconds"]
    if timeout > most and not _nobody_waits(one, stack):
        yield f"It may run for {timeout:g} seconds, longer than {most:g}, while a caller waits or a queue comes again."


def _nobody_waits(function: Judged, stack: Stack) -> bool:
    """Whether it is called asynchronously, with a failure destination; or by a workflow, which waits and tries again."""
    named = f":function:{function.props.get('name')}:"
    return any(concerns(one, function) for one in stack.of(FUNCTION_ASYNC)) or any(
        named in str(one.props.get("definition")) for one in stack.of(WORKFLOW)
    )


@POLICIES.resource(
    "function-provisioned-ceiling",
    severity=Severity.MEDIUM,
    levels=NOT_IN_DEV,
    description="Few environments are kept warm.",
    remedy="Lower provisionedConcurrency, or use SnapStart.",
    limits=(Limit("environments", 2, "The most environments that a function keeps warm."),),
    types={FUNCTION_PROVISIONED},
)
def _warm(one: Judged) -> Iterator[str]:
    count, most = float(one.props.get("provisionedConcurrentExecutions") or 0), one.limits["environments"]
    if count > most:
        yield f"It keeps {count:g} environments warm, more than {most:g}, by day and night."


@POLICIES.resource(
    "queue-source-bounded",
    severity=Severity.MEDIUM,
    levels=NOT_IN_DEV,
    description="A queue starts no more invocations at once than its settings say.",
    remedy="Set scalingConfig.maximumConcurrency.",
    types={FUNCTION_SOURCE},
)
def _unbounded_source(one: Judged) -> Iterator[str]:
    if ":sqs:" in str(one.props.get("eventSourceArn")) and not one.at("scalingConfig", "maximumConcurrency"):
        yield "Its queue may start as many invocations as the account has: maximumConcurrency is not set."


@POLICIES.resource(
    "no-always-on-service",
    severity=Severity.HIGH,
    levels=ALWAYS,
    description="No EC2 instances, databases, clusters or other services that are paid while idle.",
    remedy="Use what is paid by use (Lambda, DynamoDB, SQS, Batch on Fargate), or ask for an exception.",
    types=ALWAYS_ON_TYPES,
)
def _always_on(one: Judged) -> Iterator[str]:
    yield f"{one.type} is paid by the hour, used or not."


@POLICIES.resource(
    "rest-api-no-cache-cluster",
    severity=Severity.MEDIUM,
    levels=NOT_IN_DEV,
    description="REST stages have no cache cluster, which is paid by the hour.",
    remedy="Leave cacheClusterEnabled off; let clients cache.",
    types={REST_STAGE},
)
def _cached(one: Judged) -> Iterator[str]:
    if one.props.get("cacheClusterEnabled"):
        yield f"It has a cache cluster of {one.props.get('cacheClusterSize', '?')} GB, paid by the hour."
