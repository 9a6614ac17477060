"""Specs (the required behaviour of each policy) and further cases of the guardrail policies about reliability: dead-
letter queues, retries, timeouts, alarms, logs and traces.
"""

import json

from guardrails.model import resource_types as t
from tests.policies.policy_harness import (
    UNDECIDED,
    UNKNOWN,
    PolicyCase,
    PolicySpec,
    SampleResource,
    change_resource,
    drop_resource,
    expect_finding,
    expect_no_finding,
    insert_resources,
    property_spec,
    resource_spec,
)
from tests.policies.specs.sample_iam_documents import ACCOUNT, QUEUE_ARN, REGION

BUILDER = "ingestion-manifest-builder-function"
"""Pulumi name of a function in the recorded program."""
REDRIVE = json.dumps({"deadLetterTargetArn": f"{QUEUE_ARN}-dead-letters", "maxReceiveCount": 5})
ONE_TRY_REDRIVE = json.dumps({"deadLetterTargetArn": f"{QUEUE_ARN}-dead-letters", "maxReceiveCount": 1})
FUNCTION_ARN = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:f"
EVENT_SOURCE = {
    "eventSourceArn": QUEUE_ARN,
    "functionName": f"{FUNCTION_ARN}:live",
    "functionResponseTypes": ["ReportBatchItemFailures"],
}
STAGE_SETTINGS = {"throttlingRateLimit": 50, "throttlingBurstLimit": 100, "loggingLevel": "ERROR"}
WEBSOCKET_STAGE = {
    "name": "live",
    "accessLogSettings": {"destinationArn": "arn"},
    "defaultRouteSettings": STAGE_SETTINGS,
}
REST_STAGE = SampleResource(t.REST_STAGE, {"restApi": "a", "stageName": "s"})
ALARM = {
    "alarmActions": ["arn"],
    "treatMissingData": "notBreaching",
    "alarmDescription": "It fails. Runbook: docs/runbooks/x.md",
}
SPOT_RETRIES = {
    "attempts": 3,
    "evaluateOnExits": [{"onStatusReason": "Your Spot*", "action": "RETRY"}, {"onReason": "*", "action": "EXIT"}],
}


def function_alarm_spec(policy: str, metric: str) -> PolicySpec:
    """Return a spec of an alarm that every function needs. The alarm must watch the function's alias `live`."""

    def alarm(**dimensions: str) -> SampleResource:
        return SampleResource(
            t.ALARM, {"namespace": "AWS/Lambda", "metricName": metric, "dimensions": dimensions}, "alarm"
        )

    return PolicySpec(
        policy,
        good=[FUNCTION, alias("f"), alarm(FunctionName="f", Resource="f:live")],
        bad=[FUNCTION, alias("f"), alarm(FunctionName="f")],
        message_part="Resource with f:live",
        unknown=[SampleResource(t.FUNCTION, {"name": UNKNOWN}), alias("f")],
        break_program=drop_resource(f"ingestion-manifest-builder-{metric.lower()}-alarm", BUILDER),
    )


def queue_and_consumer(visibility_timeout: object, batching_window: object = None) -> list[SampleResource]:
    """Return a queue, and a function with a timeout of 60 seconds that consumes it."""
    return [
        SampleResource(t.QUEUE, {"name": "q", "visibilityTimeoutSeconds": visibility_timeout}, "queue"),
        SampleResource(t.FUNCTION, {"name": "f", "timeout": 60}, "f"),
        SampleResource(t.EVENT_SOURCE_MAPPING, {**EVENT_SOURCE, "maximumBatchingWindowInSeconds": batching_window}),
    ]


def definition(**task: object) -> str:
    """Return the definition of a workflow in which the task `T` is inside a map."""
    item_processor = {"States": {"T": {"Type": "Task", **task}}}
    return json.dumps({"States": {"M": {"Type": "Map", "ItemProcessor": item_processor}}})


def rest_stage_with(settings: object) -> list[SampleResource]:
    """Return a REST stage with settings of all its methods."""
    props = {"restApi": "a", "stageName": "s", "methodPath": "*/*", "settings": settings}
    return [REST_STAGE, SampleResource(t.REST_METHOD_SETTINGS, props, "settings")]


def stage_spec(policy: str, bad: dict[str, object], message_part: str) -> PolicySpec:
    """Return a spec of a WebSocket stage's settings. The recorded program gets a REST stage without settings."""
    return resource_spec(
        policy,
        t.API_V2_STAGE,
        WEBSOCKET_STAGE,
        bad,
        message_part,
        "defaultRouteSettings",
        break_program=insert_resources([REST_STAGE]),
    )


DEAD_LETTER_QUEUE = SampleResource(t.QUEUE, {"name": "q-dlq"})
ASYNC_WITH_DESTINATION = SampleResource(
    t.FUNCTION_ASYNC_CONFIG,
    {"functionName": "f", "destinationConfig": {"onFailure": {"destination": QUEUE_ARN}}},
    "async",
)
ASYNC_WITHOUT_DESTINATION = SampleResource(
    t.FUNCTION_ASYNC_CONFIG, {"functionName": "f", "maximumRetryAttempts": 0}, "async"
)
FUNCTION = SampleResource(t.FUNCTION, {"name": "f"})
FUNCTION_WITH_REASON = SampleResource(
    t.FUNCTION, {"name": "f", "tags": {"Reason": "a record would hold what must not be stored"}}
)


def permission_for(service: str, function: str = "f") -> SampleResource:
    """Return a permission by which a service calls a function."""
    props = {"function": function, "principal": f"{service}.amazonaws.com"}
    return SampleResource(t.FUNCTION_PERMISSION, props, f"{service}-{function}")


def queue_alarm(comparison: str, threshold: int) -> SampleResource:
    """Return an alarm on the visible messages of a queue."""
    return SampleResource(
        t.ALARM,
        {
            "metricName": "ApproximateNumberOfMessagesVisible",
            "dimensions": {"QueueName": "q-dlq"},
            "comparisonOperator": comparison,
            "threshold": threshold,
        },
        "alarm",
    )


def schedule(arn: str, **references: list[str]) -> SampleResource:
    """Return a schedule that calls a function."""
    return SampleResource(t.SCHEDULE, {"target": {"arn": arn}}, "nightly", references=references)


def alias(function_name: str) -> SampleResource:
    """Return the alias `live` of a function."""
    return SampleResource(t.FUNCTION_ALIAS, {"functionName": function_name, "name": "live"}, "live")


def late_alarm_case(comparison: str, threshold: int) -> PolicyCase:
    """Return a case of a dead-letter queue whose alarm ignores the first message."""
    return expect_finding(
        "dead-letters-watched", "No alarm watches", DEAD_LETTER_QUEUE, queue_alarm(comparison, threshold)
    )


SPECS = (
    resource_spec(
        "queue-has-dead-letters",
        t.QUEUE,
        {"name": "q", "redrivePolicy": REDRIVE},
        {"redrivePolicy": None},
        "no dead-letter queue",
        "name",
        break_program=change_resource("ingestion-intake-queue", {"redrivePolicy": None}),
    ),
    property_spec(
        "dead-letters-kept", t.QUEUE, "messageRetentionSeconds", 1_209_600, 86_400, "for 1 days instead of 14", "q-dlq"
    ),
    resource_spec(
        "dead-letters-watched",
        t.QUEUE,
        {"name": "q-dlq"},
        {"name": "r-dlq"},
        "No alarm watches",
        other_resources=[queue_alarm("GreaterThanThreshold", 0)],
    ),
    property_spec("queue-retries-first", t.QUEUE, "redrivePolicy", REDRIVE, ONE_TRY_REDRIVE, "maxReceiveCount is 1"),
    property_spec(
        "event-target-has-dead-letters", t.EVENT_TARGET, "deadLetterConfig", {"arn": QUEUE_ARN}, None, "is not set"
    ),
    property_spec(
        "event-target-is-no-topic",
        t.EVENT_TARGET,
        "arn",
        QUEUE_ARN,
        "arn:aws:sns:us-east-1:123456789012:alerts",
        "The target is a topic",
    ),
    property_spec(
        "schedule-has-dead-letters",
        t.SCHEDULE,
        "target",
        {"deadLetterConfig": {"arn": QUEUE_ARN}},
        {"arn": FUNCTION_ARN},
        "deadLetterConfig is not set",
    ),
    resource_spec(
        "async-failure-lands",
        t.FUNCTION,
        {"name": "f"},
        {"name": "g"},
        "s3.amazonaws.com",
        other_resources=[permission_for("s3"), permission_for("s3", "g"), ASYNC_WITH_DESTINATION],
        break_program=insert_resources([permission_for("sns", "polyphony-prod-ingestion-manifest-builder")], BUILDER),
    ),
    PolicySpec(
        "queue-hides-long-enough",
        good=queue_and_consumer(361, 1),
        bad=queue_and_consumer(360, 1),
        message_part="is 360 seconds, less than 6 times the timeout of f (60 seconds), plus the batching window",
        unknown=queue_and_consumer(UNKNOWN),
        break_program=change_resource(BUILDER, {"timeout": 61}, "ingestion-intake-source"),
    ),
    resource_spec(
        "queue-fails-one-by-one",
        t.EVENT_SOURCE_MAPPING,
        EVENT_SOURCE,
        {"functionResponseTypes": []},
        "whole batch",
        "eventSourceArn",
    ),
    resource_spec(
        "queue-fed-function-no-dlq",
        t.FUNCTION,
        {"name": "f"},
        {"deadLetterConfig": {"targetArn": QUEUE_ARN}},
        "never receives a message",
        "name",
        other_resources=[SampleResource(t.EVENT_SOURCE_MAPPING, EVENT_SOURCE, "source")],
    ),
    resource_spec(
        "function-called-by-alias",
        t.EVENT_SOURCE_MAPPING,
        EVENT_SOURCE,
        {"functionName": FUNCTION_ARN},
        "without an alias",
    ),
    PolicySpec(
        "notification-after-permission",
        good=[
            SampleResource(t.QUEUE_POLICY, {}, "policy"),
            SampleResource(t.BUCKET_NOTIFICATION, {"queues": [{}]}, depends_on=["policy"]),
        ],
        bad=[SampleResource(t.QUEUE_POLICY, {}, "policy"), SampleResource(t.BUCKET_NOTIFICATION, {"queues": [{}]})],
        message_part="does not depend on a queue policy",
        unknown=[SampleResource(t.BUCKET_NOTIFICATION, {"queues": UNKNOWN})],
        break_program=drop_resource("ingestion-intake-policy", "ingestion-landing-notification"),
    ),
    function_alarm_spec("function-errors-watched", "Errors"),
    function_alarm_spec("function-throttles-watched", "Throttles"),
    property_spec("function-traced", t.FUNCTION, "tracingConfig.mode", "Active", "PassThrough", "PassThrough"),
    property_spec("function-logs-json", t.FUNCTION, "loggingConfig", {"logFormat": "JSON"}, None, "Text"),
    resource_spec(
        "api-function-answers-in-time",
        t.FUNCTION,
        {"name": "f", "timeout": 29},
        {"timeout": 30},
        "30 seconds, but API Gateway stops waiting after 29",
        other_resources=[permission_for("apigateway")],
        break_program=insert_resources(
            [permission_for("apigateway", "polyphony-prod-ingestion-manifest-builder")], BUILDER
        ),
    ),
    property_spec("function-publishes-versions", t.FUNCTION, "publish", True, None, "no version for a rollback"),
    resource_spec("alarm-has-action", t.ALARM, ALARM, {"alarmActions": []}, "notifies no operator"),
    resource_spec(
        "alarm-decides-missing-data", t.ALARM, ALARM, {"treatMissingData": None}, "treatMissingData is not set"
    ),
    resource_spec("alarm-names-runbook", t.ALARM, ALARM, {"alarmDescription": "It fails."}, "'It fails.'"),
    property_spec(
        "workflow-tasks-retried",
        t.WORKFLOW,
        "definition",
        definition(Retry=[{}]),
        definition(Retry=[]),
        "T has neither",
    ),
    property_spec(
        "workflow-tasks-bounded",
        t.WORKFLOW,
        "definition",
        definition(TimeoutSeconds=60),
        definition(),
        "T has no timeout",
    ),
    property_spec("workflow-logged", t.WORKFLOW, "loggingConfiguration.level", "ERROR", "OFF", "OFF"),
    property_spec(
        "workflow-traced", t.WORKFLOW, "tracingConfiguration.enabled", True, False, "executions are not traced"
    ),
    resource_spec(
        "workflow-failures-watched",
        t.WORKFLOW,
        {"name": "w"},
        {"name": "x"},
        "ExecutionsFailed",
        other_resources=[
            SampleResource(
                t.ALARM, {"metricName": "ExecutionsFailed", "dimensions": {"StateMachineArn": "a:w"}}, "alarm"
            )
        ],
    ),
    stage_spec(
        "api-throttled", {"defaultRouteSettings": {**STAGE_SETTINGS, "throttlingRateLimit": 0}}, "throttlingRateLimit"
    ),
    stage_spec("api-logged", {"accessLogSettings": None}, "no access log"),
    PolicySpec(
        "api-measured",
        good=rest_stage_with({"metricsEnabled": True}),
        bad=rest_stage_with({"metricsEnabled": False}),
        message_part="metricsEnabled is not true",
        unknown=rest_stage_with(UNKNOWN),
        break_program=insert_resources([REST_STAGE]),
    ),
    property_spec("rest-api-traced", t.REST_STAGE, "xrayTracingEnabled", True, False, "xrayTracingEnabled"),
    PolicySpec(
        "rest-api-deploys-changes",
        good=[SampleResource(t.REST_DEPLOYMENT, {"triggers": {"hash": UNKNOWN}})],
        bad=[SampleResource(t.REST_DEPLOYMENT, {"restApi": "a"})],
        message_part="triggers is not set",
        unknown=[SampleResource(t.REST_DEPLOYMENT, {"restApi": UNKNOWN})],
        break_program=insert_resources([SampleResource(t.REST_DEPLOYMENT, {"restApi": "a"})]),
        undecided=False,
    ),
    property_spec(
        "batch-retries-reclaims", t.BATCH_JOB, "retryStrategy", SPOT_RETRIES, {"attempts": 3}, "onReason * → EXIT"
    ),
    property_spec(
        "batch-job-bounded", t.BATCH_JOB, "timeout", {"attemptDurationSeconds": 3600}, None, "attemptDurationSeconds"
    ),
    property_spec("glue-engine-supported", t.GLUE_JOB, "glueVersion", "5.0", "2.0", "glueVersion is 2.0"),
    property_spec(
        "runtime-supported", t.FUNCTION, "runtime", "python3.13", "nodejs22.x", "nodejs22.x ends on 2027-04-30"
    ),
)

CASES = (
    expect_finding(
        "queue-has-dead-letters",
        "names the queue itself",
        SampleResource(t.QUEUE, {"name": "q", "redrivePolicy": json.dumps({"deadLetterTargetArn": QUEUE_ARN})}),
    ),
    # The policy needs the names of all dead-letter queues to check one queue.
    expect_finding(
        "queue-has-dead-letters",
        UNDECIDED,
        SampleResource(t.QUEUE, {"name": UNKNOWN}, "unknown"),
        SampleResource(t.QUEUE, {"name": "q"}),
    ),
    expect_finding(
        "function-errors-watched",
        "the metric Errors",
        SampleResource(t.FUNCTION, {"name": UNKNOWN}, "unknown"),
        FUNCTION,
    ),
    expect_no_finding("dead-letters-watched", DEAD_LETTER_QUEUE, queue_alarm("GreaterThanOrEqualToThreshold", 1)),
    expect_no_finding("glue-engine-supported", SampleResource(t.GLUE_JOB, {"glueVersion": "4.0"})),
    late_alarm_case("GreaterThanThreshold", 1),
    late_alarm_case("GreaterThanOrEqualToThreshold", 2),
    late_alarm_case("LessThanThreshold", 0),
    expect_finding(
        "async-failure-lands", "scheduler.amazonaws.com calls the function", FUNCTION, schedule(f"{FUNCTION_ARN}:live")
    ),
    expect_no_finding("async-failure-lands", FUNCTION, schedule(f"{FUNCTION_ARN}-other:live")),
    expect_finding("async-failure-lands", "scheduler", FUNCTION, alias("f"), schedule(UNKNOWN, target=["live"])),
    # The unknown target of a schedule does not hide another fault.
    expect_finding(
        "async-failure-lands",
        "s3.amazonaws.com",
        FUNCTION,
        permission_for("s3"),
        alias("g"),
        schedule(UNKNOWN, target=["live"]),
    ),
    # A function needs no destination if the tag Reason explains that in a text of some length.
    expect_no_finding("async-failure-lands", FUNCTION_WITH_REASON, ASYNC_WITHOUT_DESTINATION),
    expect_finding("async-failure-lands", "no tag Reason", FUNCTION, ASYNC_WITHOUT_DESTINATION),
    expect_finding(
        "async-failure-lands",
        "no tag",
        SampleResource(t.FUNCTION, {"name": "f", "tags": {"Reason": "ok"}}),
        ASYNC_WITHOUT_DESTINATION,
    ),
    # The tag excuses only calls of our own code, because that code can repeat them.
    expect_finding(
        "async-failure-lands", "s3.amazonaws.com", FUNCTION_WITH_REASON, permission_for("s3"), ASYNC_WITHOUT_DESTINATION
    ),
    expect_finding(
        "batch-retries-reclaims", "attempts is 1", SampleResource(t.BATCH_JOB, {"retryStrategy": {"attempts": 1}})
    ),
    expect_finding("runtime-supported", "ruby3.2 is not in", SampleResource(t.FUNCTION, {"runtime": "ruby3.2"})),
    expect_no_finding("runtime-supported", SampleResource(t.FUNCTION, {"packageType": "Image"})),
    expect_finding("alarm-has-action", "actionsEnabled", SampleResource(t.ALARM, {**ALARM, "actionsEnabled": False})),
    expect_finding(
        "workflow-tasks-retried",
        "task In",
        SampleResource(
            t.WORKFLOW,
            {"definition": json.dumps({"States": {"P": {"Branches": [{"States": {"In": {"Type": "Task"}}}]}}})},
        ),
    ),
)
