"""Tests of the block that registers a Lambda function with its role, log group and alias.

The block also refuses arguments that Lambda or IAM would only refuse during the deployment.
"""

import json
from typing import Any

import pytest

from components.blocks.function import Function
from components.blocks.iam import grant
from components.settings import FunctionSettings
from components.settings.base import ClientFunctionSettings
from components.settings.foundation import FoundationSettings
from handlers.common.environment import HandlerEnvironment
from tests.components.deployment_harness import variables
from tests.fake_engine import Engine, Recorded, foundation_settings, scope

TABLE = "arn:aws:dynamodb:us-east-1:123456789012:table/files"


class SampleEnvironment(HandlerEnvironment):
    table_name: str = "files"
    record_days: int = 400


def register(
    engine: Engine,
    settings: FunctionSettings | None = None,
    foundation: FoundationSettings | None = None,
    **changes: Any,
) -> Recorded:
    arguments = {"settings": settings or FunctionSettings(), "environment": SampleEnvironment, **changes}
    function_scope = scope(foundation=foundation or foundation_settings())
    return engine.run(lambda: Function(function_scope, "manifest-builder", **arguments))


def actions_by_resource(recorded: Recorded) -> dict[str, list[str]]:
    """Return the granted actions of the function's role by resource."""
    statements = json.loads(recorded.one("iam.RolePolicy").inputs["policy"])["Statement"]
    return {resource: statement["Action"] for statement in statements for resource in statement["Resource"]}


def test_a_function_is_created_after_its_log_group_and_permissions(engine: Engine) -> None:
    recorded = register(engine)
    earlier = list(recorded.ancestors(recorded.one("lambda.Function")))
    assert recorded.one("cloudwatch.LogGroup") in earlier, "otherwise Lambda creates a log group that never expires"
    assert recorded.one("iam.RolePolicy") in earlier


def test_what_a_function_uses_gives_it_the_permission_and_the_variable(engine: Engine) -> None:
    uses = [grant("dynamodb", ["GetItem"], TABLE).with_variable("table_name", "other")]
    recorded = register(engine, uses=[*uses, grant("dynamodb", ["PutItem"], TABLE)], values={"record_days": 7})
    assert actions_by_resource(recorded)[TABLE] == ["dynamodb:GetItem", "dynamodb:PutItem"]
    handler_variables = SampleEnvironment(table_name="other", record_days=7).variables()
    assert variables(recorded, "manifest-builder") == {**handler_variables, "POWERTOOLS_SERVICE_NAME": "ingestion"}


def test_the_alias_follows_the_newest_version_unless_it_is_pinned(engine: Engine) -> None:
    recorded = register(engine)
    newest = recorded.one("lambda.Alias")
    assert recorded.one("lambda.Function").inputs["publish"] is True, "each deployment creates a version"
    assert repr(newest.inputs["functionVersion"]) == "<known after deployment>"
    assert list(newest.request.ignoreChanges) == ["routingConfig"], "a deployment must not revert a gradual rollout"
    pinned = register(engine, FunctionSettings.model_validate({"liveVersion": "7"})).one("lambda.Alias")
    assert pinned.inputs["functionVersion"] == "7"


@pytest.mark.parametrize(("pinned", "moved"), [({}, False), ({"liveVersion": "7"}, True)])
def test_with_rollouts_in_steps_a_deployment_moves_only_a_pinned_alias(
    engine: Engine, pinned: dict[str, str], moved: bool
) -> None:
    settings = FunctionSettings.model_validate(pinned)
    foundation = foundation_settings(rolloutInSteps=True)
    alias = register(engine, settings, foundation=foundation).one("lambda.Alias")
    assert ("functionVersion" not in alias.request.ignoreChanges) is moved


def test_lambda_may_attach_a_function_and_decrypt_its_environment(engine: Engine) -> None:
    key = "arn:aws:kms:us-east-1:123456789012:key/0a1b2c3d-0000-1111-2222-333344445555"
    attachment = {"subnet_ids": ["subnet-1"], "security_group_ids": ["sg-1"]}
    recorded = register(engine, attachment=attachment, environment_key_arn=key)
    function, actions = recorded.one("lambda.Function").inputs, actions_by_resource(recorded)
    assert function["vpcConfig"] == {"subnetIds": ["subnet-1"], "securityGroupIds": ["sg-1"]}
    interfaces = ["ec2:CreateNetworkInterface", "ec2:DeleteNetworkInterface"]
    assert actions["arn:aws:ec2:us-east-1:123456789012:*/*"] == interfaces
    assert function["kmsKeyArn"] == key
    assert actions[key] == ["kms:Decrypt"]


def test_provisioned_concurrency_is_on_the_alias_and_reserved_concurrency_on_the_function(engine: Engine) -> None:
    settings = ClientFunctionSettings.model_validate({"provisionedConcurrency": 2, "reservedConcurrency": 5})
    recorded = register(engine, settings)
    assert recorded.one("lambda.ProvisionedConcurrencyConfig").inputs["qualifier"] == "live"
    assert recorded.one("lambda.Function").inputs["reservedConcurrentExecutions"] == 5
    snap_start = register(engine, ClientFunctionSettings.model_validate({"snapStart": True})).one("lambda.Function")
    assert snap_start.inputs["snapStart"] == {"applyOn": "PublishedVersions"}
    default = register(engine)
    assert default.all("lambda.ProvisionedConcurrencyConfig") == []
    assert not {"reservedConcurrentExecutions", "snapStart"} & set(default.one("lambda.Function").inputs)


def test_lambda_reports_used_memory_only_if_an_alarm_reads_it(engine: Engine) -> None:
    for percent, level, thresholds in ((None, "WARN", []), (90, "INFO", [0.9 * 512])):
        recorded = register(engine, memory_percent_above=percent)
        assert recorded.one("lambda.Function").inputs["loggingConfig"]["systemLogLevel"] == level
        assert len(recorded.all("cloudwatch.LogMetricFilter")) == len(thresholds)
        alarms = [alarm.inputs for alarm in recorded.all("cloudwatch.MetricAlarm")]
        assert [alarm["threshold"] for alarm in alarms if alarm["name"].endswith("-memory-warning")] == thresholds
