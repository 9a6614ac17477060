"""Cost: what a stack is estimated to cost a month, and settings that would make it grow without end."""

from collections.abc import Iterator

from pulumi_policy.proxy import UnknownValueError

from guardrails.pricing.estimate import CostReport, Priced, estimate
from guardrails.record import (
    ALWAYS,
    NEVER_BLOCKS,
    NOT_IN_DEV,
    Finding,
    Group,
    Judged,
    ResourcePolicy,
    Severity,
    StackPolicy,
)
from guardrails.waivers import PLATFORM


def _logs_expire(one: Judged) -> Iterator[str]:
    if not one.props.get("retentionInDays"):
        yield "It keeps its logs for ever."


def _report(resources: list[Judged], platform: Judged) -> CostReport:
    return estimate((_priced(one) for one in resources), platform.props["usage"])


def _priced(one: Judged) -> Priced:
    """A resource with its known properties: one unknown value must not skip the whole estimate."""
    known = {}
    for key in one.props:
        try:
            known[key] = one.props[key]
        except UnknownValueError:
            continue
    block = one.parent.name if one.parent else one.name
    return Priced(one.type, one.name, block, block.partition("-")[0], known)


def _estimate(resources: list[Judged]) -> Iterator[Finding]:
    for platform in (one for one in resources if one.type == PLATFORM):
        report = _report(resources, platform)
        yield Finding(f"About ${report.total:,.2f} a month: {report.dearest(3)}.", platform.urn)
        for block in report.unpriced:
            yield Finding(f"{block} is billed, but the pricing model has no rule for it: not in the sum.")


def _within_budget(resources: list[Judged]) -> Iterator[Finding]:
    for platform in (one for one in resources if one.type == PLATFORM):
        report = _report(resources, platform)
        budget = float(platform.props["budget"])
        if report.total > budget:
            yield Finding(
                f"The estimate of ${report.total:,.2f} a month is above the budget of ${budget:,.2f}; "
                f"dearest are {report.dearest(3)}.",
                platform.urn,
            )


POLICIES = (
    ResourcePolicy(
        name="logs-expire",
        group=Group.COST,
        severity=Severity.MEDIUM,
        levels=NOT_IN_DEV,
        description="Every log group has a retention.",
        remedy="Set retentionInDays (foundation.logs.retentionDays does).",
        frameworks=("AWS FSBP CloudWatch.16",),
        types=frozenset({"aws:cloudwatch/logGroup:LogGroup"}),
        check=_logs_expire,
    ),
    StackPolicy(
        name="cost-estimate",
        group=Group.COST,
        severity=Severity.LOW,
        levels=NEVER_BLOCKS,
        description="What the stack is estimated to cost a month.",
        remedy="",
        check=_estimate,
    ),
    StackPolicy(
        name="spend-within-budget",
        group=Group.COST,
        severity=Severity.HIGH,
        levels=ALWAYS,
        description="The estimated monthly cost is within the stack's budget.",
        remedy="Make it cheaper, or raise foundation.spend.monthlyBudget with whoever pays.",
        check=_within_budget,
    ),
)
