"""Functions: on arm64, no larger and no longer than agreed, warm only where it is paid knowingly."""

from collections.abc import Iterator

from guardrails.model.related_resources import refers_to_function
from guardrails.model.resource_types import (
    EVENT_SOURCE_MAPPING,
    FUNCTION,
    FUNCTION_ASYNC_CONFIG,
    PROVISIONED_CONCURRENCY,
    REST_STAGE,
    WORKFLOW,
)
from guardrails.pack.policy_kinds import (
    ADVISORY_IN_DEV,
    MANDATORY_EVERYWHERE,
    CheckedResource,
    CheckedStack,
    PolicyGroup,
    PolicyLimit,
    PolicySet,
    PolicySeverity,
)

POLICIES = PolicySet(PolicyGroup.COST)

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
    severity=PolicySeverity.LOW,
    levels=ADVISORY_IN_DEV,
    description="Functions run on arm64.",
    remedy='Set architectures to ["arm64"], and build its layers for it.',
    frameworks=("AWS Well-Architected SUS05-BP02",),
    types={FUNCTION},
)
def _check_function_on_arm64(function: CheckedResource) -> Iterator[str]:
    architectures = list(function.props.get("architectures") or ["x86_64"])
    if architectures != ["arm64"]:
        yield f"It runs on {', '.join(architectures)}, which costs more than arm64 for the same memory and time."


@POLICIES.resource(
    "function-memory-ceiling",
    severity=PolicySeverity.LOW,
    levels=ADVISORY_IN_DEV,
    description="No function has more memory than agreed.",
    remedy="Lower memoryMb, or ask for an exception with a measurement.",
    limits=(PolicyLimit("megabytes", 2048, "The most memory of a function."),),
    types={FUNCTION},
)
def _check_function_memory_ceiling(function: CheckedResource) -> Iterator[str]:
    memory, most = float(function.props.get("memorySize", 128)), function.limits["megabytes"]
    if memory > most:
        yield f"It has {memory:g} MB, more than {most:g}."


@POLICIES.relation(
    "function-timeout-ceiling",
    severity=PolicySeverity.LOW,
    levels=ADVISORY_IN_DEV,
    description="No function runs longer than agreed unless it is called asynchronously, or by a workflow.",
    remedy="Lower timeoutSeconds, or call it asynchronously with a failure destination, or by a workflow.",
    limits=(PolicyLimit("seconds", 300, "The longest run of a function that somebody waits for."),),
    types={FUNCTION},
)
def _check_function_timeout_ceiling(function: CheckedResource, stack: CheckedStack) -> Iterator[str]:
    timeout, most = float(function.props.get("timeout", 3)), stack.limits["seconds"]
    if timeout > most and not _nobody_waits(function, stack):
        yield f"It may run for {timeout:g} seconds, longer than {most:g}, while a caller waits or a queue comes again."


def _nobody_waits(function: CheckedResource, stack: CheckedStack) -> bool:
    """Whether it is called asynchronously, with a failure destination; or by a workflow, which waits and tries again."""
    named = f":function:{function.props.get('name')}:"
    return any(
        refers_to_function(async_config, function) for async_config in stack.list_resources(FUNCTION_ASYNC_CONFIG)
    ) or any(named in str(workflow.props.get("definition")) for workflow in stack.list_resources(WORKFLOW))


@POLICIES.resource(
    "function-provisioned-ceiling",
    severity=PolicySeverity.MEDIUM,
    levels=ADVISORY_IN_DEV,
    description="Few environments are kept warm.",
    remedy="Lower provisionedConcurrency, or use SnapStart.",
    limits=(PolicyLimit("environments", 2, "The most environments that a function keeps warm."),),
    types={PROVISIONED_CONCURRENCY},
)
def _check_function_provisioned_ceiling(concurrency: CheckedResource) -> Iterator[str]:
    count, most = (
        float(concurrency.props.get("provisionedConcurrentExecutions") or 0),
        concurrency.limits["environments"],
    )
    if count > most:
        yield f"It keeps {count:g} environments warm, more than {most:g}, by day and night."


@POLICIES.resource(
    "queue-source-bounded",
    severity=PolicySeverity.MEDIUM,
    levels=ADVISORY_IN_DEV,
    description="A queue starts no more invocations at once than its settings say.",
    remedy="Set scalingConfig.maximumConcurrency.",
    types={EVENT_SOURCE_MAPPING},
)
def _check_queue_source_bounded(mapping: CheckedResource) -> Iterator[str]:
    if ":sqs:" in str(mapping.props.get("eventSourceArn")) and not mapping.get_nested(
        "scalingConfig", "maximumConcurrency"
    ):
        yield "Its queue may start as many invocations as the account has: maximumConcurrency is not set."


@POLICIES.resource(
    "no-always-on-service",
    severity=PolicySeverity.HIGH,
    levels=MANDATORY_EVERYWHERE,
    description="No EC2 instances, databases, clusters or other services that are paid while idle.",
    remedy="Use what is paid by use (Lambda, DynamoDB, SQS, Batch on Fargate), or ask for an exception.",
    types=ALWAYS_ON_TYPES,
)
def _check_no_always_on_service(resource: CheckedResource) -> Iterator[str]:
    yield f"{resource.type} is paid by the hour, used or not."


@POLICIES.resource(
    "rest-api-no-cache-cluster",
    severity=PolicySeverity.MEDIUM,
    levels=ADVISORY_IN_DEV,
    description="REST stages have no cache cluster, which is paid by the hour.",
    remedy="Leave cacheClusterEnabled off; let clients cache.",
    types={REST_STAGE},
)
def _check_rest_api_no_cache_cluster(stage: CheckedResource) -> Iterator[str]:
    if stage.props.get("cacheClusterEnabled"):
        yield f"It has a cache cluster of {stage.props.get('cacheClusterSize', '?')} GB, paid by the hour."
