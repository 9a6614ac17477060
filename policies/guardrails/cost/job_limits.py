"""Guardrail policies about the cost of Glue and Batch jobs: workers, timeouts, concurrency, processors and Spot
capacity.
"""

from collections.abc import Iterator

from guardrails.model.resource_types import BATCH_ENVIRONMENT, BATCH_QUEUE, GLUE_JOB
from guardrails.pack.policy_kinds import (
    ADVISORY_BEFORE_PROD,
    ADVISORY_IN_DEV,
    MANDATORY_EVERYWHERE,
    CheckedResource,
    CheckedStack,
    PolicyGroup,
    PolicySet,
    PolicySeverity,
)

POLICIES = PolicySet(PolicyGroup.COST)

STREAMING = "gluestreaming"
"""Command name of a Glue streaming job."""
QUARTER_WORKER = "G.025X"
"""Worker type of Glue with a quarter of a DPU, for streaming jobs only."""
SMALL_WORKERS = ("G.1X", "G.2X")
"""Worker types of Glue with one and two DPU."""
SPOT = ("FARGATE_SPOT", "SPOT")
"""Capacity types of Batch that use Spot capacity."""
MAX_WORKERS = 10
"""Maximum number of workers of a Glue job."""
MAX_GLUE_MINUTES = 60
"""Maximum timeout of a Glue job."""
MAX_CONCURRENT_RUNS = 50
"""Maximum number of concurrent runs of a Glue job. The account's default quota is about 50."""
MAX_VCPUS = 16
"""Maximum number of vCPUs of a compute environment."""


def _is_spark_job(job: CheckedResource) -> bool:
    return bool(job.get_nested("command", "name") != "pythonshell")


@POLICIES.resource(
    "glue-worker-ceiling",
    severity=PolicySeverity.MEDIUM,
    levels=ADVISORY_IN_DEV,
    description=f"Spark jobs set a small worker type, and at most {MAX_WORKERS} workers.",
    remedy="Set workerType to G.1X or G.2X, and numberOfWorkers, or add an exception with a measurement as its reason.",
    types={GLUE_JOB},
)
def _check_glue_worker_ceiling(job: CheckedResource) -> Iterator[str]:
    if not _is_spark_job(job):
        return
    worker_type, count = job.props.get("workerType"), job.props.get("numberOfWorkers")
    if worker_type not in (*SMALL_WORKERS, QUARTER_WORKER):
        yield f"workerType is {worker_type or 'not set'}; {', '.join(SMALL_WORKERS)} are allowed."
    if count is None:
        yield f"numberOfWorkers is not set; at most {MAX_WORKERS} are allowed."
    elif float(count) > MAX_WORKERS:
        yield f"numberOfWorkers is {count:g}; at most {MAX_WORKERS} are allowed."


@POLICIES.resource(
    "glue-no-quarter-worker",
    severity=PolicySeverity.HIGH,
    levels=MANDATORY_EVERYWHERE,
    description="Only streaming jobs use G.025X workers, because Glue refuses them for ETL jobs.",
    remedy="Set workerType to G.1X. To save cost, use fewer workers or the execution class FLEX.",
    types={GLUE_JOB},
)
def _check_glue_no_quarter_worker(job: CheckedResource) -> Iterator[str]:
    if job.props.get("workerType") == QUARTER_WORKER and job.get_nested("command", "name") != STREAMING:
        yield f"workerType is {QUARTER_WORKER}. Glue accepts it only for streaming jobs, so every run would fail."


@POLICIES.resource(
    "glue-timeout-ceiling",
    severity=PolicySeverity.MEDIUM,
    levels=ADVISORY_IN_DEV,
    description=f"A Glue job has a timeout of at most {MAX_GLUE_MINUTES} minutes.",
    remedy="Set timeout, in minutes.",
    types={GLUE_JOB},
)
def _check_glue_timeout_ceiling(job: CheckedResource) -> Iterator[str]:
    minutes = job.props.get("timeout")
    if minutes is None:
        yield f"timeout is not set, and Glue's default is hours; at most {MAX_GLUE_MINUTES} minutes are allowed."
    elif float(minutes) > MAX_GLUE_MINUTES:
        yield f"timeout is {minutes:g} minutes; at most {MAX_GLUE_MINUTES} minutes are allowed."


@POLICIES.resource(
    "glue-concurrency-set",
    severity=PolicySeverity.MEDIUM,
    levels=ADVISORY_IN_DEV,
    description=f"A Glue job sets its maximum number of concurrent runs, to at most {MAX_CONCURRENT_RUNS}.",
    remedy="Set executionProperty.maxConcurrentRuns.",
    types={GLUE_JOB},
)
def _check_glue_concurrency_set(job: CheckedResource) -> Iterator[str]:
    runs = job.get_nested("executionProperty", "maxConcurrentRuns")
    if runs is None:
        yield "executionProperty.maxConcurrentRuns is not set. Its default is 1, so Glue refuses a second concurrent run."
    elif float(runs) > MAX_CONCURRENT_RUNS:
        yield f"executionProperty.maxConcurrentRuns is {runs:g}; at most {MAX_CONCURRENT_RUNS} are allowed."


@POLICIES.resource(
    "glue-flex-before-prod",
    severity=PolicySeverity.LOW,
    levels=ADVISORY_BEFORE_PROD,
    description="In dev and staging, Spark jobs use the execution class FLEX, because no user waits for their results.",
    remedy="Set executionClass to FLEX.",
    types={GLUE_JOB},
)
def _check_glue_flex_before_prod(job: CheckedResource) -> Iterator[str]:
    if (
        _is_spark_job(job)
        and job.get_nested("command", "name") != STREAMING
        and job.props.get("executionClass") != "FLEX"
    ):
        yield f"executionClass is {job.props.get('executionClass', 'STANDARD')}. FLEX costs less, but may start later."


def _get_capacity_type(environment: CheckedResource) -> str:
    return str(environment.get_nested("computeResources", "type") or environment.props.get("type"))


@POLICIES.resource_in_stack(
    "batch-spot-first",
    severity=PolicySeverity.MEDIUM,
    levels=ADVISORY_IN_DEV,
    description="Every Batch queue uses Spot capacity first, unless another queue of the stack does so.",
    remedy="Add a queue on FARGATE_SPOT, and submit jobs to it first.",
    frameworks=("AWS Well-Architected COST07-BP01",),
    types={BATCH_QUEUE},
)
def _check_batch_spot_first(queue: CheckedResource, stack: CheckedStack) -> Iterator[str]:
    """Yield a violation if no queue of the stack has Spot capacity in its first compute environment. A queue without
    Spot capacity is allowed as the fallback of a queue with Spot capacity. The fallback must be a separate queue,
    because Batch always uses the first Fargate environment of a queue.
    """
    first = _find_first_environment(queue, stack)
    if first is None or _get_capacity_type(first) in SPOT:
        return
    others = [
        _find_first_environment(resource, stack)
        for resource in stack.list_resources(BATCH_QUEUE)
        if resource.urn != queue.urn
    ]
    if not any(environment is not None and _get_capacity_type(environment) in SPOT for environment in others):
        yield f"The queue's jobs run only on {_get_capacity_type(first)}, and no other queue has Spot capacity."


def _find_first_environment(queue: CheckedResource, stack: CheckedStack) -> CheckedResource | None:
    """Return the compute environment that a queue uses first, or None if it is not a resource of this stack."""
    environments = stack.list_resources(BATCH_ENVIRONMENT)
    referred = [
        environment
        for environment in environments
        if environment in queue.references.get("computeEnvironmentOrders", ())
    ]
    orders = sorted(queue.props.get("computeEnvironmentOrders") or (), key=lambda order: float(order["order"]))
    # A single referenced environment is the answer. Otherwise, the ARNs decide, which can be unknown in a preview.
    if len(referred) == 1 or not orders:
        return referred[0] if referred else None
    arn = str(orders[0]["computeEnvironment"])
    return next(
        (environment for environment in environments if arn.endswith(f"/{environment.props.get('name')}")), None
    )


@POLICIES.resource(
    "batch-vcpu-ceiling",
    severity=PolicySeverity.MEDIUM,
    levels=ADVISORY_IN_DEV,
    description=f"The maximum number of vCPUs of a compute environment is at most {MAX_VCPUS}.",
    remedy="Lower computeResources.maxVcpus.",
    types={BATCH_ENVIRONMENT},
)
def _check_batch_vcpu_ceiling(environment: CheckedResource) -> Iterator[str]:
    cpus = environment.get_nested("computeResources", "maxVcpus")
    if cpus is not None and float(cpus) > MAX_VCPUS:
        yield f"computeResources.maxVcpus is {cpus:g} vCPUs; at most {MAX_VCPUS} are allowed."
