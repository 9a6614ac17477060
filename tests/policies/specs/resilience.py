"""Reliability: dead letters, queues, functions, alarms, workflows, APIs, jobs, runtimes."""

import json

from guardrails import types as t
from tests.policies.harness import UNDECIDED, UNKNOWN, Case, Spec, Thing, changes, drops, finds, inserted, passes, spec
from tests.policies.specs.documents import ACCOUNT, REGION

BUILDER = "ingestion-manifest-builder-function"
QUEUE, DLQ, SOURCE = "ingestion-intake-queue", "ingestion-intake-dlq-queue", "ingestion-intake-source"
QUEUE_ARN = f"arn:aws:sqs:{REGION}:{ACCOUNT}:q"
REDRIVE = json.dumps({"deadLetterTargetArn": f"{QUEUE_ARN}-parked", "maxReceiveCount": 5})
HASTY = json.dumps({"deadLetterTargetArn": f"{QUEUE_ARN}-parked", "maxReceiveCount": 1})
FUNCTION_ARN = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:f"
FEEDS = {
    "eventSourceArn": QUEUE_ARN,
    "functionName": f"{FUNCTION_ARN}:live",
    "functionResponseTypes": ["ReportBatchItemFailures"],
}
FED = Thing(t.FUNCTION_SOURCE, FEEDS, "source")
ALIAS = Thing(t.FUNCTION_ALIAS, {"name": "live", "functionName": "f"}, "alias")
STAGE_SETTINGS = {
    "throttlingRateLimit": 50,
    "throttlingBurstLimit": 100,
    "loggingLevel": "ERROR",
}
STAGE = {"name": "live", "accessLogSettings": {"destinationArn": "arn"}, "defaultRouteSettings": STAGE_SETTINGS}
REST = Thing(t.REST_STAGE, {"restApi": "a", "stageName": "s"})
EVERY_METHOD = {"restApi": "a", "stageName": "s", "methodPath": "*/*"}
TASK = {"Type": "Task", "Retry": [{}], "TimeoutSeconds": 60}
ALARM = {
    "alarmActions": ["arn"],
    "treatMissingData": "notBreaching",
    "alarmDescription": "It fails. Runbook: docs/runbooks/x.md",
}
SPOT_RETRIES = {
    "attempts": 3,
    "evaluateOnExits": [{"onStatusReason": "Your Spot*", "action": "RETRY"}, {"onReason": "*", "action": "EXIT"}],
}
ERRORS_ALARM = "ingestion-manifest-builder-errors-alarm"
SOCKETS = {"resourceArn": f"arn:aws:apigateway:{REGION}::/apis/a/stages/s"}
PUBLISHED = f"arn:aws:sns:{REGION}:{ACCOUNT}:t"


def lambda_alarm(metric: str, **dimensions: str) -> Thing:
    """An alarm on a function."""
    return Thing(t.ALARM, {"namespace": "AWS/Lambda", "metricName": metric, "dimensions": dimensions}, "alarm")


def watched(policy: str, metric: str, breaks: str) -> Spec:
    """A spec of one alarm that every function has."""
    function = Thing(t.FUNCTION, {"name": "f"})
    right = lambda_alarm(metric, FunctionName="f", Resource="f:live")
    return Spec(
        policy,
        good=[function, ALIAS, right],
        bad=[function, ALIAS, lambda_alarm(metric, FunctionName="f")],
        says="Resource of f:live",
        unknown=[Thing(t.FUNCTION, {"name": UNKNOWN}), ALIAS, right],
        breaks=drops(breaks, BUILDER),
    )


def workflow(*, states: dict[str, object]) -> str:
    """A state machine's definition, its tasks inside a map."""
    inner = {"StartAt": "T", "States": states}
    return json.dumps(
        {"QueryLanguage": "JSONata", "StartAt": "M", "States": {"M": {"Type": "Map", "ItemProcessor": inner}}}
    )


def stage(policy: str, bad: dict[str, object], says: str) -> Spec:
    """A spec of a stage's settings, for a WebSocket stage; a REST stage without any is added to the real program."""
    return spec(policy, t.SOCKET_STAGE, STAGE, bad, says, "defaultRouteSettings", breaks=inserted([REST]))


QUEUE_OF_FAILURES = Thing(t.QUEUE, {"name": "q-dlq"})
DROPPING = Thing(t.FUNCTION_ASYNC, {"functionName": "f", "maximumRetryAttempts": 0}, "async")
FUNCTION = Thing(t.FUNCTION, {"name": "f"})
EXCUSED = Thing(t.FUNCTION, {"name": "f", "tags": {"Reason": "a record would hold what must not be stored"}})
S3_CALLS = Thing(t.FUNCTION_PERMISSION, {"function": "f", "principal": "s3.amazonaws.com"}, "permission")


def rings(comparison: str, threshold: int) -> Thing:
    """An alarm on a queue's visible messages."""
    return Thing(
        t.ALARM,
        {
            "metricName": "ApproximateNumberOfMessagesVisible",
            "dimensions": {"QueueName": "q-dlq"},
            "comparisonOperator": comparison,
            "threshold": threshold,
        },
        "alarm",
    )


def schedule(arn: str, **refers: list[str]) -> Thing:
    """A schedule of a function."""
    return Thing(t.SCHEDULE, {"target": {"arn": arn}}, "nightly", refers=refers)


def alias(of: str) -> Thing:
    """A function's alias."""
    return Thing(t.FUNCTION_ALIAS, {"functionName": of, "name": "live"}, "live")


def unwatched(comparison: str, threshold: int) -> Case:
    """A queue of failed work whose alarm does not ring at the first message."""
    return finds("dead-letters-watched", "No alarm watches", QUEUE_OF_FAILURES, rings(comparison, threshold))


SPECS = (
    spec(
        "queue-has-dead-letters",
        t.QUEUE,
        {"name": "q", "redrivePolicy": REDRIVE},
        {"redrivePolicy": None},
        "no dead-letter queue",
        "name",
        breaks=changes(QUEUE, {"redrivePolicy": None}),
    ),
    spec(
        "dead-letters-kept",
        t.QUEUE,
        {"name": "q-dlq", "messageRetentionSeconds": 1_209_600},
        {"messageRetentionSeconds": 86_400},
        "for 1 days, not 14",
        "messageRetentionSeconds",
    ),
    spec(
        "dead-letters-watched",
        t.QUEUE,
        {"name": "q-dlq"},
        {"name": "r-dlq"},
        "No alarm watches",
        "name",
        around=[rings("GreaterThanThreshold", 0)],
    ),
    spec(
        "queue-retries-first",
        t.QUEUE,
        {"name": "q", "redrivePolicy": REDRIVE},
        {"redrivePolicy": HASTY},
        "maxReceiveCount is 1",
        "redrivePolicy",
    ),
    spec(
        "event-target-has-dead-letters",
        t.EVENT_TARGET,
        {"deadLetterConfig": {"arn": QUEUE_ARN}},
        {"deadLetterConfig": None},
        "no deadLetterConfig",
        "deadLetterConfig",
    ),
    spec(
        "schedule-has-dead-letters",
        t.SCHEDULE,
        {"target": {"deadLetterConfig": {"arn": QUEUE_ARN}}},
        {"target": {"arn": FUNCTION_ARN}},
        "no deadLetterConfig",
        "target",
    ),
    spec(
        "async-failure-lands",
        t.FUNCTION,
        {"name": "f"},
        {"name": "g"},
        "s3.amazonaws.com",
        "name",
        around=[
            Thing(t.FUNCTION_PERMISSION, {"function": "f", "principal": "s3.amazonaws.com"}, "one"),
            Thing(t.FUNCTION_PERMISSION, {"function": "g", "principal": "s3.amazonaws.com"}, "two"),
            Thing(
                t.FUNCTION_ASYNC,
                {"functionName": "f", "destinationConfig": {"onFailure": {"destination": QUEUE_ARN}}},
                "async",
            ),
        ],
        breaks=inserted(
            [
                Thing(
                    t.FUNCTION_PERMISSION,
                    {"function": "polyphony-prod-ingestion-manifest-builder", "principal": "sns.amazonaws.com"},
                    "one",
                )
            ],
            BUILDER,
        ),
    ),
    Spec(
        "queue-hides-long-enough",
        good=[
            Thing(t.QUEUE, {"name": "q", "visibilityTimeoutSeconds": 360}, "queue"),
            Thing(t.FUNCTION, {"name": "f", "timeout": 60}, "f"),
            Thing(t.FUNCTION_SOURCE, FEEDS),
        ],
        bad=[
            Thing(t.QUEUE, {"name": "q", "visibilityTimeoutSeconds": 60}, "queue"),
            Thing(t.FUNCTION, {"name": "f", "timeout": 60}, "f"),
            Thing(t.FUNCTION_SOURCE, FEEDS),
        ],
        says="hidden for 60 seconds, less than 6 times the 60 seconds",
        unknown=[
            Thing(t.QUEUE, {"name": "q", "visibilityTimeoutSeconds": UNKNOWN}, "queue"),
            Thing(t.FUNCTION, {"name": "f"}, "f"),
            Thing(t.FUNCTION_SOURCE, FEEDS),
        ],
        breaks=changes(BUILDER, {"timeout": 61}, SOURCE),
    ),
    spec(
        "queue-fails-one-by-one",
        t.FUNCTION_SOURCE,
        FEEDS,
        {"functionResponseTypes": []},
        "whole batch",
        "eventSourceArn",
    ),
    spec(
        "queue-fed-function-no-dlq",
        t.FUNCTION,
        {"name": "f"},
        {"deadLetterConfig": {"targetArn": QUEUE_ARN}},
        "never gets a message",
        "name",
        around=[FED],
    ),
    spec(
        "function-called-by-alias",
        t.FUNCTION_SOURCE,
        FEEDS,
        {"functionName": FUNCTION_ARN},
        "bare function",
        "functionName",
    ),
    Spec(
        "notification-after-permission",
        good=[Thing(t.QUEUE_POLICY, {}, "policy"), Thing(t.BUCKET_NOTIFICATION, {"queues": [{}]}, after=["policy"])],
        bad=[Thing(t.QUEUE_POLICY, {}, "policy"), Thing(t.BUCKET_NOTIFICATION, {"queues": [{}]})],
        says="before the queue's policy",
        unknown=[Thing(t.BUCKET_NOTIFICATION, {"queues": UNKNOWN})],
        breaks=drops("ingestion-intake-policy", "ingestion-landing-notification"),
    ),
    watched("function-errors-watched", "Errors", ERRORS_ALARM),
    watched("function-throttles-watched", "Throttles", "ingestion-manifest-builder-throttles-alarm"),
    spec(
        "function-traced",
        t.FUNCTION,
        {"tracingConfig": {"mode": "Active"}},
        {"tracingConfig": {"mode": "PassThrough"}},
        "PassThrough",
        "tracingConfig",
    ),
    spec(
        "function-logs-json",
        t.FUNCTION,
        {"loggingConfig": {"logFormat": "JSON"}},
        {"loggingConfig": None},
        "Text",
        "loggingConfig",
    ),
    spec(
        "api-function-answers-in-time",
        t.FUNCTION,
        {"name": "f", "timeout": 29},
        {"timeout": 30},
        "30 seconds, but API Gateway gives up after 29",
        "timeout",
        around=[Thing(t.FUNCTION_PERMISSION, {"function": "f", "principal": "apigateway.amazonaws.com"}, "permission")],
        breaks=inserted(
            [
                Thing(
                    t.FUNCTION_PERMISSION,
                    {"function": "polyphony-prod-ingestion-manifest-builder", "principal": "apigateway.amazonaws.com"},
                    "one",
                )
            ],
            BUILDER,
        ),
    ),
    spec(
        "function-publishes-versions",
        t.FUNCTION,
        {"publish": True},
        {"publish": None},
        "no version",
        "publish",
    ),
    spec(
        "alarm-has-action",
        t.ALARM,
        ALARM,
        {"alarmActions": []},
        "tells nobody",
        "alarmActions",
    ),
    spec(
        "alarm-decides-missing-data",
        t.ALARM,
        ALARM,
        {"treatMissingData": None},
        "missing data",
        "treatMissingData",
    ),
    spec(
        "alarm-names-runbook",
        t.ALARM,
        ALARM,
        {"alarmDescription": "It fails."},
        "'It fails.'",
        "alarmDescription",
    ),
    spec(
        "workflow-tasks-retried",
        t.WORKFLOW,
        {"definition": workflow(states={"T": TASK})},
        {"definition": workflow(states={"T": {**TASK, "Retry": []}})},
        "task T has neither",
        "definition",
    ),
    spec(
        "workflow-tasks-bounded",
        t.WORKFLOW,
        {"definition": workflow(states={"T": TASK})},
        {"definition": workflow(states={"T": {"Type": "Task"}})},
        "task T has no timeout",
        "definition",
    ),
    spec(
        "workflow-logged",
        t.WORKFLOW,
        {"loggingConfiguration": {"level": "ERROR"}},
        {"loggingConfiguration": {"level": "OFF"}},
        "OFF",
        "loggingConfiguration",
    ),
    spec(
        "workflow-traced",
        t.WORKFLOW,
        {"tracingConfiguration": {"enabled": True}},
        {"tracingConfiguration": {"enabled": False}},
        "not traced",
        "tracingConfiguration",
    ),
    spec(
        "workflow-failures-watched",
        t.WORKFLOW,
        {"name": "w"},
        {"name": "x"},
        "ExecutionsFailed",
        "name",
        around=[
            Thing(
                t.ALARM,
                {
                    "metricName": "ExecutionsFailed",
                    "dimensions": {"StateMachineArn": "arn:aws:states:r:1:stateMachine:w"},
                },
                "alarm",
            )
        ],
    ),
    stage(
        "api-throttled", {"defaultRouteSettings": {**STAGE_SETTINGS, "throttlingRateLimit": 0}}, "throttlingRateLimit"
    ),
    stage("api-logged", {"accessLogSettings": None}, "no access log"),
    Spec(
        "api-measured",
        good=[REST, Thing(t.REST_METHOD_SETTINGS, {**EVERY_METHOD, "settings": {"metricsEnabled": True}}, "settings")],
        bad=[REST, Thing(t.REST_METHOD_SETTINGS, {**EVERY_METHOD, "settings": {"metricsEnabled": False}}, "settings")],
        says="metrics are off",
        unknown=[REST, Thing(t.REST_METHOD_SETTINGS, {**EVERY_METHOD, "settings": UNKNOWN}, "settings")],
        breaks=inserted([REST]),
    ),
    spec(
        "rest-api-traced",
        t.REST_STAGE,
        {"xrayTracingEnabled": True},
        {"xrayTracingEnabled": False},
        "xrayTracingEnabled",
        "xrayTracingEnabled",
    ),
    Spec(
        "rest-api-deploys-changes",
        good=[Thing(t.REST_DEPLOYMENT, {"triggers": {"hash": UNKNOWN}})],
        bad=[Thing(t.REST_DEPLOYMENT, {"restApi": "a"})],
        says="no triggers",
        unknown=[Thing(t.REST_DEPLOYMENT, {"restApi": UNKNOWN})],
        breaks=inserted([Thing(t.REST_DEPLOYMENT, {"restApi": "a"})]),
        undecided=False,
    ),
    spec(
        "firewall-measures",
        t.WEB_ACL,
        {
            "visibilityConfig": {"cloudwatchMetricsEnabled": True},
            "rules": [{"statement": {"rateBasedStatement": {"limit": 100}}}],
        },
        {"rules": [{"statement": {"geoMatchStatement": {}}}]},
        "no rate-based rule",
        "rules",
    ),
    spec(
        "firewall-where-possible",
        t.WEB_ACL_ASSOCIATION,
        {"resourceArn": f"arn:aws:apigateway:{REGION}::/restapis/a/stages/s"},
        SOCKETS,
        "/apis/a/stages/s",
        "resourceArn",
    ),
    spec(
        "batch-retries-reclaims",
        t.BATCH_JOB,
        {"retryStrategy": SPOT_RETRIES},
        {"retryStrategy": {"attempts": 3}},
        "onReason * → EXIT",
        "retryStrategy",
    ),
    spec(
        "batch-job-bounded",
        t.BATCH_JOB,
        {"timeout": {"attemptDurationSeconds": 3600}},
        {"timeout": None},
        "attemptDurationSeconds",
        "timeout",
    ),
    spec(
        "glue-engine-supported",
        t.GLUE_JOB,
        {"glueVersion": "5.0"},
        {"glueVersion": "2.0"},
        "glueVersion is 2.0",
        "glueVersion",
    ),
    spec(
        "runtime-supported",
        t.FUNCTION,
        {"runtime": "python3.13"},
        {"runtime": "nodejs22.x"},
        "nodejs22.x ends on 2027-04-30",
        "runtime",
    ),
)

CASES = (
    finds(
        "queue-has-dead-letters",
        "is itself",
        Thing(t.QUEUE, {"name": "q", "redrivePolicy": json.dumps({"deadLetterTargetArn": QUEUE_ARN})}),
    ),
    # The names of all dead-letter queues are needed to judge one queue.
    finds(
        "queue-has-dead-letters", UNDECIDED, Thing(t.QUEUE, {"name": UNKNOWN}, "late"), Thing(t.QUEUE, {"name": "q"})
    ),
    finds(
        "function-errors-watched",
        "No alarm watches its errors",
        Thing(t.FUNCTION, {"name": UNKNOWN}, "late"),
        FUNCTION,
    ),
    passes("dead-letters-watched", QUEUE_OF_FAILURES, rings("GreaterThanOrEqualToThreshold", 1)),
    unwatched("GreaterThanThreshold", 1),
    unwatched("GreaterThanOrEqualToThreshold", 2),
    unwatched("LessThanThreshold", 0),
    finds("async-failure-lands", "scheduler.amazonaws.com calls it", FUNCTION, schedule(f"{FUNCTION_ARN}:live")),
    passes("async-failure-lands", FUNCTION, schedule(f"{FUNCTION_ARN}-other:live")),
    finds("async-failure-lands", "scheduler", FUNCTION, alias("f"), schedule(UNKNOWN, target=["live"])),
    # A schedule of something that is not known yet hides no other fault.
    finds(
        "async-failure-lands", "s3.amazonaws.com", FUNCTION, S3_CALLS, alias("g"), schedule(UNKNOWN, target=["live"])
    ),
    passes("async-failure-lands", EXCUSED, DROPPING),
    finds("async-failure-lands", "no tag Reason", FUNCTION, DROPPING),
    finds("async-failure-lands", "no tag Reason", Thing(t.FUNCTION, {"name": "f", "tags": {"Reason": "ok"}}), DROPPING),
    # The reason is for our own calls, which the caller can repeat.
    finds("async-failure-lands", "s3.amazonaws.com", EXCUSED, S3_CALLS, DROPPING),
    finds("batch-retries-reclaims", "tried once", Thing(t.BATCH_JOB, {"retryStrategy": {"attempts": 1}})),
    finds("runtime-supported", "ruby3.2 nobody has looked up", Thing(t.FUNCTION, {"runtime": "ruby3.2"})),
    passes("runtime-supported", Thing(t.FUNCTION, {"packageType": "Image"})),
    finds("alarm-has-action", "actionsEnabled", Thing(t.ALARM, {**ALARM, "actionsEnabled": False})),
    finds(
        "workflow-tasks-retried",
        "task In",
        Thing(
            t.WORKFLOW,
            {
                "definition": json.dumps(
                    {"States": {"P": {"Type": "Parallel", "Branches": [{"States": {"In": {"Type": "Task"}}}]}}}
                )
            },
        ),
    ),
)
