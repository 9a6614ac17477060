"""Functions come complete, and what Lambda or IAM would only refuse later is refused here."""

import json
from typing import Any

import pytest

from components.blocks.function import Asynchronous, Attachment, Function, FunctionArgs, QueueSource
from components.blocks.queue import DeadLetterQueue, DeadLetterQueueArgs, Queue, QueueArgs
from components.settings import FunctionSettings
from handlers.common.environment import HandlerEnvironment
from local.values import UNKNOWN
from tests.engine import Engine, Recorded, scope


class SampleEnvironment(HandlerEnvironment):
    manifest_table_name: str
    record_days: int


NAME = "polyphony-test-ingestion-builder"
ARN = f"arn:aws:lambda:us-east-1:123456789012:function:{NAME}"
VALUES = {"manifest_table_name": "files", "record_days": 400}


def args(settings: dict[str, Any] | None = None, **changes: Any) -> FunctionArgs:
    return FunctionArgs(
        **{
            "scope": scope(),
            "logical_name": "ManifestBuilder",
            "entry": "handlers.ingestion.manifest_builder.handler",
            "settings": FunctionSettings.model_validate(settings or {}),
            "environment": SampleEnvironment,
            "values": VALUES,
            **changes,
        }
    )


def function(engine: Engine, settings: dict[str, Any] | None = None, **changes: Any) -> Recorded:
    return engine.run(lambda: Function("builder", args(settings, **changes)))


def granted(recorded: Recorded) -> dict[str, list[str]]:
    """Resource → actions of the function's role."""
    (policy,) = recorded.all("iam.RolePolicy")
    found: dict[str, list[str]] = {}
    for statement in json.loads(policy.inputs["policy"])["Statement"]:
        for resource in statement["Resource"]:
            found.setdefault(resource, []).extend(statement["Action"])
    return found


def test_a_function_is_small_traced_versioned_and_logs_json(engine: Engine) -> None:
    made = function(engine).one("lambda.Function").inputs
    assert (made["architectures"], made["runtime"], made["publish"]) == (["arm64"], "python3.13", True)
    assert (made["memorySize"], made["timeout"]) == (512, 60)
    assert made["tracingConfig"] == {"mode": "Active"}
    assert made["loggingConfig"]["logFormat"] == "JSON"
    assert made["loggingConfig"]["logGroup"] == f"/aws/lambda/{NAME}"
    assert made["role"] == "arn:aws:iam::123456789012:role/polyphony-test-ingestion-builder"


def test_its_own_logs_expire(engine: Engine) -> None:
    group = function(engine).one("cloudwatch.LogGroup").inputs
    assert (group["name"], group["retentionInDays"]) == (f"/aws/lambda/{NAME}", 90)


def test_it_exists_only_after_its_log_group_and_its_permissions(engine: Engine) -> None:
    recorded = function(engine)
    before = list(recorded.ancestors(recorded.one("lambda.Function")))
    assert recorded.one("cloudwatch.LogGroup") in before  # or Lambda makes one that never expires
    assert recorded.one("iam.RolePolicy") in before


def test_its_role_may_write_its_own_logs_and_traces_and_nothing_else(engine: Engine) -> None:
    assert granted(function(engine)) == {
        f"arn:aws:logs:us-east-1:123456789012:log-group:/aws/lambda/{NAME}:*": [
            "logs:CreateLogStream",
            "logs:PutLogEvents",
        ],
        "*": ["xray:PutTelemetryRecords", "xray:PutTraceSegments"],
    }


def test_the_environment_is_what_the_handler_reads(engine: Engine) -> None:
    variables = function(engine).one("lambda.Function").inputs["environment"]["variables"]
    read = SampleEnvironment(manifest_table_name="files", record_days=400).variables()
    assert variables == {**read, "POWERTOOLS_SERVICE_NAME": "ingestion"}
    assert (variables["LOG_LEVEL"], variables["MANIFEST_TABLE_NAME"]) == ("INFO", "files")


def test_errors_and_throttles_of_the_alias_ring(engine: Engine) -> None:
    alarms = function(engine).all("cloudwatch.MetricAlarm")
    assert {one.inputs["metricName"] for one in alarms} == {"Errors", "Throttles"}
    for one in alarms:
        assert one.inputs["dimensions"] == {"FunctionName": NAME, "Resource": f"{NAME}:live"}
        assert one.inputs["alarmActions"] == [scope().alerts_topic]


def test_the_alias_follows_the_newest_version_unless_it_is_pinned(engine: Engine) -> None:
    assert repr(function(engine).one("lambda.Alias").inputs["functionVersion"]) == "<known after deployment>"
    assert function(engine, {"liveVersion": "7"}).one("lambda.Alias").inputs["functionVersion"] == "7"


def test_a_roll_out_under_way_is_not_undone_by_a_deployment(engine: Engine) -> None:
    assert list(function(engine).one("lambda.Alias").request.ignoreChanges) == ["routingConfig"]


def test_a_queue_feeds_the_alias_and_only_failed_messages_return(engine: Engine) -> None:
    def program() -> None:
        queue = Queue("intake", QueueArgs(scope(), "Intake", consumer_timeout_seconds=60))
        Function("builder", args(queues=[QueueSource(queue, 100, 5, 10)]))

    recorded = engine.run(program)
    source = recorded.one("lambda.EventSourceMapping").inputs
    assert source["functionName"] == f"{ARN}:live"
    assert source["functionResponseTypes"] == ["ReportBatchItemFailures"]
    assert source["scalingConfig"] == {"maximumConcurrency": 10}
    queue_arn = "arn:aws:sqs:us-east-1:123456789012:polyphony-test-ingestion-intake"
    assert granted(recorded)[queue_arn] == ["sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"]


def test_a_large_batch_without_a_window_is_refused(engine: Engine) -> None:
    def program() -> None:
        queue = Queue("intake", QueueArgs(scope(), "Intake", consumer_timeout_seconds=60))
        Function("builder", args(queues=[QueueSource(queue, 100, 0, 10)]))

    with pytest.raises(ValueError, match="needs a window of at least 1 second"):
        engine.run(program)


def asynchronous(**changes: Any) -> Function:
    parked = DeadLetterQueue("builder-failed", DeadLetterQueueArgs(scope(), "BuilderFailed"))
    return Function("builder", args(asynchronous=Asynchronous(parked, **changes)))


def test_calls_that_nobody_waits_for_land_somewhere_by_the_alias(engine: Engine) -> None:
    recorded = engine.run(lambda: asynchronous(retries=1, max_age_seconds=60))
    invoke = recorded.one("lambda.FunctionEventInvokeConfig").inputs
    parked = "arn:aws:sqs:us-east-1:123456789012:polyphony-test-ingestion-builder-failed"
    assert invoke["qualifier"] == "live"  # on the bare function the settings would be ignored
    assert (invoke["maximumRetryAttempts"], invoke["maximumEventAgeInSeconds"]) == (1, 60)
    assert invoke["destinationConfig"] == {"onFailure": {"destination": parked}}
    assert granted(recorded)[parked] == ["sqs:SendMessage"]


def test_a_caller_that_does_not_wait_needs_a_place_for_failures(engine: Engine) -> None:
    def program() -> None:
        Function("builder", args()).allow("events", "events.amazonaws.com", "arn:aws:events:us-east-1:1:rule/x")

    with pytest.raises(ValueError, match="say where failed calls land"):
        engine.run(program)


BECAUSE = "what failed must not be stored anywhere"


def lost(**changes: Any) -> Asynchronous:
    return Asynchronous(**{"on_failure": None, "retries": 0, "max_age_seconds": 60, "lost_because": BECAUSE, **changes})


def test_calls_that_may_not_be_kept_land_nowhere_and_a_tag_says_why(engine: Engine) -> None:
    recorded = function(engine, asynchronous=lost())
    invoke = recorded.one("lambda.FunctionEventInvokeConfig").inputs
    assert invoke == {
        "functionName": NAME,
        "qualifier": "live",
        "maximumRetryAttempts": 0,
        "maximumEventAgeInSeconds": 60,
    }
    assert recorded.one("lambda.Function").inputs["tags"]["Reason"] == BECAUSE
    assert not [actions for actions in granted(recorded).values() if "sqs:SendMessage" in actions]


def test_a_function_without_such_calls_gives_no_reason(engine: Engine) -> None:
    assert "Reason" not in function(engine).one("lambda.Function").inputs["tags"]
    assert "Reason" not in engine.run(asynchronous).one("lambda.Function").inputs["tags"]


def test_failed_calls_land_somewhere_or_there_is_a_reason(engine: Engine) -> None:
    with pytest.raises(ValueError, match="say where failed calls land, or why they must not land anywhere; not both"):
        function(engine, asynchronous=lost(lost_because=None))


def test_failed_calls_that_land_are_not_lost(engine: Engine) -> None:
    def program() -> None:
        parked = DeadLetterQueue("builder-failed", DeadLetterQueueArgs(scope(), "BuilderFailed"))
        Function("builder", args(asynchronous=lost(on_failure=parked)))

    with pytest.raises(ValueError, match="not both"):
        engine.run(program)


@pytest.mark.parametrize("service", ["events.amazonaws.com", "s3.amazonaws.com", "sns.amazonaws.com"])
def test_a_reason_for_losing_calls_lets_in_nobody_who_does_not_wait(engine: Engine, service: str) -> None:
    def program() -> None:
        made = Function("builder", args(asynchronous=lost()))
        made.allow("caller", service, "arn:aws:events:us-east-1:123456789012:rule/x")

    with pytest.raises(ValueError, match="say where failed calls land"):
        engine.run(program)


def test_an_address_that_only_aws_knows_hides_nothing_else_of_the_environment(engine: Engine) -> None:
    def program() -> None:
        queue = Queue("intake", QueueArgs(scope(), "Intake", consumer_timeout_seconds=60))
        Function("builder", args(endpoints={"AWS_ENDPOINT_URL_SQS": queue.url}))

    found = engine.run(program).one("lambda.Function").inputs["environment"]["variables"]
    assert [name for name, value in found.items() if value is UNKNOWN] == ["AWS_ENDPOINT_URL_SQS"]
    assert found["MANIFEST_TABLE_NAME"] == "files"


def test_lambdas_own_lines_are_warnings_unless_memory_is_watched(engine: Engine) -> None:
    def level(**changes: Any) -> str:
        found: str = function(engine, **changes).one("lambda.Function").inputs["loggingConfig"]["systemLogLevel"]
        return found

    assert level() == "WARN"
    assert level(memory_percent_above=90) == "INFO", "Lambda reports the memory that was used at this level only"


def test_a_caller_is_let_in_on_the_alias_for_one_resource_of_this_account(engine: Engine) -> None:
    bucket = "arn:aws:s3:::landing"
    recorded = engine.run(lambda: asynchronous().allow("landing", "s3.amazonaws.com", bucket))
    permission = recorded.one("lambda.Permission").inputs
    assert (permission["qualifier"], permission["sourceArn"]) == ("live", bucket)
    assert permission["sourceAccount"] == "123456789012"


@pytest.mark.parametrize(
    ("service", "arn"),
    [
        ("apigateway.amazonaws.com", "arn:aws:execute-api:us-east-1:123456789012:abc/live/*"),
        ("events.amazonaws.com", "arn:aws:events:us-east-1:123456789012:rule/x"),
    ],
)
def test_who_is_named_by_an_arn_with_the_account_is_let_in_by_that_alone(
    engine: Engine, service: str, arn: str
) -> None:
    recorded = engine.run(lambda: asynchronous().allow("caller", service, arn))
    permission = recorded.one("lambda.Permission").inputs
    assert (permission["qualifier"], permission["sourceArn"]) == ("live", arn)
    assert "sourceAccount" not in permission, "it is not documented to send the key: the condition might never hold"


def test_an_attached_function_may_manage_its_network_interfaces(engine: Engine) -> None:
    recorded = function(engine, attachment=Attachment(["subnet-1"], ["sg-1"]))
    assert recorded.one("lambda.Function").inputs["vpcConfig"] == {
        "subnetIds": ["subnet-1"],
        "securityGroupIds": ["sg-1"],
    }
    assert granted(recorded)["arn:aws:ec2:us-east-1:123456789012:*/*"] == [
        "ec2:CreateNetworkInterface",
        "ec2:DeleteNetworkInterface",
    ]


def test_an_environment_with_a_key_of_ours_may_be_decrypted_by_the_function_alone(engine: Engine) -> None:
    key = "arn:aws:kms:us-east-1:123456789012:key/0a1b2c3d-0000-1111-2222-333344445555"
    recorded = function(engine, environment_key_arn=key)
    assert recorded.one("lambda.Function").inputs["kmsKeyArn"] == key
    assert granted(recorded)[key] == ["kms:Decrypt"]


def test_warm_environments_stand_on_the_alias(engine: Engine) -> None:
    provisioned = function(engine, {"provisionedConcurrency": 2}).one("lambda.ProvisionedConcurrencyConfig").inputs
    assert (provisioned["qualifier"], provisioned["provisionedConcurrentExecutions"]) == ("live", 2)


def test_snap_start_applies_to_published_versions(engine: Engine) -> None:
    made = function(engine, {"snapStart": True}).one("lambda.Function").inputs
    assert made["snapStart"] == {"applyOn": "PublishedVersions"}
