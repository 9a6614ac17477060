"""Batch and Glue jobs: tried again for the right reasons, ended in time, on engines that AWS still mends."""

from collections.abc import Iterator

from guardrails.model.resource_types import BATCH_JOB, GLUE_JOB
from guardrails.pack.policy_kinds import ALWAYS, Group, Judged, Limit, PolicySet, Severity

POLICIES = PolicySet(Group.RELIABILITY)


@POLICIES.resource(
    "batch-retries-reclaims",
    severity=Severity.MEDIUM,
    levels=ALWAYS,
    description="A Batch job is tried again when its capacity is reclaimed, and for nothing else by default.",
    remedy="Set attempts to 2 or more, and end evaluateOnExits with onReason * → EXIT.",
    types={BATCH_JOB},
)
def _retried_wrongly(one: Judged) -> Iterator[str]:
    strategy = one.props.get("retryStrategy") or {}
    attempts, rules = float(strategy.get("attempts") or 1), list(strategy.get("evaluateOnExits") or ())
    if attempts < 2:
        yield "It is tried once: reclaimed spare capacity ends it."
    last = rules[-1] if rules else {}
    if attempts > 1 and (last.get("onReason") != "*" or str(last.get("action")).upper() != "EXIT"):
        yield "Its retry rules do not end in onReason * → EXIT: what they do not match is tried again."


@POLICIES.resource(
    "batch-job-bounded",
    severity=Severity.MEDIUM,
    levels=ALWAYS,
    description="A Batch job ends in time.",
    remedy="Set timeout.attemptDurationSeconds.",
    types={BATCH_JOB},
)
def _unbounded(one: Judged) -> Iterator[str]:
    if not one.at("timeout", "attemptDurationSeconds"):
        yield "It may run for ever: timeout.attemptDurationSeconds is not set."


@POLICIES.resource(
    "glue-engine-supported",
    severity=Severity.MEDIUM,
    levels=ALWAYS,
    description="Glue jobs run on an engine that AWS supports.",
    remedy="Set glueVersion.",
    frameworks=("AWS FSBP Glue.4",),
    limits=(Limit("version", 4.0, "The oldest Glue version."),),
    types={GLUE_JOB},
)
def _old_engine(one: Judged) -> Iterator[str]:
    version, least = one.props.get("glueVersion"), one.limits["version"]
    if version is None or float(version) < least:
        yield f"Its glueVersion is {version or 'not set'}, older than {least:g}."
