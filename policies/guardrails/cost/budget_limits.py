"""The stack's estimated cost in every run, its budget, and that AWS tells somebody when the bill surprises."""

from collections.abc import Iterator

from guardrails.model.resource_types import ANOMALY_SUBSCRIPTION, BUDGET, PLATFORM
from guardrails.pack.policy_kinds import (
    ADVISORY_EVERYWHERE,
    ADVISORY_IN_DEV,
    MANDATORY_EVERYWHERE,
    MANDATORY_IN_PROD,
    CheckedStack,
    Finding,
    PolicyGroup,
    PolicySet,
    PolicySeverity,
)
from guardrails.pricing.stack_adapter import estimate_stack

POLICIES = PolicySet(PolicyGroup.COST)


@POLICIES.stack(
    "cost-estimate",
    severity=PolicySeverity.LOW,
    levels=ADVISORY_EVERYWHERE,
    description="What the stack is estimated to cost a month.",
    remedy="",
)
def _check_cost_estimate(stack: CheckedStack) -> Iterator[Finding]:
    for platform in stack.list_resources(PLATFORM):
        report = estimate_stack(stack, platform)
        subsystems = ", ".join(f"{name} ${usd:,.2f}" for name, usd in report.sum_by("subsystem").items())
        yield Finding(
            (
                f"About ${report.total:,.2f} a month ({subsystems or 'nothing'}); dearest: "
                f"{report.describe_largest(3) or 'none'}."
            ),
            platform.urn,
        )
        for block in report.unpriced:
            yield Finding(f"{block} is billed, but the pricing model has no rule for it: not in the sum.")
        for gap in report.gaps:
            yield Finding(f"{gap}: not in the sum.")


@POLICIES.stack(
    "cost-usage-read",
    severity=PolicySeverity.MEDIUM,
    levels=MANDATORY_EVERYWHERE,
    description="Every measure of the published usage is one that a price follows from.",
    remedy="Correct the name; docs/cost.md lists the measures of each kind of resource.",
)
def _check_cost_usage_read(stack: CheckedStack) -> Iterator[Finding]:
    for platform in stack.list_resources(PLATFORM):
        yield from (Finding(f"{problem}.", platform.urn) for problem in estimate_stack(stack, platform).problems)


@POLICIES.stack(
    "spend-within-budget",
    severity=PolicySeverity.HIGH,
    levels=MANDATORY_EVERYWHERE,
    description="The estimated monthly cost is within the stack's budget.",
    remedy="Make it cheaper, or raise foundation.spend.monthlyBudget with whoever pays.",
    frameworks=("AWS Well-Architected COST02-BP05",),
)
def _check_spend_within_budget(stack: CheckedStack) -> Iterator[Finding]:
    for platform in stack.list_resources(PLATFORM):
        report = estimate_stack(stack, platform)
        budget = float(platform.props["budget"])
        if report.total > budget:
            yield Finding(
                f"The estimate of ${report.total:,.2f} a month is above the budget of ${budget:,.2f}; "
                f"dearest are {report.describe_largest(3)}.",
                platform.urn,
            )


@POLICIES.stack(
    "budget-exists",
    severity=PolicySeverity.MEDIUM,
    levels=ADVISORY_IN_DEV,
    description="A budget of AWS' own watches the bill and tells somebody.",
    remedy="Use the foundation's spend component.",
    frameworks=("AWS Well-Architected COST02-BP05",),
)
def _check_budget_exists(stack: CheckedStack) -> Iterator[Finding]:
    budgets = stack.list_resources(BUDGET)
    if not budgets:
        yield Finding("No budget watches the bill.")
    for budget in budgets:
        notifications = budget.props.get("notifications") or ()
        if not any(
            notification.get("subscriberSnsTopicArns") or notification.get("subscriberEmailAddresses")
            for notification in notifications
        ):
            yield Finding("It tells nobody when it is used up.", budget.urn)


@POLICIES.stack(
    "anomaly-detection-exists",
    severity=PolicySeverity.MEDIUM,
    levels=MANDATORY_IN_PROD,
    description="Cost anomalies are told to somebody.",
    remedy=(
        "Set foundation.spend.anomalyMonitorOwned in one stack of the account, or name its monitor: anomalyMonitorArn."
    ),
    frameworks=("AWS Well-Architected COST03-BP05",),
)
def _check_anomaly_detection_exists(stack: CheckedStack) -> Iterator[Finding]:
    subscriptions = stack.list_resources(ANOMALY_SUBSCRIPTION)
    if not subscriptions:
        yield Finding("No subscription tells of cost anomalies.")
    for subscription in subscriptions:
        to_topic = any(subscriber["type"] == "SNS" for subscriber in subscription.props.get("subscribers") or ())
        if to_topic and subscription.props.get("frequency") != "IMMEDIATE":
            yield Finding(
                f"Its frequency is {subscription.props.get('frequency')}: AWS refuses a topic with it.",
                subscription.urn,
            )
