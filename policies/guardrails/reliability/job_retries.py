"""Batch and Glue jobs: tried again for the right reasons, ended in time, on engines that AWS still mends."""

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
    description="A Batch job is tried again when its capacity is reclaimed, and for nothing else by default.",
    remedy="Set attempts to 2 or more, and end evaluateOnExits with onReason * → EXIT.",
    types={BATCH_JOB},
)
def _check_batch_retries_reclaims(job: CheckedResource) -> Iterator[str]:
    strategy = job.props.get("retryStrategy") or {}
    attempts, rules = float(strategy.get("attempts") or 1), list(strategy.get("evaluateOnExits") or ())
    if attempts < 2:
        yield "It is tried once: reclaimed spare capacity ends it."
    last = rules[-1] if rules else {}
    if attempts > 1 and (last.get("onReason") != "*" or str(last.get("action")).upper() != "EXIT"):
        yield "Its retry rules do not end in onReason * → EXIT: what they do not match is tried again."


@POLICIES.resource(
    "batch-job-bounded",
    severity=PolicySeverity.MEDIUM,
    levels=MANDATORY_EVERYWHERE,
    description="A Batch job ends in time.",
    remedy="Set timeout.attemptDurationSeconds.",
    types={BATCH_JOB},
)
def _check_batch_job_bounded(job: CheckedResource) -> Iterator[str]:
    if not job.get_nested("timeout", "attemptDurationSeconds"):
        yield "It may run for ever: timeout.attemptDurationSeconds is not set."


@POLICIES.resource(
    "glue-engine-supported",
    severity=PolicySeverity.MEDIUM,
    levels=MANDATORY_EVERYWHERE,
    description="Glue jobs run on an engine that AWS supports.",
    remedy="Set glueVersion.",
    frameworks=("AWS FSBP Glue.4",),
    limits=(PolicyLimit("version", 4.0, "The oldest Glue version."),),
    types={GLUE_JOB},
)
def _check_glue_engine_supported(job: CheckedResource) -> Iterator[str]:
    version, least = job.props.get("glueVersion"), job.limits["version"]
    if version is None or float(version) < least:
        yield f"Its glueVersion is {version or 'not set'}, older than {least:g}."
