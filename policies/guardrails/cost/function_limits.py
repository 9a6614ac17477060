"""Guardrail policies about the cost of Lambda functions: architecture, memory, timeout, provisioned and maximum
concurrency.
"""

from collections.abc import Iterator

from guardrails.model.related_resources import refers_to_function
from guardrails.model.resource_types import (
    EVENT_SOURCE_MAPPING,
    FUNCTION,
    FUNCTION_ASYNC_CONFIG,
    PROVISIONED_CONCURRENCY,
    WORKFLOW,
)
from guardrails.pack.policy_kinds import (
    ADVISORY_IN_DEV,
    CheckedResource,
    CheckedStack,
    PolicyGroup,
    PolicyLimit,
    PolicySet,
    PolicySeverity,
)

POLICIES = PolicySet(PolicyGroup.COST)


@POLICIES.resource(
    "function-on-arm64",
    severity=PolicySeverity.LOW,
    levels=ADVISORY_IN_DEV,
    description="Functions run on arm64.",
    remedy='Set architectures to ["arm64"], and build the function\'s layers for arm64.',
    frameworks=("AWS Well-Architected SUS05-BP02",),
    types={FUNCTION},
)
def _check_function_on_arm64(function: CheckedResource) -> Iterator[str]:
    architectures = list(function.props.get("architectures") or ["x86_64"])
    if architectures != ["arm64"]:
        yield f"architectures is {', '.join(architectures)}, which costs more than arm64 for the same memory and time."


@POLICIES.resource(
    "function-memory-ceiling",
    severity=PolicySeverity.LOW,
    levels=ADVISORY_IN_DEV,
    description="No function has more memory than the limit.",
    remedy="Lower the function's setting memoryMb, or add an exception with a measurement as its reason.",
    limits=(PolicyLimit("megabytes", 2048, "Maximum memory of a function in MB."),),
    types={FUNCTION},
)
def _check_function_memory_ceiling(function: CheckedResource) -> Iterator[str]:
    memory, max_megabytes = float(function.props.get("memorySize", 128)), function.limits["megabytes"]
    if memory > max_megabytes:
        yield f"memorySize is {memory:g} MB; at most {max_megabytes:g} MB are allowed."


@POLICIES.resource_in_stack(
    "function-timeout-ceiling",
    severity=PolicySeverity.LOW,
    levels=ADVISORY_IN_DEV,
    description="No function has a timeout above the limit, unless it is called asynchronously or by a workflow.",
    remedy=(
        "Lower the function's setting timeoutSeconds, or call the function from a workflow, or asynchronously with a "
        "failure destination."
    ),
    limits=(PolicyLimit("seconds", 300, "Maximum timeout in seconds of a function that is called synchronously."),),
    types={FUNCTION},
)
def _check_function_timeout_ceiling(function: CheckedResource, stack: CheckedStack) -> Iterator[str]:
    timeout, max_seconds = float(function.props.get("timeout", 3)), stack.limits["seconds"]
    if timeout > max_seconds and not _has_no_synchronous_caller(function, stack):
        yield f"timeout is {timeout:g} seconds; at most {max_seconds:g} are allowed, because the caller waits."


def _has_no_synchronous_caller(function: CheckedResource, stack: CheckedStack) -> bool:
    """Return True if no user waits for the function, because the function has an asynchronous configuration or a
    workflow calls it. A workflow waits as long as its task allows.
    """
    function_name = f":function:{function.props.get('name')}:"
    return any(
        refers_to_function(async_config, function) for async_config in stack.list_resources(FUNCTION_ASYNC_CONFIG)
    ) or any(function_name in str(workflow.props.get("definition")) for workflow in stack.list_resources(WORKFLOW))


@POLICIES.resource(
    "function-provisioned-ceiling",
    severity=PolicySeverity.MEDIUM,
    levels=ADVISORY_IN_DEV,
    description="The provisioned concurrency of a function is within the limit.",
    remedy="Lower the function's setting provisionedConcurrency, or use SnapStart.",
    limits=(PolicyLimit("environments", 2, "Maximum number of environments that a function keeps initialized."),),
    types={PROVISIONED_CONCURRENCY},
)
def _check_function_provisioned_ceiling(concurrency: CheckedResource) -> Iterator[str]:
    count = float(concurrency.props.get("provisionedConcurrentExecutions") or 0)
    max_environments = concurrency.limits["environments"]
    if count > max_environments:
        yield f"provisionedConcurrentExecutions is {count:g}; at most {max_environments:g} environments are allowed."


@POLICIES.resource(
    "queue-source-bounded",
    severity=PolicySeverity.MEDIUM,
    levels=ADVISORY_IN_DEV,
    description="Every event source mapping of a queue limits the concurrent invocations of the function.",
    remedy="Set scalingConfig.maximumConcurrency.",
    types={EVENT_SOURCE_MAPPING},
)
def _check_queue_source_bounded(mapping: CheckedResource) -> Iterator[str]:
    if ":sqs:" in str(mapping.props.get("eventSourceArn")) and not mapping.get_nested(
        "scalingConfig", "maximumConcurrency"
    ):
        yield "scalingConfig.maximumConcurrency is not set, so the queue can use the concurrency of the whole account."
