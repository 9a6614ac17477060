"""Tests of the block that registers a Lambda function with its role, log group and alias.

The block also refuses arguments that Lambda or IAM would only refuse during the deployment.
"""

import json
from dataclasses import replace
from typing import Any

import pytest

from components.blocks.compute.function import AsyncInvocation, Function, FunctionArgs, NetworkAttachment, QueueSource
from components.blocks.messaging.queue import DeadLetterQueue, DeadLetterQueueArgs, Queue, QueueArgs
from components.settings import FunctionSettings
from components.settings.settings_base import ClientFunctionSettings
from handlers.common.environment import HandlerEnvironment
from tests.fake_engine import Engine, Recorded, scope


class SampleEnvironment(HandlerEnvironment):
    manifest_table_name: str
    record_days: int


NAME = "polyphony-test-ingestion-builder"
VALUES = {"manifest_table_name": "files", "record_days": 400}


def args(settings: dict[str, Any] | None = None, **changes: Any) -> FunctionArgs:
    return FunctionArgs(
        **{
            "scope": scope(),
            "display_name": "ManifestBuilder",
            "entry": "handlers.ingestion.manifest_builder.handler.handler",
            "settings": FunctionSettings.model_validate(settings or {}),
            "environment": SampleEnvironment,
            "values": VALUES,
            **changes,
        }
    )


def register_function(engine: Engine, settings: dict[str, Any] | None = None, **changes: Any) -> Recorded:
    return engine.run(lambda: Function("builder", args(settings, **changes)))


def actions_by_resource(recorded: Recorded) -> dict[str, list[str]]:
    """Return the granted actions of the function's role by resource."""
    (policy,) = recorded.all("iam.RolePolicy")
    actions: dict[str, list[str]] = {}
    for statement in json.loads(policy.inputs["policy"])["Statement"]:
        for resource in statement["Resource"]:
            actions.setdefault(resource, []).extend(statement["Action"])
    return actions


def test_a_function_is_small_traced_versioned_and_logs_json(engine: Engine) -> None:
    function = register_function(engine).one("lambda.Function").inputs
    assert (function["architectures"], function["runtime"], function["publish"]) == (["arm64"], "python3.13", True)
    assert (function["memorySize"], function["timeout"]) == (512, 60)
    assert function["tracingConfig"] == {"mode": "Active"}
    assert function["loggingConfig"]["logFormat"] == "JSON"
    assert function["loggingConfig"]["logGroup"] == f"/aws/lambda/{NAME}"
    assert function["role"] == "arn:aws:iam::123456789012:role/polyphony-test-ingestion-builder"


def test_the_functions_logs_expire(engine: Engine) -> None:
    group = register_function(engine).one("cloudwatch.LogGroup").inputs
    assert (group["name"], group["retentionInDays"]) == (f"/aws/lambda/{NAME}", 90)


def test_a_function_is_created_after_its_log_group_and_permissions(engine: Engine) -> None:
    recorded = register_function(engine)
    earlier = list(recorded.ancestors(recorded.one("lambda.Function")))
    assert recorded.one("cloudwatch.LogGroup") in earlier, "otherwise Lambda creates a log group that never expires"
    assert recorded.one("iam.RolePolicy") in earlier


def test_the_environment_has_exactly_the_variables_that_the_handler_reads(engine: Engine) -> None:
    variables = register_function(engine).one("lambda.Function").inputs["environment"]["variables"]
    handler_variables = SampleEnvironment(manifest_table_name="files", record_days=400).variables()
    assert variables == {**handler_variables, "POWERTOOLS_SERVICE_NAME": "ingestion"}
    assert (variables["LOG_LEVEL"], variables["MANIFEST_TABLE_NAME"]) == ("INFO", "files")


def test_the_alias_follows_the_newest_version_unless_it_is_pinned(engine: Engine) -> None:
    assert repr(register_function(engine).one("lambda.Alias").inputs["functionVersion"]) == "<known after deployment>"
    assert register_function(engine, {"liveVersion": "7"}).one("lambda.Alias").inputs["functionVersion"] == "7"


def test_a_deployment_does_not_revert_a_rollout_in_progress(engine: Engine) -> None:
    assert list(register_function(engine).one("lambda.Alias").request.ignoreChanges) == ["routingConfig"]


def test_a_large_batch_of_messages_without_a_batching_window_is_refused(engine: Engine) -> None:
    def program() -> None:
        queue = Queue("intake", QueueArgs(scope(), "Intake", consumer_timeout_seconds=60))
        Function("builder", args(queues=[QueueSource(queue, batch_size=100, max_concurrency=10)]))

    with pytest.raises(ValueError, match="needs a queue with a batching window"):
        engine.run(program)


def failure_queue() -> DeadLetterQueue:
    return DeadLetterQueue("builder-failed", DeadLetterQueueArgs(scope(), "BuilderFailed"))


def async_function() -> Function:
    """Register a function whose failed asynchronous calls go to a queue."""
    return Function("builder", args(asynchronous=AsyncInvocation(failure_queue())))


def test_failed_calls_have_either_a_queue_or_a_discard_reason(engine: Engine) -> None:
    reason = "failed calls contain audio, which must not be stored"
    with pytest.raises(ValueError, match="set either on_failure, the queue for failed calls, or discard_reason"):
        register_function(engine, asynchronous=AsyncInvocation(None))
    with pytest.raises(ValueError, match="set either on_failure"):
        engine.run(
            lambda: Function("builder", args(asynchronous=AsyncInvocation(failure_queue(), discard_reason=reason)))
        )


def test_a_function_in_a_vpc_may_manage_its_network_interfaces(engine: Engine) -> None:
    recorded = register_function(engine, attachment=NetworkAttachment(["subnet-1"], ["sg-1"]))
    assert recorded.one("lambda.Function").inputs["vpcConfig"] == {
        "subnetIds": ["subnet-1"],
        "securityGroupIds": ["sg-1"],
    }
    assert actions_by_resource(recorded)["arn:aws:ec2:us-east-1:123456789012:*/*"] == [
        "ec2:CreateNetworkInterface",
        "ec2:DeleteNetworkInterface",
    ]


def test_the_function_may_decrypt_an_environment_with_a_customer_managed_key(engine: Engine) -> None:
    key = "arn:aws:kms:us-east-1:123456789012:key/0a1b2c3d-0000-1111-2222-333344445555"
    recorded = register_function(engine, environment_key_arn=key)
    assert recorded.one("lambda.Function").inputs["kmsKeyArn"] == key
    assert actions_by_resource(recorded)[key] == ["kms:Decrypt"]


def register_client_function(engine: Engine, **settings: Any) -> Recorded:
    """Register a function that clients wait for, so it has settings of concurrency and SnapStart."""
    client_args = replace(args(), settings=ClientFunctionSettings.model_validate(settings))
    return engine.run(lambda: Function("builder", client_args))


def test_snap_start_is_on_versions_provisioned_concurrency_on_the_alias_and_reserved_on_the_function(
    engine: Engine,
) -> None:
    function = register_client_function(engine, snapStart=True).one("lambda.Function").inputs
    assert function["snapStart"] == {"applyOn": "PublishedVersions"}
    recorded = register_client_function(engine, provisionedConcurrency=2, reservedConcurrency=5)
    provisioned = recorded.one("lambda.ProvisionedConcurrencyConfig").inputs
    assert (provisioned["qualifier"], provisioned["provisionedConcurrentExecutions"]) == ("live", 2)
    assert recorded.one("lambda.Function").inputs["reservedConcurrentExecutions"] == 5
    default = register_function(engine)
    assert default.all("lambda.ProvisionedConcurrencyConfig") == []
    assert not {"reservedConcurrentExecutions", "snapStart"} & set(default.one("lambda.Function").inputs)


def test_lambda_reports_used_memory_only_if_an_alarm_reads_it(engine: Engine) -> None:
    for percent, level, filter_count in ((None, "WARN", 0), (90, "INFO", 1)):
        recorded = register_function(engine, memory_percent_above=percent)
        assert recorded.one("lambda.Function").inputs["loggingConfig"]["systemLogLevel"] == level
        assert len(recorded.all("cloudwatch.LogMetricFilter")) == filter_count
