"""Alerts about cost: a monthly budget, and alerts of a cost anomaly monitor.

The settings (`foundation.spend`) can name an existing monitor, let this stack create one, or choose no monitor.

The budget, and a monitor that this stack creates, count the cost of all resources with the stack's tag `CostCenter`. So
the tag's value must be unique to this stack. An existing monitor keeps its own filter. AWS counts a tag only after it
has been activated for cost allocation in the billing console, once per account. In an organisation, the management
account must activate it, and only that account can create a monitor for a tag.
"""

import json

import pulumi
from pulumi_aws import budgets, costexplorer

from components.blocks.naming.physical_names import Kind
from components.blocks.naming.subsystem_scope import Scope

COST_TAG = "CostCenter"
BUDGET_ALERTS = (("ACTUAL", 50), ("ACTUAL", 80), ("ACTUAL", 100), ("FORECASTED", 100))
"""Kind of cost (actual or forecast), and percentage of the budget. If this cost exceeds the percentage, AWS Budgets
sends an alert."""
MIN_ANOMALY_DOLLARS = "10"
"""Minimum total impact, in US dollars, of a cost anomaly that is reported."""


class CostAlerts(pulumi.ComponentResource):
    """Budget and anomaly alerts, which are published to the alerts topic."""

    def __init__(self, scope: Scope, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("polyphony:foundation:Spend", f"{scope.subsystem}-spend", None, opts)
        self._scope = scope
        self._opts = pulumi.ResourceOptions(parent=self, depends_on=list(scope.prerequisites))
        self._create_budget()
        spend = scope.foundation.spend
        if spend.anomaly_monitor_arn is not None:
            self._create_anomaly_alert(spend.anomaly_monitor_arn)
        elif spend.anomaly_monitor_owned:
            self._create_anomaly_alert(self._create_monitor().arn)
        self.register_outputs({})

    def _create_budget(self) -> None:
        scope, spend = self._scope, self._scope.foundation.spend
        name = scope.name(Kind.BUDGET, "monthly")
        budgets.Budget(
            "foundation-spend-budget",
            name=name,
            budget_type="COST",
            limit_amount=f"{spend.monthly_budget:.2f}",
            limit_unit="USD",
            time_unit="MONTHLY",
            cost_filters=[{"name": "TagKeyValue", "values": [f"user:{COST_TAG}${scope.context.cost_center}"]}],
            notifications=[
                {
                    "notification_type": kind,
                    "comparison_operator": "GREATER_THAN",
                    "threshold": percent,
                    "threshold_type": "PERCENTAGE",
                    "subscriber_sns_topic_arns": [scope.alerts_topic],
                }
                for kind, percent in BUDGET_ALERTS
            ],
            tags=scope.tags(name),
            opts=self._opts,
        )

    def _create_monitor(self) -> costexplorer.AnomalyMonitor:
        scope = self._scope
        name = scope.name(Kind.ANOMALY_MONITOR, "anomalies")
        return costexplorer.AnomalyMonitor(
            "foundation-spend-anomaly-monitor",
            name=name,
            monitor_type="CUSTOM",
            monitor_specification=json.dumps(_tag_filter(COST_TAG, scope.context.cost_center)),
            tags=scope.tags(name),
            opts=self._opts,
        )

    def _create_anomaly_alert(self, monitor: pulumi.Input[str]) -> None:
        scope = self._scope
        name = scope.name(Kind.ANOMALY_MONITOR, "anomalies")
        costexplorer.AnomalySubscription(
            "foundation-spend-anomaly-subscription",
            name=name,
            frequency="IMMEDIATE",  # the only frequency for an SNS topic
            monitor_arn_lists=[monitor],
            subscribers=[{"type": "SNS", "address": scope.alerts_topic}],
            threshold_expression={
                "dimension": {
                    "key": "ANOMALY_TOTAL_IMPACT_ABSOLUTE",
                    "match_options": ["GREATER_THAN_OR_EQUAL"],
                    "values": [MIN_ANOMALY_DOLLARS],
                }
            },
            tags=scope.tags(name),
            opts=self._opts,
        )


def _tag_filter(key: str, value: str) -> dict[str, object]:
    """Return a filter for one tag value, with the empty fields that the provider reads back.

    Without these fields, each deployment would see a difference and replace the monitor.
    """
    others = dict.fromkeys(("And", "CostCategories", "Dimensions", "Not", "Or"))
    return {**others, "Tags": {"Key": key, "MatchOptions": None, "Values": [value]}}
