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
    PolicySet,
    PolicySeverity,
)

POLICIES = PolicySet(PolicyGroup.COST)

MAX_MEGABYTES = 2048
"""Maximum memory of a function."""
MAX_SYNCHRONOUS_SECONDS = 300
"""Maximum timeout of a function that is called synchronously."""
MAX_PROVISIONED_ENVIRONMENTS = 2
"""Maximum number of environments that a function keeps initialized."""


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
    description=f"No function has more than {MAX_MEGABYTES} MB of memory.",
    remedy="Lower the function's setting memoryMb, or add an exception with a measurement as its reason.",
    types={FUNCTION},
)
def _check_function_memory_ceiling(function: CheckedResource) -> Iterator[str]:
    memory = float(function.props.get("memorySize", 128))
    if memory > MAX_MEGABYTES:
        yield f"memorySize is {memory:g} MB; at most {MAX_MEGABYTES} MB are allowed."


@POLICIES.resource_in_stack(
    "function-timeout-ceiling",
    severity=PolicySeverity.LOW,
    levels=ADVISORY_IN_DEV,
    description=(
        f"No function has a timeout above {MAX_SYNCHRONOUS_SECONDS} seconds, unless it is called asynchronously or by a "
        "workflow."
    ),
    remedy=(
        "Lower the function's setting timeoutSeconds, or call the function from a workflow, or asynchronously with a "
        "failure destination."
    ),
    types={FUNCTION},
)
def _check_function_timeout_ceiling(function: CheckedResource, stack: CheckedStack) -> Iterator[str]:
    timeout = float(function.props.get("timeout", 3))
    if timeout > MAX_SYNCHRONOUS_SECONDS and not _has_no_synchronous_caller(function, stack):
        yield f"timeout is {timeout:g} seconds; at most {MAX_SYNCHRONOUS_SECONDS} are allowed, because the caller waits."


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
    description=f"The provisioned concurrency of a function is at most {MAX_PROVISIONED_ENVIRONMENTS}.",
    remedy="Lower the function's setting provisionedConcurrency, or use SnapStart.",
    types={PROVISIONED_CONCURRENCY},
)
def _check_function_provisioned_ceiling(concurrency: CheckedResource) -> Iterator[str]:
    count = float(concurrency.props.get("provisionedConcurrentExecutions") or 0)
    if count > MAX_PROVISIONED_ENVIRONMENTS:
        yield (
            f"provisionedConcurrentExecutions is {count:g}; at most {MAX_PROVISIONED_ENVIRONMENTS} environments are "
            "allowed."
        )


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
