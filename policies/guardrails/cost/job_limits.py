"""Glue and Batch: worker types, counts, time and concurrency within what was agreed; spare capacity first."""

from collections.abc import Iterator

from guardrails.model.resource_types import BATCH_ENVIRONMENT, BATCH_QUEUE, GLUE_JOB
from guardrails.pack.policy_kinds import (
    ADVISORY_BEFORE_PROD,
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

STREAMING = "gluestreaming"
QUARTER = "G.025X"
SMALL_WORKERS = ("G.1X", "G.2X")
SPOT = ("FARGATE_SPOT", "SPOT")


def _spark(job: CheckedResource) -> bool:
    return bool(job.get_nested("command", "name") != "pythonshell")


@POLICIES.resource(
    "glue-worker-ceiling",
    severity=PolicySeverity.MEDIUM,
    levels=ADVISORY_IN_DEV,
    description="Spark jobs run on few, small workers, and say how many.",
    remedy="Set workerType G.1X or G.2X and numberOfWorkers, or ask for an exception with a measurement.",
    limits=(PolicyLimit("workers", 10, "The most workers of a job."),),
    types={GLUE_JOB},
)
def _check_glue_worker_ceiling(job: CheckedResource) -> Iterator[str]:
    if not _spark(job):
        return
    kind, count, most = job.props.get("workerType"), job.props.get("numberOfWorkers"), job.limits["workers"]
    if kind not in (*SMALL_WORKERS, QUARTER):
        yield f"Its workerType is {kind or 'not set'}."
    if count is None:
        yield f"It does not set numberOfWorkers; at most {most:g} are agreed."
    elif float(count) > most:
        yield f"It has {count:g} workers; at most {most:g} are agreed."


@POLICIES.resource(
    "glue-no-quarter-worker",
    severity=PolicySeverity.HIGH,
    levels=MANDATORY_EVERYWHERE,
    description="G.025X workers are for streaming jobs only: an ETL job cannot run on them.",
    remedy="Set workerType G.1X; fewer workers or FLEX save what G.025X promised.",
    types={GLUE_JOB},
)
def _check_glue_no_quarter_worker(job: CheckedResource) -> Iterator[str]:
    if job.props.get("workerType") == QUARTER and job.get_nested("command", "name") != STREAMING:
        yield f"Its workerType is {QUARTER}, which Glue accepts for streaming jobs only: the first run would fail."


@POLICIES.resource(
    "glue-timeout-ceiling",
    severity=PolicySeverity.MEDIUM,
    levels=ADVISORY_IN_DEV,
    description="A Glue job ends by itself when it takes far longer than it should.",
    remedy="Set timeout, in minutes.",
    limits=(PolicyLimit("minutes", 60, "The longest run of a job."),),
    types={GLUE_JOB},
)
def _check_glue_timeout_ceiling(job: CheckedResource) -> Iterator[str]:
    minutes, most = job.props.get("timeout"), job.limits["minutes"]
    if minutes is None:
        yield f"It may run for hours, Glue's default; at most {most:g} minutes are agreed."
    elif float(minutes) > most:
        yield f"It may run for {minutes:g} minutes; at most {most:g} are agreed."


@POLICIES.resource(
    "glue-concurrency-set",
    severity=PolicySeverity.MEDIUM,
    levels=ADVISORY_IN_DEV,
    description="A Glue job says how often it may run at once, within the account's quota.",
    remedy="Set executionProperty.maxConcurrentRuns.",
    limits=(PolicyLimit("runs", 50, "The most runs at once; accounts allow about 50."),),
    types={GLUE_JOB},
)
def _check_glue_concurrency_set(job: CheckedResource) -> Iterator[str]:
    runs, most = job.get_nested("executionProperty", "maxConcurrentRuns"), job.limits["runs"]
    if runs is None:
        yield "It does not set maxConcurrentRuns, which then is 1: the second run at once is refused."
    elif float(runs) > most:
        yield f"It may run {runs:g} times at once, more than {most:g}."


@POLICIES.resource(
    "glue-flex-before-prod",
    severity=PolicySeverity.LOW,
    levels=ADVISORY_BEFORE_PROD,
    description="Outside prod, where nobody waits, Spark jobs run on spare capacity.",
    remedy="Set executionClass FLEX.",
    types={GLUE_JOB},
)
def _check_glue_flex_before_prod(job: CheckedResource) -> Iterator[str]:
    if _spark(job) and job.get_nested("command", "name") != STREAMING and job.props.get("executionClass") != "FLEX":
        yield (
            f"Its executionClass is {job.props.get('executionClass', 'STANDARD')}: FLEX is cheaper where nobody waits."
        )


def _kind(environment: CheckedResource) -> str:
    return str(environment.get_nested("computeResources", "type") or environment.props.get("type"))


@POLICIES.relation(
    "batch-spot-first",
    severity=PolicySeverity.MEDIUM,
    levels=ADVISORY_IN_DEV,
    description="Batch jobs have a queue on spare capacity; on-demand is what they fall back to.",
    remedy="Add a queue on FARGATE_SPOT and submit to it first.",
    frameworks=("AWS Well-Architected COST07-BP01",),
    types={BATCH_QUEUE},
)
def _check_batch_spot_first(queue: CheckedResource, stack: CheckedStack) -> Iterator[str]:
    """The first environment of a queue is spare capacity, or another queue of the stack offers it (Fargate's two
    kinds cannot both stand in one queue's order without the first always winning).
    """
    first = _first_environment(queue, stack)
    if first is None or _kind(first) in SPOT:
        return
    others = [
        _first_environment(resource, stack)
        for resource in stack.list_resources(BATCH_QUEUE)
        if resource.urn != queue.urn
    ]
    if not any(environment is not None and _kind(environment) in SPOT for environment in others):
        yield f"Its jobs run on {_kind(first)} only, never on spare capacity, which is cheaper."


def _first_environment(queue: CheckedResource, stack: CheckedStack) -> CheckedResource | None:
    environments = stack.list_resources(BATCH_ENVIRONMENT)
    referred = [
        environment
        for environment in environments
        if environment in queue.references.get("computeEnvironmentOrders", ())
    ]
    orders = sorted(queue.props.get("computeEnvironmentOrders") or (), key=lambda order: float(order["order"]))
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
    description="A compute environment cannot grow without end.",
    remedy="Lower maxVcpus.",
    limits=(PolicyLimit("vcpus", 16, "The most processors of an environment."),),
    types={BATCH_ENVIRONMENT},
)
def _check_batch_vcpu_ceiling(environment: CheckedResource) -> Iterator[str]:
    cpus, most = environment.get_nested("computeResources", "maxVcpus"), environment.limits["vcpus"]
    if cpus is not None and float(cpus) > most:
        yield f"It may use {cpus:g} processors at once, more than {most:g}."
