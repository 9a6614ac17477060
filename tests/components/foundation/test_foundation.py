"""Tests of the foundation's resources: alerts, audit bucket, budget, anomaly monitor, backup, Lambda layer."""

import json
from typing import Any

import pytest
from pydantic import ValidationError

from components.blocks.naming.context import Subsystem
from components.foundation import Foundation
from components.settings import LogLevel
from tests.components.deployment_harness import allow_statement
from tests.fake_engine import Engine, Recorded, context, foundation_settings

TOPIC = "arn:aws:sns:us-east-1:123456789012:polyphony-test-foundation-alerts"


def foundation(engine: Engine, **changes: Any) -> Recorded:
    return engine.run(lambda: Foundation(context(), foundation_settings(**changes)))


def test_every_recipient_of_alerts_is_subscribed(engine: Engine) -> None:
    recorded = foundation(engine, alerts={"emails": ["a@example.com", "b@example.com"]})
    assert {resource.inputs["endpoint"] for resource in recorded.all("sns.TopicSubscription")} == {
        "a@example.com",
        "b@example.com",
    }


def test_only_alerting_services_of_this_account_may_publish_alerts(engine: Engine) -> None:
    policy = json.loads(foundation(engine).one("sns.TopicPolicy").inputs["policy"])
    deny, allow = policy["Statement"]
    assert deny["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert set(allow["Principal"]["Service"]) == {
        "budgets.amazonaws.com",
        "cloudwatch.amazonaws.com",
        "costalerts.amazonaws.com",
    }
    assert allow["Condition"] == {"StringEquals": {"aws:SourceAccount": "123456789012"}}
    assert "kmsMasterKeyId" not in foundation(engine).one("sns.Topic").inputs, (
        "CloudWatch alarms cannot use the AWS managed key of SNS"
    )


def test_the_audit_bucket_accepts_access_logs_of_this_account_and_they_expire(engine: Engine) -> None:
    recorded = foundation(engine, logs={"retentionDays": 30})
    allow = allow_statement(recorded.one("s3.BucketPolicy", "audit"))
    assert allow["Principal"] == {"Service": "logging.s3.amazonaws.com"}
    assert allow["Condition"] == {"StringEquals": {"aws:SourceAccount": "123456789012"}}
    assert allow["Resource"].endswith("/logs/s3-access/*")
    rules = recorded.one("s3.BucketLifecycleConfiguration", "audit").inputs["rules"]
    assert {"days": 30} in [rule.get("expiration") for rule in rules]
    assert recorded.all("s3.BucketLogging") == []


def test_the_budget_of_this_stacks_cost_alerts_at_every_threshold(engine: Engine) -> None:
    budget = foundation(engine).one("budgets.Budget").inputs
    assert (budget["limitAmount"], budget["limitUnit"], budget["timeUnit"]) == ("100.00", "USD", "MONTHLY")
    assert budget["costFilters"] == [{"name": "TagKeyValue", "values": ["user:CostCenter$tests"]}]
    alerts = [(notification["notificationType"], notification["threshold"]) for notification in budget["notifications"]]
    assert alerts == [("ACTUAL", 50), ("ACTUAL", 80), ("ACTUAL", 100), ("FORECASTED", 100)]
    assert all(notification["subscriberSnsTopicArns"] == [TOPIC] for notification in budget["notifications"])


def test_cost_anomalies_above_the_threshold_are_reported_immediately(engine: Engine) -> None:
    recorded = foundation(engine, spend={"monthlyBudget": 100})
    monitor = recorded.one("costexplorer.AnomalyMonitor").inputs
    assert monitor["monitorType"] == "CUSTOM"  # an account may have only one DIMENSIONAL monitor
    # The provider reads the specification back in this form. Any other form would replace the monitor at each deployment.
    assert json.loads(monitor["monitorSpecification"]) == {
        **dict.fromkeys(("And", "CostCategories", "Dimensions", "Not", "Or")),
        "Tags": {"Key": "CostCenter", "MatchOptions": None, "Values": ["tests"]},
    }
    subscription = recorded.one("costexplorer.AnomalySubscription").inputs
    assert subscription["frequency"] == "IMMEDIATE"  # the only frequency for an SNS topic
    assert subscription["thresholdExpression"]["dimension"]["values"] == ["10"], "in dollars"


def test_a_stack_that_does_not_own_the_monitor_creates_none(engine: Engine) -> None:
    recorded = foundation(engine, spend={"monthlyBudget": 100, "anomalyMonitorOwned": False})
    assert recorded.all("costexplorer.AnomalyMonitor") == recorded.all("costexplorer.AnomalySubscription") == []
    assert recorded.one("budgets.Budget").inputs["timeUnit"] == "MONTHLY"


@pytest.mark.parametrize("is_owned", [True, False])
def test_an_existing_monitor_alerts_this_stack_and_none_is_created(engine: Engine, is_owned: bool) -> None:
    """Member accounts of an organisation cannot create a monitor for a tag."""
    monitor = "arn:aws:ce::123456789012:anomalymonitor/0f3c1a5e-7d42-4b8e-9a61-2c5d8e7f9b10"
    spend = {"monthlyBudget": 100, "anomalyMonitorArn": monitor, "anomalyMonitorOwned": is_owned}
    recorded = foundation(engine, spend=spend)
    assert recorded.all("costexplorer.AnomalyMonitor") == []
    subscription = recorded.one("costexplorer.AnomalySubscription").inputs
    assert (subscription["monitorArnLists"], subscription["frequency"]) == ([monitor], "IMMEDIATE")
    assert subscription["subscribers"] == [{"type": "SNS", "address": TOPIC}]


@pytest.mark.parametrize("value", ["services", "arn:aws:ce::123456789012:anomalysubscription/0f3c1a5e", ""])
def test_a_value_that_is_no_arn_of_an_anomaly_monitor_is_refused(value: str) -> None:
    with pytest.raises(ValidationError, match="anomalyMonitorArn"):
        foundation_settings(spend={"monthlyBudget": 100, "anomalyMonitorArn": value})


def test_backups_are_daily_and_expire(engine: Engine) -> None:
    (rule,) = foundation(engine, backup={"retentionDays": 7}).one("backup.Plan").inputs["rules"]
    assert (rule["schedule"], rule["lifecycle"]) == ("cron(0 3 * * ? *)", {"deleteAfter": 7})


def test_backups_select_only_this_stacks_tables(engine: Engine) -> None:
    selection = foundation(engine).one("backup.Selection").inputs
    assert selection["selectionTags"] == [{"type": "STRINGEQUALS", "key": "Backup", "value": "polyphony-test-daily"}]
    assert selection["iamRoleArn"] == "arn:aws:iam::123456789012:role/polyphony-test-foundation-backup"


def test_the_backup_role_may_access_only_tables_of_this_stack(engine: Engine) -> None:
    for policy in foundation(engine).all("iam.RolePolicy"):
        for statement in json.loads(policy.inputs["policy"])["Statement"]:
            for resource in statement["Resource"]:
                if ":dynamodb:" in resource:
                    assert resource.startswith("arn:aws:dynamodb:us-east-1:123456789012:table/polyphony-test-")


def test_backups_may_be_tagged_and_not_restored(engine: Engine) -> None:
    """A backup job whose role may not tag the backups fails."""
    recorded = foundation(engine)
    backup = recorded.one("iam.RolePolicy", "foundation-backup-backup-grants").inputs["policy"]
    assert "Restore" not in backup
    [rule] = recorded.one("backup.Plan").inputs["rules"]
    assert rule["recoveryPointTags"]
    taggable = [
        entry["Resource"] for entry in json.loads(backup)["Statement"] if "backup:TagResource" in entry["Action"]
    ]
    assert taggable == [["arn:aws:backup:us-east-1:123456789012:recovery-point:*"]]


def test_the_event_of_a_failed_backup_goes_to_a_queue_with_an_alarm(engine: Engine) -> None:
    recorded = foundation(engine)
    pattern = json.loads(recorded.one("cloudwatch.EventRule").inputs["eventPattern"])
    assert pattern["detail"]["state"] == ["FAILED", "ABORTED", "EXPIRED"]
    assert pattern["detail"]["backupVaultName"] == ["polyphony-test-foundation-backups"]
    queue = recorded.one("cloudwatch.EventTarget").inputs["arn"].rpartition(":")[2]
    [alarm] = [
        alarm for alarm in recorded.all("cloudwatch.MetricAlarm") if alarm.inputs["dimensions"] == {"QueueName": queue}
    ]
    assert alarm.inputs["alarmActions"] == [TOPIC]


def test_only_the_stack_that_owns_the_regions_backup_settings_creates_them(engine: Engine) -> None:
    assert foundation(engine).all("backup.RegionSettings") == []
    region_settings = foundation(engine, backup={"regionSettingsOwned": True}).one("backup.RegionSettings")
    assert region_settings.inputs["resourceTypeOptInPreference"] == {"DynamoDB": True}


def test_the_layers_name_contains_the_hash_of_its_lock_file(engine: Engine) -> None:
    layer = foundation(engine).one("lambda.LayerVersion").inputs
    assert layer["layerName"].endswith(layer["sourceCodeHash"][:12])


@pytest.mark.parametrize(
    ("subsystem", "logs", "expected"),
    [
        (Subsystem.INGESTION, {}, ["TopicPolicy", "BucketPolicy"]),
        (Subsystem.INGESTION, {"apiGatewayRoleOwned": True}, ["TopicPolicy", "BucketPolicy", "Account"]),
        (Subsystem.FOUNDATION, {"apiGatewayRoleOwned": True}, ["TopicPolicy"]),
    ],
)
def test_blocks_wait_for_resources_that_they_need_but_do_not_refer_to(
    engine: Engine, subsystem: Subsystem, logs: dict[str, Any], expected: list[str]
) -> None:
    """The resources are the policies of the alerts topic and the audit bucket, and API Gateway's account setting. The
    foundation creates the last two itself, so its own blocks do not wait for them.
    """
    prerequisites: list[str] = []

    def program() -> None:
        scope = Foundation(context(), foundation_settings(logs=logs)).scope(subsystem, LogLevel.DEBUG)
        prerequisites.extend(type(resource).__name__ for resource in scope.prerequisites)
        assert (scope.alerts_topic, scope.log_level) == (TOPIC, LogLevel.DEBUG)

    engine.run(program)
    assert prerequisites == expected
