"""Tests of the foundation's resources: alerts, audit bucket, API log role, budget, anomaly monitor, backup, layer."""

import json
from typing import Any

import pytest

from components.core import Subsystem
from components.foundation import Foundation
from components.settings import LogLevel
from tests.components.deployment_harness import allow_statement
from tests.fake_engine import Engine, Recorded, context, foundation_settings

TOPIC = "arn:aws:sns:us-east-1:123456789012:polyphony-test-foundation-alerts"
WARNINGS = f"{TOPIC}-warning"
MONITOR = "arn:aws:ce::123456789012:anomalymonitor/0f3c1a5e-7d42-4b8e-9a61-2c5d8e7f9b10"


def foundation(engine: Engine, **changes: Any) -> Recorded:
    return engine.run(lambda: Foundation(context(), foundation_settings(**changes)))


@pytest.mark.parametrize(
    ("warning_emails", "expected"),
    [({}, ["a@b.de", "c@d.de"]), ({"warningEmails": ["e@f.de"]}, ["e@f.de"]), ({"warningEmails": []}, [])],
)
def test_every_recipient_of_alerts_is_subscribed(
    engine: Engine, warning_emails: dict[str, list[str]], expected: list[str]
) -> None:
    alerts = {"emails": ["a@b.de", "c@d.de"], **warning_emails}
    recipients: dict[str, list[str]] = {"critical": [], "warning": []}
    recorded = foundation(engine, alerts=alerts)
    for subscription in recorded.all("sns.TopicSubscription"):
        (topic,) = (item for item in recorded.ancestors(subscription) if item.kind == "Topic")
        recipients[topic.inputs["name"].rpartition("-")[2]].append(subscription.inputs["endpoint"])
        assert subscription.inputs["protocol"] == "email"
    assert recipients == {"critical": ["a@b.de", "c@d.de"], "warning": expected}


def test_the_topic_of_an_alarm_follows_from_its_severity(engine: Engine) -> None:
    registered = [alarm.inputs for alarm in foundation(engine).all("cloudwatch.MetricAlarm")]
    topics = {alarm["name"].rpartition("-")[2]: (alarm["alarmActions"], alarm["okActions"]) for alarm in registered}
    assert topics == {level: ([f"{TOPIC}-{level}"], [f"{TOPIC}-{level}"]) for level in ("critical", "warning")}
    assert [alarm["name"] for alarm in registered if "Runbook: docs/runbooks/" not in alarm["alarmDescription"]] == []


def test_the_audit_bucket_deletes_access_logs_after_the_stacks_days_and_has_none_of_its_own(engine: Engine) -> None:
    recorded = foundation(engine, logs={"retentionDays": 30})
    assert allow_statement(recorded.one("s3.BucketPolicy", "audit"))["Resource"].endswith("/logs/s3-access/*")
    _, rule = recorded.one("s3.BucketLifecycleConfiguration", "audit").inputs["rules"]
    assert (rule["filter"], rule["expiration"]) == ({"prefix": "logs/s3-access"}, {"days": 30})
    assert recorded.all("s3.BucketLogging") == []


def test_the_role_for_api_logs_is_created_only_by_the_stack_that_owns_it(engine: Engine) -> None:
    assert foundation(engine).all("apigateway.Account") == []
    recorded = foundation(engine, logs={"apiGatewayRoleOwned": True})
    account = recorded.one("apigateway.Account")
    assert account.inputs["cloudwatchRoleArn"].endswith(":role/polyphony-test-foundation-api-logs")
    earlier_names = {resource.name for resource in recorded.ancestors(account)}
    assert {"foundation-api-logs-role", "foundation-api-logs-grants"} <= earlier_names
    trust = recorded.one("iam.Role", "api-logs").inputs["assumeRolePolicy"]
    assert "Condition" not in trust, "API Gateway sends no keys with which to compare"


@pytest.mark.parametrize("owned", [False, True])
def test_blocks_wait_for_resources_that_they_need_but_do_not_refer_to(engine: Engine, owned: bool) -> None:
    """The resources are the policies of the topics and the audit bucket, and API Gateway's account setting."""
    prerequisites: list[str] = []

    def program() -> None:
        settings = foundation_settings(logs={"apiGatewayRoleOwned": owned})
        scope = Foundation(context(), settings).scope(Subsystem.INGESTION, LogLevel.DEBUG)
        prerequisites.extend(type(resource).__name__ for resource in scope.prerequisites)
        assert (scope.log_level, scope.parent) == (LogLevel.DEBUG, None)

    engine.run(program)
    assert prerequisites == ["TopicPolicy", "TopicPolicy", "BucketPolicy", *(["Account"] if owned else [])]


def test_the_budget_of_this_stacks_cost_alerts_at_every_threshold(engine: Engine) -> None:
    budget = foundation(engine).one("budgets.Budget").inputs
    assert (budget["limitAmount"], budget["limitUnit"], budget["timeUnit"]) == ("100.00", "USD", "MONTHLY")
    assert budget["costFilters"] == [{"name": "TagKeyValue", "values": ["user:CostCenter$tests"]}]
    alerts = [(alert["notificationType"], alert["threshold"]) for alert in budget["notifications"]]
    assert alerts == [("ACTUAL", 50), ("ACTUAL", 80), ("ACTUAL", 100), ("FORECASTED", 100)]
    assert all(alert["subscriberSnsTopicArns"] == [WARNINGS] for alert in budget["notifications"])


def test_a_monitor_of_this_stacks_cost_is_created(engine: Engine) -> None:
    recorded = foundation(engine)
    # The provider reads the specification back in this form. Any other form would replace the monitor at each deployment.
    assert json.loads(recorded.one("costexplorer.AnomalyMonitor").inputs["monitorSpecification"]) == {
        **dict.fromkeys(("And", "CostCategories", "Dimensions", "Not", "Or")),
        "Tags": {"Key": "CostCenter", "MatchOptions": None, "Values": ["tests"]},
    }
    subscriber = recorded.one("costexplorer.AnomalySubscription")
    assert "foundation-spend-anomaly-monitor" in {ancestor.name for ancestor in recorded.ancestors(subscriber)}
    subscription = subscriber.inputs
    assert subscription["subscribers"] == [{"type": "SNS", "address": WARNINGS}]
    assert subscription["thresholdExpression"]["dimension"]["values"] == ["10"], "in dollars"


def test_a_stack_may_use_an_existing_monitor_or_none(engine: Engine) -> None:
    """Member accounts of an organisation cannot create a monitor for a tag."""
    for spend, monitors in (({}, []), ({"anomalyMonitorArn": MONITOR}, [[MONITOR]])):
        recorded = foundation(engine, spend={"monthlyBudget": 100, "anomalyMonitorOwned": False, **spend})
        assert recorded.all("costexplorer.AnomalyMonitor") == []
        subscriptions = recorded.all("costexplorer.AnomalySubscription")
        assert [subscription.inputs["monitorArnLists"] for subscription in subscriptions] == monitors


def test_backups_are_daily_and_expire_and_select_this_stacks_tables(engine: Engine) -> None:
    recorded = foundation(engine, backup={"retentionDays": 7})
    [rule] = recorded.one("backup.Plan").inputs["rules"]
    assert (rule["schedule"], rule["lifecycle"]) == ("cron(0 3 * * ? *)", {"deleteAfter": 7})
    selection = recorded.one("backup.Selection")
    [tag] = selection.inputs["selectionTags"]
    assert tag == {"type": "STRINGEQUALS", "key": "Backup", "value": "polyphony-test-daily"}
    assert recorded.one("iam.RolePolicy", "foundation-backup-grants") in list(recorded.ancestors(selection))


def test_the_backup_role_may_use_the_key_of_a_backed_up_table_only_through_dynamodb(engine: Engine) -> None:
    key = "arn:aws:kms:us-east-1:123456789012:key/1"
    recorded = engine.run(lambda: Foundation(context(), foundation_settings(), table_key_arn=key))
    statements = json.loads(recorded.one("iam.RolePolicy", "foundation-backup-grants").inputs["policy"])["Statement"]
    [statement] = [statement for statement in statements if key in statement["Resource"]]
    assert set(statement["Action"]) == {"kms:Decrypt", "kms:GenerateDataKey"}
    assert statement["Condition"] == {"StringEquals": {"kms:ViaService": "dynamodb.us-east-1.amazonaws.com"}}


def test_the_event_of_a_failed_backup_goes_to_a_queue_with_an_alarm(engine: Engine) -> None:
    recorded = foundation(engine)
    detail = json.loads(recorded.one("cloudwatch.EventRule").inputs["eventPattern"])["detail"]
    assert detail["state"] == ["FAILED", "ABORTED", "EXPIRED"]
    assert detail["backupVaultName"] == ["polyphony-test-foundation-backups"]
    assert recorded.one("cloudwatch.EventTarget").inputs["arn"].endswith("-failed-events")


def test_disabling_protection_keeps_the_vault(engine: Engine) -> None:
    assert foundation(engine).one("backup.Vault").request.protect
    recorded = foundation(engine, data={"deletionProtection": False})
    assert [resource.name for resource in recorded.graph if resource.request.protect] == []
    vault = recorded.one("backup.Vault")
    assert (vault.request.retainOnDelete, vault.inputs["forceDestroy"]) == (True, False)


def test_only_the_stack_that_owns_the_regions_backup_settings_creates_them(engine: Engine) -> None:
    assert foundation(engine).all("backup.RegionSettings") == []
    region_settings = foundation(engine, backup={"regionSettingsOwned": True}).one("backup.RegionSettings")
    preferences = {f"resourceType{kind}Preference": {"DynamoDB": True} for kind in ("OptIn", "Management")}
    assert preferences.items() <= region_settings.inputs.items()
    assert set(region_settings.request.ignoreChanges) == set(preferences)


def test_another_lock_file_gives_a_layer_that_does_not_take_over_the_ignored_archive(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = []
    for lock_hash in ("a" * 12, "b" * 12):
        monkeypatch.setattr("components.foundation.lock_hash", lambda lock_hash=lock_hash: lock_hash)
        layer = foundation(engine).one("lambda.LayerVersion")
        assert list(layer.request.ignoreChanges) == ["code"], "archives of one lock file may differ in bytes"
        assert layer.inputs["layerName"].endswith(lock_hash)
        names.append(layer.name)
    assert names[0] != names[1], "a replacement of the same resource would keep the old archive's path"
