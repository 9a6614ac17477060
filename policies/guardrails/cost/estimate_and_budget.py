"""Guardrail policies about the monthly cost of the stack.

Every run reports the estimated cost and compares it with the stack's budget. Usage that is missing, or that no price
rule reads, is an error of both policies. The policies also require that AWS Budgets
compares the bill with the budget, that Cost Anomaly Detection compares the bill with the usual cost, and that both
notify subscribers.

The Platform component, which contains the whole stack, publishes the budget, and the expected usage from which the
estimate is computed. Findings name the cost by block: a component of `components/blocks/`, for example a function with
its role and alarms.
"""

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
from guardrails.pricing.checked_stack_estimate import estimate_stack

POLICIES = PolicySet(PolicyGroup.COST)


@POLICIES.stack(
    "cost-estimate",
    severity=PolicySeverity.LOW,
    levels=ADVISORY_EVERYWHERE,
    description="Every run reports the estimated monthly cost of the stack.",
    remedy="",
)
def _check_cost_estimate(stack: CheckedStack) -> Iterator[Finding]:
    for platform in stack.list_resources(PLATFORM):
        report = estimate_stack(stack, platform)
        subsystems = ", ".join(f"{name} ${usd:,.2f}" for name, usd in report.sum_by("subsystem").items())
        yield Finding(
            f"About ${report.total:,.2f} a month ({subsystems or 'nothing'}). Largest blocks: "
            f"{report.describe_largest(3) or 'none'}.",
            platform.urn,
        )
        for resource in report.unpriced:
            yield Finding(f"{resource} has no price, so the estimate does not contain its whole cost.")


@POLICIES.stack(
    "spend-within-budget",
    severity=PolicySeverity.HIGH,
    levels=MANDATORY_EVERYWHERE,
    description="The monthly cost can be estimated, and is within the stack's budget.",
    remedy=(
        "Reduce the cost, or agree on a higher foundation.spend.monthlyBudget with the owner of the budget. If the cost "
        "cannot be estimated, correct the usage in components/<subsystem>/usage_estimate.py."
    ),
    frameworks=("AWS Well-Architected COST02-BP05",),
)
def _check_spend_within_budget(stack: CheckedStack) -> Iterator[Finding]:
    for platform in stack.list_resources(PLATFORM):
        report = estimate_stack(stack, platform)
        budget = float(platform.props["budget"])
        if report.total > budget:
            yield Finding(
                f"The estimate of ${report.total:,.2f} a month exceeds the budget of ${budget:,.2f}. "
                f"Largest blocks: {report.describe_largest(3)}.",
                platform.urn,
            )


@POLICIES.stack(
    "budget-exists",
    severity=PolicySeverity.MEDIUM,
    levels=ADVISORY_IN_DEV,
    description="An AWS budget watches the bill and notifies subscribers.",
    remedy="Use the foundation's spend component, which creates the budget.",
    frameworks=("AWS Well-Architected COST02-BP05",),
)
def _check_budget_exists(stack: CheckedStack) -> Iterator[Finding]:
    budgets = stack.list_resources(BUDGET)
    if not budgets:
        yield Finding("The stack has no AWS budget.")
    for budget in budgets:
        notifications = budget.props.get("notifications") or ()
        if not any(
            notification.get("subscriberSnsTopicArns") or notification.get("subscriberEmailAddresses")
            for notification in notifications
        ):
            yield Finding(
                "No notification of the budget has a subscriber (subscriberSnsTopicArns or subscriberEmailAddresses).",
                budget.urn,
            )


@POLICIES.stack(
    "anomaly-detection-exists",
    severity=PolicySeverity.MEDIUM,
    levels=MANDATORY_IN_PROD,
    description="The stack subscribes to Cost Anomaly Detection. A subscription of an SNS topic has the frequency IMMEDIATE.",
    remedy=(
        "Set foundation.spend.anomalyMonitorOwned to true in one stack of the account. In the other stacks, set "
        "anomalyMonitorArn to the ARN of this one stack's monitor."
    ),
    frameworks=("AWS Well-Architected COST03-BP05",),
)
def _check_anomaly_detection_exists(stack: CheckedStack) -> Iterator[Finding]:
    subscriptions = stack.list_resources(ANOMALY_SUBSCRIPTION)
    if not subscriptions:
        yield Finding("The stack has no subscription to cost anomalies.")
    for subscription in subscriptions:
        to_topic = any(subscriber["type"] == "SNS" for subscriber in subscription.props.get("subscribers") or ())
        if to_topic and subscription.props.get("frequency") != "IMMEDIATE":
            yield Finding(
                f"frequency is {subscription.props.get('frequency')}, but AWS accepts an SNS subscriber "
                "only with IMMEDIATE.",
                subscription.urn,
            )
