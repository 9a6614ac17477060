"""Budgets and cost anomalies."""

import json
from typing import Any

from local.platform.drivers.model import ComputedValue, Driver, DriverCall, RecordedOnly, ResourceValues, computed_from
from local.preview.preview_provider import ACCOUNT


@computed_from("costFilters")
def cost_filters(given: list[dict[str, Any]]) -> dict[str, list[str]]:
    """Filters as a map of lists."""
    return {one["name"]: one["values"] for one in given}


@computed_from("notifications")
def notifications(given: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each notification with its subscribers."""
    return [
        {
            "Notification": {key: value for key, value in one.items() if not key.startswith("subscriber")},
            "Subscribers": [
                {"SubscriptionType": "SNS", "Address": topic} for topic in one.get("subscriberSnsTopicArns", ())
            ],
        }
        for one in given
    ]


@computed_from("monitorSpecification")
def specification(given: str) -> Any:
    """What the monitor looks at."""
    return json.loads(given)


@computed_from("thresholdExpression")
def threshold(given: dict[str, Any]) -> dict[str, Any]:
    """From which impact an anomaly is told: the service calls the block in the plural."""
    return {"Dimensions": given["dimension"]}


def _account(known: ResourceValues) -> str:
    """Budgets belong to an account, which the topic's ARN names."""
    topics = [topic for one in known["notifications"] for topic in one.get("subscriberSnsTopicArns", ())]
    return str(topics[0]).split(":")[4]


def _monitor_arn(known: ResourceValues) -> str:
    """In the form of the service's own, with a name where it has an identifier."""
    return f"arn:aws:ce::{ACCOUNT}:anomalymonitor/{known['name']}"


DRIVERS = (
    Driver(
        type="aws:budgets/budget:Budget",
        service="budgets",
        create=(
            DriverCall(
                "CreateBudget",
                {
                    "AccountId": ComputedValue(_account, ("notifications",)),
                    "Budget.BudgetName": "name",
                    "Budget.BudgetType": "budgetType",
                    "Budget.BudgetLimit.Amount": "limitAmount",
                    "Budget.BudgetLimit.Unit": "limitUnit",
                    "Budget.TimeUnit": "timeUnit",
                    "Budget.CostFilters": cost_filters,
                    "NotificationsWithSubscribers": notifications,
                    "ResourceTags": "tags",
                },
            ),
        ),
        delete=(DriverCall("DeleteBudget", {"AccountId": ComputedValue(_account), "BudgetName": "name"}),),
        id="name",
    ),
)

NO_COST_EXPLORER = "the emulator has no Cost Explorer"

RECORDED = (
    RecordedOnly(
        type="aws:costexplorer/anomalyMonitor:AnomalyMonitor",
        service="ce",
        reason=NO_COST_EXPLORER,
        create=(
            DriverCall(
                "CreateAnomalyMonitor",
                {
                    "AnomalyMonitor.MonitorName": "name",
                    "AnomalyMonitor.MonitorType": "monitorType",
                    "AnomalyMonitor.MonitorSpecification": specification,
                    "ResourceTags": "tags",
                },
            ),
        ),
        outputs={"arn": ComputedValue(_monitor_arn)},
    ),
    RecordedOnly(
        type="aws:costexplorer/anomalySubscription:AnomalySubscription",
        service="ce",
        reason=NO_COST_EXPLORER,
        create=(
            DriverCall(
                "CreateAnomalySubscription",
                {
                    "AnomalySubscription.SubscriptionName": "name",
                    "AnomalySubscription.Frequency": "frequency",
                    "AnomalySubscription.MonitorArnList": "monitorArnLists",
                    "AnomalySubscription.Subscribers": "subscribers",
                    "AnomalySubscription.ThresholdExpression": threshold,
                    "ResourceTags": "tags",
                },
            ),
        ),
    ),
)
