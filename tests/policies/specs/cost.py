"""Cost: the estimate and the budget, logs, storage, compute, jobs, network, watching, tags."""

import json
from collections.abc import Mapping
from dataclasses import replace

from guardrails.model import resource_types as t
from tests.policies.policy_harness import (
    UNDECIDED,
    UNKNOWN,
    Break,
    Messages,
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

TAGS = dict.fromkeys(("Project", "Environment", "Subsystem", "Owner", "CostCenter", "Name"), "x")
BUILDER = "ingestion-manifest-builder-function"
LANDING = "ingestion-landing-bucket"
ETL = {
    "command": {"name": "glueetl"},
    "workerType": "G.1X",
    "numberOfWorkers": 4,
    "timeout": 30,
    "executionProperty": {"maxConcurrentRuns": 20},
    "executionClass": "FLEX",
    "glueVersion": "5.0",
    "securityConfiguration": "s",
    "defaultArguments": {"--continuous-log-logGroup": "/polyphony/glue"},
}
CONTAINER = {"logConfiguration": {"options": {"awslogs-group": "/polyphony/batch"}}}
REASON = {"tags": {"Reason": "the compliance office asks for it"}}
PLATFORM = {"usage": {}, "budget": 500, "environment": "prod", "exceptions": []}


def platform(**props: object) -> Thing:
    """The platform with what it publishes."""
    return Thing(t.PLATFORM, {**PLATFORM, **props}, "platform")


def usage(stack: Messages) -> str:
    """Misspells a measure of the real program."""
    stack.change("platform", {"usage": {"ingestion-files": {"writess": 1}}})
    return "platform"


def many(kind: str, count: int) -> list[Thing]:
    """Many resources of a type."""
    return [platform(), *(Thing(kind, {}, f"n{number}") for number in range(count))]


def orders(kind: str) -> list[Thing]:
    """A queue on one kind of environment."""
    return [
        Thing(t.BATCH_ENVIRONMENT, {"name": "e", "computeResources": {"type": kind, "maxVcpus": 4}}, "e"),
        Thing(
            t.BATCH_QUEUE,
            {"computeEnvironmentOrders": [{"order": 1, "computeEnvironment": UNKNOWN}]},
            refers={"computeEnvironmentOrders": ["e"]},
        ),
    ]


def ceiling(policy: str, kind: str, count: int, says: str) -> Spec:
    """A spec of how many there may be; what a resource holds does not matter, so nothing can be unknown."""
    return Spec(
        policy,
        good=many(kind, 1),
        bad=many(kind, count),
        says=says,
        unknown=[*many(kind, count), Thing(kind, {"name": UNKNOWN}, "late")],
        breaks=inserted([Thing(kind, {}, f"n{number}") for number in range(count)], ""),
        at="",
        undecided=False,
    )


def bucket(policy: str, good: list[Thing], bad: list[Thing], says: str, breaks: Break) -> Spec:
    """A spec of a bucket and what is set on it."""
    home = Thing(t.BUCKET, {"bucket": "b"})
    return Spec(
        policy,
        good=[home, *good],
        bad=[home, *bad],
        says=says,
        unknown=[Thing(t.BUCKET, {"bucket": UNKNOWN}), *good],
        breaks=breaks,
    )


def lifecycle(*rules: Mapping[str, object]) -> Thing:
    """A bucket's lifecycle."""
    return Thing(
        t.BUCKET_LIFECYCLE,
        {"bucket": "b", "rules": [{"status": "Enabled", "filter": {"prefix": ""}, **one} for one in rules]},
        "lifecycle",
    )


VERSIONED = Thing(t.BUCKET_VERSIONING, {"bucket": "b", "versioningConfiguration": {"status": "Enabled"}}, "versioning")
ABORT = {"abortIncompleteMultipartUpload": {"daysAfterInitiation": 1}}
SPENT = {"spent": {"storageGb": 100_000, "puts": 0}}
DEAR = [
    Thing("polyphony:blocks:Bucket", {}, "spent", parent="platform"),
    Thing(t.BUCKET, {"bucket": "b"}, "store", parent="spent"),
]

SPECS = (
    Spec(
        "cost-estimate",
        good=[],
        bad=[platform()],
        says="About $0.00 a month",
        unknown=[platform(), Thing(t.FUNCTION, {"name": UNKNOWN, "role": UNKNOWN}, "f"), Thing(t.ALARM, {}, "a")],
        breaks=inserted([Thing("aws:lex/bot:Bot", {}, "bot")], ""),
        at="platform",
        undecided=False,
        also=[],
    ),
    Spec(
        "cost-usage-read",
        good=[platform()],
        bad=[platform(usage={"nobody": {"writes": 1}})],
        says="nobody, which is no block",
        unknown=[platform(usage={"nobody": {"writes": 1}}), Thing(t.TABLE, {"name": UNKNOWN}, "late")],
        breaks=usage,
        at="platform",
        undecided=False,
    ),
    Spec(
        "spend-within-budget",
        good=[platform(usage=SPENT, budget=5000), *DEAR],
        bad=[platform(usage=SPENT, budget=1), *DEAR],
        says="spent $2,300.00",
        unknown=[platform(usage=SPENT, budget=1), *DEAR, Thing(t.FUNCTION, {"memorySize": UNKNOWN}, "late")],
        breaks=changes("platform", {"budget": 1}),
        at="platform",
        undecided=False,
    ),
    Spec(
        "budget-exists",
        good=[Thing(t.BUDGET, {"notifications": [{"subscriberSnsTopicArns": ["arn"]}]})],
        bad=[Thing(t.BUDGET, {"notifications": [{"notificationType": "ACTUAL"}]})],
        says="tells nobody",
        unknown=[Thing(t.BUDGET, {"notifications": UNKNOWN})],
        breaks=drops("foundation-spend-budget", ""),
    ),
    Spec(
        "anomaly-detection-exists",
        good=[Thing(t.ANOMALY_SUBSCRIPTION, {"frequency": "IMMEDIATE", "subscribers": [{"type": "SNS"}]})],
        bad=[Thing(t.ANOMALY_SUBSCRIPTION, {"frequency": "DAILY", "subscribers": [{"type": "SNS"}]})],
        says="DAILY",
        unknown=[Thing(t.ANOMALY_SUBSCRIPTION, {"frequency": UNKNOWN, "subscribers": [{"type": "SNS"}]})],
        breaks=drops("foundation-spend-anomaly-subscription", ""),
    ),
    setting("logs-expire", t.LOG_GROUP, "retentionInDays", 30, None, "for ever"),
    setting("logs-expire-in-time", t.LOG_GROUP, "retentionInDays", 400, 731, "731 days"),
    spec(
        "function-logs-owned",
        t.FUNCTION,
        {"name": "f", "loggingConfig": {"logGroup": "l"}},
        {"loggingConfig": None},
        "/aws/lambda/f",
        "name",
        around=[Thing(t.LOG_GROUP, {"name": "l"}, "l")],
        breaks=drops("ingestion-manifest-builder-logs", BUILDER),
    ),
    Spec(
        "api-logs-owned",
        good=[
            Thing(t.REST_API, {"name": "a"}, "api"),
            Thing(t.LOG_GROUP, {"name": UNKNOWN}, "l", refers={"name": ["api"]}),
            Thing(t.REST_STAGE, {"restApi": UNKNOWN, "stageName": "api"}, refers={"restApi": ["api"]}),
        ],
        bad=[
            Thing(t.REST_API, {"name": "a"}, "api"),
            Thing(t.REST_STAGE, {"restApi": UNKNOWN, "stageName": "api"}, refers={"restApi": ["api"]}),
        ],
        says="API-Gateway-Execution-Logs_",
        unknown=[Thing(t.REST_STAGE, {"restApi": UNKNOWN, "stageName": "api"})],
        breaks=inserted([Thing(t.REST_STAGE, {"restApi": "a1", "stageName": "api"})]),
    ),
    spec(
        "job-logs-owned",
        t.BATCH_JOB,
        {"containerProperties": json.dumps(CONTAINER)},
        {"containerProperties": "{}"},
        "a group that AWS makes",
        around=[Thing(t.LOG_GROUP, {"name": "/polyphony/batch"}, "l")],
    ),
    bucket(
        "bucket-objects-expire",
        [lifecycle({"expiration": {"days": 7}})],
        [lifecycle(ABORT)],
        "No lifecycle rule",
        drops("ingestion-landing-lifecycle", LANDING),
    ),
    spec(
        "bucket-aborts-multipart",
        t.BUCKET_LIFECYCLE,
        lifecycle(ABORT).props,
        {"rules": [{"status": "Enabled", "abortIncompleteMultipartUpload": {"daysAfterInitiation": 7}}]},
        "after 7 days",
    ),
    bucket(
        "bucket-old-versions-expire",
        [VERSIONED, lifecycle({"noncurrentVersionExpiration": {"noncurrentDays": 30}})],
        [VERSIONED, lifecycle({"expiration": {"days": 7}})],
        "overwritten versions stay",
        changes("ingestion-landing-lifecycle", {"rules": [{"status": "Enabled", "expiration": {"days": 9}}]}, LANDING),
    ),
    setting("table-on-demand", t.TABLE, "billingMode", "PAY_PER_REQUEST", "PROVISIONED", "PROVISIONED"),
    setting(
        "table-few-indexes", t.TABLE, "globalSecondaryIndexes", [{}, {}], [{}, {}, {}], "3 global secondary indexes"
    ),
    spec(
        "repository-images-expire",
        t.REPOSITORY,
        {"name": "r"},
        {"name": "s"},
        "every image",
        around=[Thing(t.REPOSITORY_LIFECYCLE, {"repository": "r"}, "l")],
        added=True,
    ),
    setting(
        "query-scans-limited",
        t.WORKGROUP,
        "configuration",
        {"bytesScannedCutoffPerQuery": 10},
        {},
        "bytesScannedCutoffPerQuery",
    ),
    setting("memory-expires", t.MEMORY, "eventExpiryDuration", 90, 365, "365 days"),
    setting("function-on-arm64", t.FUNCTION, "architectures", ["arm64"], None, "x86_64"),
    setting("function-memory-ceiling", t.FUNCTION, "memorySize", 2048, 4096, "4096 MB"),
    spec(
        "function-timeout-ceiling",
        t.FUNCTION,
        {"name": "f", "timeout": 300},
        {"timeout": 900},
        "900 seconds",
        around=[Thing(t.FUNCTION_ASYNC, {"functionName": "other", "qualifier": "live"}, "async")],
    ),
    setting(
        "function-provisioned-ceiling",
        t.FUNCTION_PROVISIONED,
        "provisionedConcurrentExecutions",
        2,
        5,
        "5 environments",
    ),
    spec(
        "queue-source-bounded",
        t.FUNCTION_SOURCE,
        {"eventSourceArn": "arn:aws:sqs:r:1:q", "scalingConfig": {"maximumConcurrency": 5}},
        {"scalingConfig": None},
        "maximumConcurrency",
        "eventSourceArn",
    ),
    Spec(
        "no-always-on-service",
        good=[Thing(t.TABLE, {"name": "t"})],
        bad=[Thing("aws:rds/instance:Instance", {})],
        says="aws:rds/instance:Instance",
        unknown=[Thing("aws:ec2/instance:Instance", {"ami": UNKNOWN})],
        breaks=inserted([Thing("aws:eks/cluster:Cluster", {})]),
        undecided=False,
    ),
    spec(
        "rest-api-no-cache-cluster",
        t.REST_STAGE,
        {"cacheClusterEnabled": False},
        {"cacheClusterEnabled": True, "cacheClusterSize": "0.5"},
        "0.5 GB",
    ),
    spec("glue-worker-ceiling", t.GLUE_JOB, ETL, {"numberOfWorkers": 50}, "50 workers"),
    spec("glue-no-quarter-worker", t.GLUE_JOB, ETL, {"workerType": "G.025X"}, "G.025X"),
    spec("glue-timeout-ceiling", t.GLUE_JOB, ETL, {"timeout": 480}, "480 minutes"),
    spec("glue-concurrency-set", t.GLUE_JOB, ETL, {"executionProperty": None}, "which then is 1"),
    replace(
        spec("glue-flex-before-prod", t.GLUE_JOB, ETL, {"executionClass": "STANDARD"}, "STANDARD", added=True),
        environment="staging",
    ),
    Spec(
        "batch-spot-first",
        good=orders("FARGATE_SPOT"),
        bad=orders("FARGATE"),
        says="FARGATE only",
        unknown=[Thing(t.BATCH_QUEUE, {"computeEnvironmentOrders": UNKNOWN})],
        breaks=drops("meetings-media-spot-queue", "meetings-media-on-demand-queue"),
    ),
    setting("batch-vcpu-ceiling", t.BATCH_ENVIRONMENT, "computeResources.maxVcpus", 16, 64, "64 processors"),
    spec("nat-with-reason", t.NAT_GATEWAY, REASON, {"tags": {}}, "no tag Reason"),
    spec(
        "interface-endpoint-with-reason",
        t.ENDPOINT,
        {"vpcEndpointType": "Interface", **REASON},
        {"tags": {"Reason": "why not"}},
        "no tag Reason",
        added=True,
    ),
    spec("customer-key-with-reason", t.KEY, REASON, {"tags": None}, "no tag Reason"),
    ceiling("alarm-ceiling", t.ALARM, 201, "201 alarms"),
    ceiling("dashboard-ceiling", t.DASHBOARD, 7, "7 dashboards"),
    ceiling("custom-metric-ceiling", t.METRIC_FILTER, 61, "61 metrics"),
    setting("required-tags", t.QUEUE, "tags", TAGS, {**TAGS, "Owner": ""}, "no tag Owner"),
)


LIVE = "arn:aws:lambda:us-east-1:123456789012:function:{}:live"
LONG = Thing(t.FUNCTION, {"name": "summarise", "timeout": 900})
ALWAYS_ON = (
    "aws:alb/loadBalancer:LoadBalancer",
    "aws:elb/loadBalancer:LoadBalancer",
    "aws:ec2/spotInstanceRequest:SpotInstanceRequest",
)


def workflow(calls: str) -> Thing:
    """A workflow that calls a function."""
    states = {"One": {"Type": "Task", "Arguments": {"FunctionName": LIVE.format(calls)}}}
    return Thing(t.WORKFLOW, {"definition": json.dumps({"States": states})}, "workflow")


CASES = (
    passes("function-timeout-ceiling", Thing(t.FUNCTION, {"name": "f"})),
    passes("function-timeout-ceiling", LONG, workflow("summarise")),
    finds("function-timeout-ceiling", "900 seconds", LONG, workflow("summarise-more")),
    finds("function-timeout-ceiling", "900 seconds", LONG, workflow("do-summarise")),
    finds("function-timeout-ceiling", UNDECIDED, LONG, Thing(t.WORKFLOW, {"definition": UNKNOWN}, "workflow")),
    *(finds("no-always-on-service", "used or not", Thing(kind, {})) for kind in ALWAYS_ON),
    finds("api-logs-owned", "/aws/apigateway/", Thing(t.SOCKET_STAGE, {"apiId": "a", "name": "live"})),
    finds("glue-worker-ceiling", "G.8X", Thing(t.GLUE_JOB, {**ETL, "workerType": "G.8X"})),
    passes("glue-no-quarter-worker", Thing(t.GLUE_JOB, {"command": {"name": "gluestreaming"}, "workerType": "G.025X"})),
    passes(
        "queue-source-bounded", Thing(t.FUNCTION_SOURCE, {"eventSourceArn": "arn:aws:dynamodb:r:1:table/t/stream/s"})
    ),
    finds(
        "bucket-aborts-multipart",
        "never aborts",
        Thing(t.BUCKET_LIFECYCLE, {"rules": [{"status": "Enabled", "filter": {"prefix": "a/"}, **ABORT}]}),
    ),
    finds("cost-estimate", "cannot be read", platform(), Thing(t.BATCH_JOB, {"containerProperties": "{"})),
)
