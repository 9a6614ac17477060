"""Reliability: dead letters, queues, functions, alarms, workflows, APIs, jobs, runtimes."""

import json

from guardrails.model import resource_types as t
from tests.policies.policy_harness import (
    UNDECIDED,
    UNKNOWN,
    Case,
    Spec,
    Thing,
    changes,
    drops,
    finds,
    inserted,
    passes,
    setting,
    spec,
)
from tests.policies.specs.sample_documents import ACCOUNT, REGION

BUILDER = "ingestion-manifest-builder-function"
QUEUE_ARN = f"arn:aws:sqs:{REGION}:{ACCOUNT}:q"
REDRIVE = json.dumps({"deadLetterTargetArn": f"{QUEUE_ARN}-parked", "maxReceiveCount": 5})
HASTY = json.dumps({"deadLetterTargetArn": f"{QUEUE_ARN}-parked", "maxReceiveCount": 1})
FUNCTION_ARN = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:f"
FEEDS = {
    "eventSourceArn": QUEUE_ARN,
    "functionName": f"{FUNCTION_ARN}:live",
    "functionResponseTypes": ["ReportBatchItemFailures"],
}
STAGE_SETTINGS = {"throttlingRateLimit": 50, "throttlingBurstLimit": 100, "loggingLevel": "ERROR"}
STAGE = {"name": "live", "accessLogSettings": {"destinationArn": "arn"}, "defaultRouteSettings": STAGE_SETTINGS}
REST = Thing(t.REST_STAGE, {"restApi": "a", "stageName": "s"})
ALARM = {
    "alarmActions": ["arn"],
    "treatMissingData": "notBreaching",
    "alarmDescription": "It fails. Runbook: docs/runbooks/x.md",
}
SPOT_RETRIES = {
    "attempts": 3,
    "evaluateOnExits": [{"onStatusReason": "Your Spot*", "action": "RETRY"}, {"onReason": "*", "action": "EXIT"}],
}


def watched(policy: str, metric: str) -> Spec:
    """A spec of one alarm that every function has."""

    def alarm(**dimensions: str) -> Thing:
        return Thing(t.ALARM, {"namespace": "AWS/Lambda", "metricName": metric, "dimensions": dimensions}, "alarm")

    return Spec(
        policy,
        good=[FUNCTION, alias("f"), alarm(FunctionName="f", Resource="f:live")],
        bad=[FUNCTION, alias("f"), alarm(FunctionName="f")],
        says="Resource of f:live",
        unknown=[Thing(t.FUNCTION, {"name": UNKNOWN}), alias("f")],
        breaks=drops(f"ingestion-manifest-builder-{metric.lower()}-alarm", BUILDER),
    )


def fed(seconds: object) -> list[Thing]:
    """A queue that hides its messages for a time, and the function that it feeds."""
    return [
        Thing(t.QUEUE, {"name": "q", "visibilityTimeoutSeconds": seconds}, "queue"),
        Thing(t.FUNCTION, {"name": "f", "timeout": 60}, "f"),
        Thing(t.FUNCTION_SOURCE, FEEDS),
    ]


def workflow(**task: object) -> str:
    """A state machine's definition with one task inside a map."""
    inner = {"States": {"T": {"Type": "Task", **task}}}
    return json.dumps({"States": {"M": {"Type": "Map", "ItemProcessor": inner}}})


def every_method(settings: object) -> list[Thing]:
    """A REST stage and the settings of all its methods."""
    props = {"restApi": "a", "stageName": "s", "methodPath": "*/*", "settings": settings}
    return [REST, Thing(t.REST_METHOD_SETTINGS, props, "settings")]


def stage(policy: str, bad: dict[str, object], says: str) -> Spec:
    """A spec of a stage's settings, for a WebSocket stage; a REST stage without any is added to the real program."""
    return spec(policy, t.SOCKET_STAGE, STAGE, bad, says, "defaultRouteSettings", breaks=inserted([REST]))


QUEUE_OF_FAILURES = Thing(t.QUEUE, {"name": "q-dlq"})
LANDING = Thing(
    t.FUNCTION_ASYNC, {"functionName": "f", "destinationConfig": {"onFailure": {"destination": QUEUE_ARN}}}, "async"
)
DROPPING = Thing(t.FUNCTION_ASYNC, {"functionName": "f", "maximumRetryAttempts": 0}, "async")
FUNCTION = Thing(t.FUNCTION, {"name": "f"})
EXCUSED = Thing(t.FUNCTION, {"name": "f", "tags": {"Reason": "a record would hold what must not be stored"}})


def calls(service: str, function: str = "f") -> Thing:
    """A permission by which a service calls a function."""
    props = {"function": function, "principal": f"{service}.amazonaws.com"}
    return Thing(t.FUNCTION_PERMISSION, props, f"{service}-{function}")


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
        breaks=changes("ingestion-intake-queue", {"redrivePolicy": None}),
    ),
    setting("dead-letters-kept", t.QUEUE, "messageRetentionSeconds", 1_209_600, 86_400, "for 1 days, not 14", "q-dlq"),
    spec(
        "dead-letters-watched",
        t.QUEUE,
        {"name": "q-dlq"},
        {"name": "r-dlq"},
        "No alarm watches",
        around=[rings("GreaterThanThreshold", 0)],
    ),
    setting("queue-retries-first", t.QUEUE, "redrivePolicy", REDRIVE, HASTY, "maxReceiveCount is 1"),
    setting(
        "event-target-has-dead-letters",
        t.EVENT_TARGET,
        "deadLetterConfig",
        {"arn": QUEUE_ARN},
        None,
        "no deadLetterConfig",
    ),
    setting(
        "schedule-has-dead-letters",
        t.SCHEDULE,
        "target",
        {"deadLetterConfig": {"arn": QUEUE_ARN}},
        {"arn": FUNCTION_ARN},
        "no deadLetterConfig",
    ),
    spec(
        "async-failure-lands",
        t.FUNCTION,
        {"name": "f"},
        {"name": "g"},
        "s3.amazonaws.com",
        around=[calls("s3"), calls("s3", "g"), LANDING],
        breaks=inserted([calls("sns", "polyphony-prod-ingestion-manifest-builder")], BUILDER),
    ),
    Spec(
        "queue-hides-long-enough",
        good=fed(360),
        bad=fed(60),
        says="hidden for 60 seconds, less than 6 times the 60 seconds",
        unknown=fed(UNKNOWN),
        breaks=changes(BUILDER, {"timeout": 61}, "ingestion-intake-source"),
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
        around=[Thing(t.FUNCTION_SOURCE, FEEDS, "source")],
    ),
    spec("function-called-by-alias", t.FUNCTION_SOURCE, FEEDS, {"functionName": FUNCTION_ARN}, "bare function"),
    Spec(
        "notification-after-permission",
        good=[Thing(t.QUEUE_POLICY, {}, "policy"), Thing(t.BUCKET_NOTIFICATION, {"queues": [{}]}, after=["policy"])],
        bad=[Thing(t.QUEUE_POLICY, {}, "policy"), Thing(t.BUCKET_NOTIFICATION, {"queues": [{}]})],
        says="before the queue's policy",
        unknown=[Thing(t.BUCKET_NOTIFICATION, {"queues": UNKNOWN})],
        breaks=drops("ingestion-intake-policy", "ingestion-landing-notification"),
    ),
    watched("function-errors-watched", "Errors"),
    watched("function-throttles-watched", "Throttles"),
    setting("function-traced", t.FUNCTION, "tracingConfig.mode", "Active", "PassThrough", "PassThrough"),
    setting("function-logs-json", t.FUNCTION, "loggingConfig", {"logFormat": "JSON"}, None, "Text"),
    spec(
        "api-function-answers-in-time",
        t.FUNCTION,
        {"name": "f", "timeout": 29},
        {"timeout": 30},
        "30 seconds, but API Gateway gives up after 29",
        around=[calls("apigateway")],
        breaks=inserted([calls("apigateway", "polyphony-prod-ingestion-manifest-builder")], BUILDER),
    ),
    setting("function-publishes-versions", t.FUNCTION, "publish", True, None, "no version"),
    spec("alarm-has-action", t.ALARM, ALARM, {"alarmActions": []}, "tells nobody"),
    spec("alarm-decides-missing-data", t.ALARM, ALARM, {"treatMissingData": None}, "missing data"),
    spec("alarm-names-runbook", t.ALARM, ALARM, {"alarmDescription": "It fails."}, "'It fails.'"),
    setting(
        "workflow-tasks-retried",
        t.WORKFLOW,
        "definition",
        workflow(Retry=[{}]),
        workflow(Retry=[]),
        "task T has neither",
    ),
    setting(
        "workflow-tasks-bounded",
        t.WORKFLOW,
        "definition",
        workflow(TimeoutSeconds=60),
        workflow(),
        "task T has no timeout",
    ),
    setting("workflow-logged", t.WORKFLOW, "loggingConfiguration.level", "ERROR", "OFF", "OFF"),
    setting("workflow-traced", t.WORKFLOW, "tracingConfiguration.enabled", True, False, "not traced"),
    spec(
        "workflow-failures-watched",
        t.WORKFLOW,
        {"name": "w"},
        {"name": "x"},
        "ExecutionsFailed",
        around=[Thing(t.ALARM, {"metricName": "ExecutionsFailed", "dimensions": {"StateMachineArn": "a:w"}}, "alarm")],
    ),
    stage(
        "api-throttled", {"defaultRouteSettings": {**STAGE_SETTINGS, "throttlingRateLimit": 0}}, "throttlingRateLimit"
    ),
    stage("api-logged", {"accessLogSettings": None}, "no access log"),
    Spec(
        "api-measured",
        good=every_method({"metricsEnabled": True}),
        bad=every_method({"metricsEnabled": False}),
        says="metrics are off",
        unknown=every_method(UNKNOWN),
        breaks=inserted([REST]),
    ),
    setting("rest-api-traced", t.REST_STAGE, "xrayTracingEnabled", True, False, "xrayTracingEnabled"),
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
    ),
    setting(
        "firewall-where-possible",
        t.WEB_ACL_ASSOCIATION,
        "resourceArn",
        "arn:aws:apigateway:r::/restapis/a/stages/s",
        "arn:aws:apigateway:r::/apis/a/stages/s",
        "/apis/a/stages/s",
    ),
    setting("batch-retries-reclaims", t.BATCH_JOB, "retryStrategy", SPOT_RETRIES, {"attempts": 3}, "onReason * → EXIT"),
    setting(
        "batch-job-bounded", t.BATCH_JOB, "timeout", {"attemptDurationSeconds": 3600}, None, "attemptDurationSeconds"
    ),
    setting("glue-engine-supported", t.GLUE_JOB, "glueVersion", "5.0", "2.0", "glueVersion is 2.0"),
    setting("runtime-supported", t.FUNCTION, "runtime", "python3.13", "nodejs22.x", "nodejs22.x ends on 2027-04-30"),
)

TASKS = {"States": {"In": {"Type": "Task"}}}
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
        "function-errors-watched", "No alarm watches its errors", Thing(t.FUNCTION, {"name": UNKNOWN}, "late"), FUNCTION
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
        "async-failure-lands", "s3.amazonaws.com", FUNCTION, calls("s3"), alias("g"), schedule(UNKNOWN, target=["live"])
    ),
    passes("async-failure-lands", EXCUSED, DROPPING),
    finds("async-failure-lands", "no tag Reason", FUNCTION, DROPPING),
    finds("async-failure-lands", "no tag Reason", Thing(t.FUNCTION, {"name": "f", "tags": {"Reason": "ok"}}), DROPPING),
    # The reason is for our own calls, which the caller can repeat.
    finds("async-failure-lands", "s3.amazonaws.com", EXCUSED, calls("s3"), DROPPING),
    finds("batch-retries-reclaims", "tried once", Thing(t.BATCH_JOB, {"retryStrategy": {"attempts": 1}})),
    finds("runtime-supported", "ruby3.2 nobody has looked up", Thing(t.FUNCTION, {"runtime": "ruby3.2"})),
    passes("runtime-supported", Thing(t.FUNCTION, {"packageType": "Image"})),
    finds("alarm-has-action", "actionsEnabled", Thing(t.ALARM, {**ALARM, "actionsEnabled": False})),
    finds(
        "workflow-tasks-retried",
        "task In",
        Thing(t.WORKFLOW, {"definition": json.dumps({"States": {"P": {"Branches": [TASKS]}}})}),
    ),
)
