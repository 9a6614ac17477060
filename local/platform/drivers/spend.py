"""Budgets and cost anomalies."""

import json
from typing import Any

from local.platform.drivers.model import Call, Driver, Known, Made, RecordedOnly, made
from local.preview.preview_provider import ACCOUNT


@made("costFilters")
def cost_filters(given: list[dict[str, Any]]) -> dict[str, list[str]]:
    """Filters as a map of lists."""
    return {one["name"]: one["values"] for one in given}


@made("notifications")
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


@made("monitorSpecification")
def specification(given: str) -> Any:
    """What the monitor looks at."""
    return json.loads(given)


@made("thresholdExpression")
def threshold(given: dict[str, Any]) -> dict[str, Any]:
    """From which impact an anomaly is told: the service calls the block in the plural."""
    return {"Dimensions": given["dimension"]}


def _account(known: Known) -> str:
    """Budgets belong to an account, which the topic's ARN names."""
    topics = [topic for one in known["notifications"] for topic in one.get("subscriberSnsTopicArns", ())]
    return str(topics[0]).split(":")[4]


def _monitor_arn(known: Known) -> str:
    """In the form of the service's own, with a name where it has an identifier."""
    return f"arn:aws:ce::{ACCOUNT}:anomalymonitor/{known['name']}"


DRIVERS = (
    Driver(
        type="aws:budgets/budget:Budget",
        service="budgets",
        create=(
            Call(
                "CreateBudget",
                {
                    "AccountId": Made(_account, ("notifications",)),
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
        delete=(Call("DeleteBudget", {"AccountId": Made(_account), "BudgetName": "name"}),),
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
            Call(
                "CreateAnomalyMonitor",
                {
                    "AnomalyMonitor.MonitorName": "name",
                    "AnomalyMonitor.MonitorType": "monitorType",
                    "AnomalyMonitor.MonitorSpecification": specification,
                    "ResourceTags": "tags",
                },
            ),
        ),
        outputs={"arn": Made(_monitor_arn)},
    ),
    RecordedOnly(
        type="aws:costexplorer/anomalySubscription:AnomalySubscription",
        service="ce",
        reason=NO_COST_EXPLORER,
        create=(
            Call(
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
