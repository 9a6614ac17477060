"""Policies about the monthly cost of the stack: the estimate, the budget, and cost anomalies.

The Platform component, which contains the whole stack, publishes the budget, and the expected usage from which the
estimate is computed. Findings name the cost by block: a component of `components/blocks/`, for example a function with
its role and alarms.
"""

from collections.abc import Iterator
from contextlib import suppress

from guardrails import resource_types as t
from guardrails.pricing.checked_stack_estimate import estimate_stack
from guardrails.pricing.cost_estimate import CannotEstimate
from guardrails.records import (
    ADVISORY_EVERYWHERE,
    ADVISORY_IN_DEV,
    MANDATORY_EVERYWHERE,
    MANDATORY_IN_PROD,
    CheckedStack,
    Finding,
    Group,
    PolicySet,
    Severity,
)

POLICIES = PolicySet(Group.COST)


@POLICIES.stack_policy(
    "cost-estimate",
    severity=Severity.LOW,
    levels=ADVISORY_EVERYWHERE,
    description="Every run reports the estimated monthly cost of the stack.",
    remedy="",
)
def _check_cost_estimate(stack: CheckedStack) -> Iterator[Finding]:
    [platform] = stack.list_resources(t.PLATFORM)
    with suppress(CannotEstimate):  # `spend-within-budget` reports the reason
        report = estimate_stack(stack, platform)
        subsystems = ", ".join(f"{name} ${usd:,.2f}" for name, usd in report.sum_by("subsystem").items())
        yield Finding(
            f"About ${report.total:,.2f} a month ({subsystems or 'nothing'}). Largest blocks: "
            f"{report.describe_largest() or 'none'}.",
            platform.urn,
        )
        for resource in report.unpriced:
            yield Finding(f"{resource} has no price, so the estimate does not contain its whole cost.")


@POLICIES.stack_policy(
    "spend-within-budget",
    severity=Severity.HIGH,
    levels=MANDATORY_EVERYWHERE,
    description="The monthly cost can be estimated, and is within the stack's budget.",
    remedy=(
        "Reduce the cost, or agree on a higher foundation.spend.monthlyBudget with the owner of the budget. If the cost "
        "cannot be estimated, correct the usage in components/<subsystem>/cost.py."
    ),
)
def _check_spend_within_budget(stack: CheckedStack) -> Iterator[Finding]:
    [platform] = stack.list_resources(t.PLATFORM)
    try:
        report = estimate_stack(stack, platform)
    except CannotEstimate as error:
        yield Finding(f"The cost cannot be estimated: {error}.", platform.urn)
        return
    budget = float(platform.props["budget"])
    if report.total > budget:
        yield Finding(
            f"The estimate of ${report.total:,.2f} a month exceeds the budget of ${budget:,.2f}. Largest blocks: "
            f"{report.describe_largest()}.",
            platform.urn,
        )


@POLICIES.stack_policy(
    "budget-exists",
    severity=Severity.MEDIUM,
    levels=ADVISORY_IN_DEV,
    description="An AWS budget compares the bill with the stack's budget, and notifies subscribers.",
    remedy="Use the foundation's spend component, which creates the budget.",
)
def _check_budget_exists(stack: CheckedStack) -> Iterator[Finding]:
    notifications = [each for budget in stack.list_resources(t.BUDGET) for each in budget.get("notifications") or ()]
    if not any(each.get("subscriberSnsTopicArns") or each.get("subscriberEmailAddresses") for each in notifications):
        yield Finding("The stack has no AWS budget with a notification that has a subscriber.")


@POLICIES.stack_policy(
    "anomaly-detection-exists",
    severity=Severity.MEDIUM,
    levels=MANDATORY_IN_PROD,
    description="The stack subscribes to Cost Anomaly Detection.",
    remedy=(
        "Set foundation.spend.anomalyMonitorOwned to true in one stack of the account. In the other stacks, set "
        "anomalyMonitorArn to the ARN of its monitor."
    ),
)
def _check_anomaly_detection_exists(stack: CheckedStack) -> Iterator[Finding]:
    if not stack.list_resources(t.ANOMALY_SUBSCRIPTION):
        yield Finding("The stack has no subscription to cost anomalies.")
