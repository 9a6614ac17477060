"""Guardrail policies about Batch and Glue jobs: retries, timeouts and supported engine versions."""

from collections.abc import Iterator

from guardrails.model.resource_types import BATCH_JOB, GLUE_JOB
from guardrails.pack.policy_kinds import (
    MANDATORY_EVERYWHERE,
    CheckedResource,
    PolicyGroup,
    PolicySet,
    PolicySeverity,
)

POLICIES = PolicySet(PolicyGroup.RELIABILITY)

MIN_GLUE_VERSION = 4.0


@POLICIES.resource(
    "batch-retries-reclaims",
    severity=PolicySeverity.MEDIUM,
    levels=MANDATORY_EVERYWHERE,
    description="A Batch job is retried if AWS reclaims its Spot capacity. Other failures end it, unless a rule retries them.",
    remedy="Set retryStrategy.attempts to 2 or more, and end evaluateOnExits with onReason * → EXIT.",
    types={BATCH_JOB},
)
def _check_batch_retries_reclaims(job: CheckedResource) -> Iterator[str]:
    strategy = job.props.get("retryStrategy") or {}
    attempts, rules = float(strategy.get("attempts") or 1), list(strategy.get("evaluateOnExits") or ())
    if attempts < 2:
        yield "retryStrategy.attempts is 1, so the job fails if AWS reclaims its Spot capacity."
    last = rules[-1] if rules else {}
    if attempts > 1 and (last.get("onReason") != "*" or str(last.get("action")).upper() != "EXIT"):
        yield "retryStrategy.evaluateOnExits does not end with onReason * → EXIT, so other failures are retried too."


@POLICIES.resource(
    "batch-job-bounded",
    severity=PolicySeverity.MEDIUM,
    levels=MANDATORY_EVERYWHERE,
    description="Every Batch job has a timeout.",
    remedy="Set timeout.attemptDurationSeconds.",
    types={BATCH_JOB},
)
def _check_batch_job_bounded(job: CheckedResource) -> Iterator[str]:
    if not job.get_nested("timeout", "attemptDurationSeconds"):
        yield "timeout.attemptDurationSeconds is not set, so the job can run without end."


@POLICIES.resource(
    "glue-engine-supported",
    severity=PolicySeverity.MEDIUM,
    levels=MANDATORY_EVERYWHERE,
    description=f"Glue jobs use Glue {MIN_GLUE_VERSION:g} or newer.",
    remedy=f"Set glueVersion to {MIN_GLUE_VERSION} or newer.",
    frameworks=("AWS FSBP Glue.4",),
    types={GLUE_JOB},
)
def _check_glue_engine_supported(job: CheckedResource) -> Iterator[str]:
    version = job.props.get("glueVersion")
    if version is None or float(version) < MIN_GLUE_VERSION:
        yield f"glueVersion is {version or 'not set'}; at least {MIN_GLUE_VERSION:g} is required."
