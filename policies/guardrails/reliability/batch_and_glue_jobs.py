"""Guardrail policies about Batch and Glue jobs: retries, timeouts and supported engine versions."""

from collections.abc import Iterator

from guardrails.model.resource_types import BATCH_JOB, GLUE_JOB
from guardrails.pack.policy_kinds import (
    MANDATORY_EVERYWHERE,
    CheckedResource,
    PolicyGroup,
    PolicyLimit,
    PolicySet,
    PolicySeverity,
)

POLICIES = PolicySet(PolicyGroup.RELIABILITY)


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
    description="Glue jobs use a supported Glue version.",
    remedy="Set glueVersion to a supported version.",
    frameworks=("AWS FSBP Glue.4",),
    limits=(PolicyLimit("version", 4.0, "Minimum Glue version."),),
    types={GLUE_JOB},
)
def _check_glue_engine_supported(job: CheckedResource) -> Iterator[str]:
    version, min_version = job.props.get("glueVersion"), job.limits["version"]
    if version is None or float(version) < min_version:
        yield f"glueVersion is {version or 'not set'}; at least {min_version:g} is required."
