"""The stack's estimated cost in every run, its budget, and that AWS tells somebody when the bill surprises."""

from collections.abc import Iterator

from guardrails.model.resource_types import ANOMALY_SUBSCRIPTION, BUDGET, PLATFORM
from guardrails.pack.policy_kinds import (
    ALWAYS,
    NEVER_BLOCKS,
    NOT_IN_DEV,
    ONLY_IN_PROD,
    Finding,
    Group,
    PolicySet,
    Severity,
    Stack,
)
from guardrails.pricing.stack_adapter import report

POLICIES = PolicySet(Group.COST)


@POLICIES.stack(
    "cost-estimate",
    severity=Severity.LOW,
    levels=NEVER_BLOCKS,
    description="What the stack is estimated to cost a month.",
    remedy="",
)
def _estimate(stack: Stack) -> Iterator[Finding]:
    for platform in stack.of(PLATFORM):
        found = report(stack, platform)
        subsystems = ", ".join(f"{name} ${usd:,.2f}" for name, usd in found.by("subsystem").items())
        yield Finding(
            f"About ${found.total:,.2f} a month ({subsystems or 'nothing'}); dearest: {found.dearest(3) or 'none'}.",
            platform.urn,
        )
        for block in found.unpriced:
            yield Finding(f"{block} is billed, but the pricing model has no rule for it: not in the sum.")
        for gap in found.gaps:
            yield Finding(f"{gap}: not in the sum.")


@POLICIES.stack(
    "cost-usage-read",
    severity=Severity.MEDIUM,
    levels=ALWAYS,
    description="Every measure of the published usage is one that a price follows from.",
    remedy="Correct the name; docs/cost.md lists the measures of each kind of resource.",
)
def _usage_is_read(stack: Stack) -> Iterator[Finding]:
    for platform in stack.of(PLATFORM):
        yield from (Finding(f"{problem}.", platform.urn) for problem in report(stack, platform).problems)


@POLICIES.stack(
    "spend-within-budget",
    severity=Severity.HIGH,
    levels=ALWAYS,
    description="The estimated monthly cost is within the stack's budget.",
    remedy="Make it cheaper, or raise foundation.spend.monthlyBudget with whoever pays.",
    frameworks=("AWS Well-Architected COST02-BP05",),
)
def _within_budget(stack: Stack) -> Iterator[Finding]:
    for platform in stack.of(PLATFORM):
        found = report(stack, platform)
        budget = float(platform.props["budget"])
        if found.total > budget:
            yield Finding(
                f"The estimate of ${found.total:,.2f} a month is above the budget of ${budget:,.2f}; "
                f"dearest are {found.dearest(3)}.",
                platform.urn,
            )


@POLICIES.stack(
    "budget-exists",
    severity=Severity.MEDIUM,
    levels=NOT_IN_DEV,
    description="A budget of AWS' own watches the bill and tells somebody.",
    remedy="Use the foundation's spend component.",
    frameworks=("AWS Well-Architected COST02-BP05",),
)
def _budget_exists(stack: Stack) -> Iterator[Finding]:
    budgets = stack.of(BUDGET)
    if not budgets:
        yield Finding("No budget watches the bill.")
    for one in budgets:
        notifications = one.props.get("notifications") or ()
        if not any(
            each.get("subscriberSnsTopicArns") or each.get("subscriberEmailAddresses") for each in notifications
        ):
            yield Finding("It tells nobody when it is used up.", one.urn)


@POLICIES.stack(
    "anomaly-detection-exists",
    severity=Severity.MEDIUM,
    levels=ONLY_IN_PROD,
    description="Cost anomalies are told to somebody.",
    remedy="Set foundation.spend.anomalyMonitorOwned in one stack of the account, or name its monitor: anomalyMonitorArn.",
    frameworks=("AWS Well-Architected COST03-BP05",),
)
def _anomalies_are_told(stack: Stack) -> Iterator[Finding]:
    subscriptions = stack.of(ANOMALY_SUBSCRIPTION)
    if not subscriptions:
        yield Finding("No subscription tells of cost anomalies.")
    for one in subscriptions:
        to_topic = any(each["type"] == "SNS" for each in one.props.get("subscribers") or ())
        if to_topic and one.props.get("frequency") != "IMMEDIATE":
            yield Finding(f"Its frequency is {one.props.get('frequency')}: AWS refuses a topic with it.", one.urn)
