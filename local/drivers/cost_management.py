"""Drivers of budgets and of the resources of cost anomaly detection: the API calls that create and delete them.

The emulator has budgets, but no Cost Explorer. So no call is made for the resources of anomaly detection
(`RecordedOnly`).
"""

import json
from typing import Any

from local import ACCOUNT
from local.drivers.model import (
    Driver,
    DriverCall,
    RecordedOnly,
    computed_from,
    constant,
)


@computed_from("costFilters")
def cost_filters(given: list[dict[str, Any]]) -> dict[str, list[str]]:
    """Return the budget's filters in the API's form: lists of values by the filter's name."""
    return {cost_filter["name"]: cost_filter["values"] for cost_filter in given}


@computed_from("notifications")
def notifications(given: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return each notification with its subscribers."""
    return [
        {
            "Notification": {key: value for key, value in notification.items() if not key.startswith("subscriber")},
            "Subscribers": [
                {"SubscriptionType": kind, "Address": address}
                for kind, name in (("SNS", "subscriberSnsTopicArns"), ("EMAIL", "subscriberEmailAddresses"))
                for address in notification.get(name, ())
            ],
        }
        for notification in given
    ]


monitor_specification = computed_from("monitorSpecification")(json.loads)
"""The expression that selects the monitored costs. In Pulumi it is a JSON text."""

DRIVERS = (
    Driver(
        type="aws:budgets/budget:Budget",
        service="budgets",
        create=(
            DriverCall(
                "CreateBudget",
                {
                    "AccountId": constant(ACCOUNT),
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
        delete=(DriverCall("DeleteBudget", {"AccountId": constant(ACCOUNT), "BudgetName": "name"}),),
        id="name",
    ),
)

MONITOR_ARN = f"arn:aws:ce::{ACCOUNT}:anomalymonitor/0a1b2c3d-0000-4000-8000-00000000000a"
"""On AWS, the id at the end is generated. A stack has only one monitor."""
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
                    "AnomalyMonitor.MonitorSpecification": monitor_specification,
                    "ResourceTags": "tags",
                },
            ),
        ),
        outputs={"arn": constant(MONITOR_ARN)},
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
                    "AnomalySubscription.ThresholdExpression": "thresholdExpression",
                    "ResourceTags": "tags",
                },
            ),
        ),
    ),
)
