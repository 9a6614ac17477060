"""Specs (the required behaviour of each policy) and further cases of the guardrail policies about cost: the budget, the
published usage (the expected monthly quantities of each block), expiring data, and limits of sizes and numbers.
"""

import json
from collections.abc import Mapping
from dataclasses import replace

from guardrails.model import resource_types as t
from tests.policies.policy_harness import (
    UNDECIDED,
    UNKNOWN,
    PolicySpec,
    ProgramBreak,
    SampleResource,
    change_resource,
    drop_resource,
    expect_finding,
    expect_no_finding,
    insert_resources,
    property_spec,
    resource_spec,
)

TAGS = dict.fromkeys(("Project", "Environment", "Subsystem", "Owner", "CostCenter", "Name"), "x")
BUILDER = "ingestion-manifest-builder-function"
LANDING_BUCKET = "ingestion-landing-bucket"
"""Pulumi names of a function and a bucket in the recorded program."""
GLUE_JOB = {
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
REASON_TAG = {"tags": {"Reason": "the compliance office asks for it"}}
PLATFORM = {"usage": {}, "budget": 500, "environment": "prod", "exceptions": []}


def platform(**props: object) -> SampleResource:
    """Return the `Platform` component, which publishes the usage, the budget and the exceptions of the stack."""
    return SampleResource(t.PLATFORM, {**PLATFORM, **props}, "platform")


def platform_and_resources(kind: str, count: int) -> list[SampleResource]:
    """Return the `Platform` component and several resources of a type."""
    return [platform(), *(SampleResource(kind, {}, f"n{number}") for number in range(count))]


def batch_queue(kind: str) -> list[SampleResource]:
    """Return a Batch job queue and its compute environment of a capacity type, for example FARGATE_SPOT."""
    return [
        SampleResource(t.BATCH_ENVIRONMENT, {"name": "e", "computeResources": {"type": kind, "maxVcpus": 4}}, "e"),
        SampleResource(
            t.BATCH_QUEUE,
            {"computeEnvironmentOrders": [{"order": 1, "computeEnvironment": UNKNOWN}]},
            references={"computeEnvironmentOrders": ["e"]},
        ),
    ]


def ceiling_spec(policy: str, kind: str, count: int, message_part: str) -> PolicySpec:
    """Return a spec of a limit on the number of resources. No unknown value makes it undecided, because properties do not
    matter.
    """
    return PolicySpec(
        policy,
        good=platform_and_resources(kind, 1),
        bad=platform_and_resources(kind, count),
        message_part=message_part,
        unknown=[*platform_and_resources(kind, count), SampleResource(kind, {"name": UNKNOWN}, "unknown")],
        break_program=insert_resources([SampleResource(kind, {}, f"n{number}") for number in range(count)], ""),
        faulty_name="",
        undecided=False,
    )


def bucket_spec(
    policy: str, good: list[SampleResource], bad: list[SampleResource], message_part: str, break_program: ProgramBreak
) -> PolicySpec:
    """Return a spec of a bucket and of resources that configure it."""
    bucket = SampleResource(t.BUCKET, {"bucket": "b"})
    return PolicySpec(
        policy,
        good=[bucket, *good],
        bad=[bucket, *bad],
        message_part=message_part,
        unknown=[SampleResource(t.BUCKET, {"bucket": UNKNOWN}), *good],
        break_program=break_program,
    )


def lifecycle(*rules: Mapping[str, object]) -> SampleResource:
    """Return the lifecycle configuration of a bucket."""
    return SampleResource(
        t.BUCKET_LIFECYCLE,
        {"bucket": "b", "rules": [{"status": "Enabled", "filter": {"prefix": ""}, **rule} for rule in rules]},
        "lifecycle",
    )


VERSIONED = SampleResource(
    t.BUCKET_VERSIONING, {"bucket": "b", "versioningConfiguration": {"status": "Enabled"}}, "versioning"
)
ABORTS_UPLOADS = {"abortIncompleteMultipartUpload": {"daysAfterInitiation": 1}}
EXPENSIVE_USAGE = {"archive": {"storageGb": 100_000, "puts": 0, "gets": 0}}
EXPENSIVE_BLOCK = [
    SampleResource("polyphony:blocks:Bucket", {}, "archive", parent="platform"),
    SampleResource(t.BUCKET, {"bucket": "b"}, "store", parent="archive"),
]

SPECS = (
    PolicySpec(
        "cost-estimate",
        good=[],
        bad=[platform()],
        message_part="About $0.00 a month",
        unknown=[platform(), SampleResource(t.ALARM, {"name": UNKNOWN}, "a")],
        break_program=insert_resources([SampleResource("aws:lex/bot:Bot", {}, "bot")], ""),
        faulty_name="platform",
        undecided=False,
    ),
    PolicySpec(
        "spend-within-budget",
        good=[platform(usage=EXPENSIVE_USAGE, budget=5000), *EXPENSIVE_BLOCK],
        bad=[platform(usage=EXPENSIVE_USAGE, budget=1), *EXPENSIVE_BLOCK],
        message_part="archive $2,300.00",
        unknown=[
            platform(usage=EXPENSIVE_USAGE, budget=1),
            *EXPENSIVE_BLOCK,
            SampleResource(t.ALARM, {"period": UNKNOWN}, "a"),
        ],
        break_program=change_resource("platform", {"budget": 1}),
        faulty_name="platform",
        undecided=False,
    ),
    PolicySpec(
        "budget-exists",
        good=[SampleResource(t.BUDGET, {"notifications": [{"subscriberSnsTopicArns": ["arn"]}]})],
        bad=[SampleResource(t.BUDGET, {"notifications": [{"notificationType": "ACTUAL"}]})],
        message_part="has a subscriber",
        unknown=[SampleResource(t.BUDGET, {"notifications": UNKNOWN})],
        break_program=drop_resource("foundation-spend-budget", ""),
    ),
    PolicySpec(
        "anomaly-detection-exists",
        good=[SampleResource(t.ANOMALY_SUBSCRIPTION, {"frequency": "IMMEDIATE", "subscribers": [{"type": "SNS"}]})],
        bad=[SampleResource(t.ANOMALY_SUBSCRIPTION, {"frequency": "DAILY", "subscribers": [{"type": "SNS"}]})],
        message_part="DAILY",
        unknown=[SampleResource(t.ANOMALY_SUBSCRIPTION, {"frequency": UNKNOWN, "subscribers": [{"type": "SNS"}]})],
        break_program=drop_resource("foundation-spend-anomaly-subscription", ""),
    ),
    property_spec("logs-expire", t.LOG_GROUP, "retentionInDays", 30, None, "for ever"),
    property_spec("logs-expire-in-time", t.LOG_GROUP, "retentionInDays", 400, 731, "731 days"),
    resource_spec(
        "function-logs-owned",
        t.FUNCTION,
        {"name": "f", "loggingConfig": {"logGroup": "l"}},
        {"loggingConfig": None},
        "/aws/lambda/f",
        "name",
        other_resources=[SampleResource(t.LOG_GROUP, {"name": "l"}, "l")],
        break_program=drop_resource("ingestion-manifest-builder-logs", BUILDER),
    ),
    PolicySpec(
        "api-logs-owned",
        good=[
            SampleResource(t.REST_API, {"name": "a"}, "api"),
            SampleResource(t.LOG_GROUP, {"name": UNKNOWN}, "l", references={"name": ["api"]}),
            SampleResource(t.REST_STAGE, {"restApi": UNKNOWN, "stageName": "api"}, references={"restApi": ["api"]}),
        ],
        bad=[
            SampleResource(t.REST_API, {"name": "a"}, "api"),
            SampleResource(t.REST_STAGE, {"restApi": UNKNOWN, "stageName": "api"}, references={"restApi": ["api"]}),
        ],
        message_part="API-Gateway-Execution-Logs_",
        unknown=[SampleResource(t.REST_STAGE, {"restApi": UNKNOWN, "stageName": "api"})],
        break_program=insert_resources([SampleResource(t.REST_STAGE, {"restApi": "a1", "stageName": "api"})]),
    ),
    resource_spec(
        "job-logs-owned",
        t.BATCH_JOB,
        {"containerProperties": json.dumps(CONTAINER)},
        {"containerProperties": "{}"},
        "a group that AWS would create",
        other_resources=[SampleResource(t.LOG_GROUP, {"name": "/polyphony/batch"}, "l")],
    ),
    bucket_spec(
        "bucket-objects-expire",
        [lifecycle({"expiration": {"days": 7}})],
        [lifecycle(ABORTS_UPLOADS)],
        "No enabled lifecycle rule",
        drop_resource("ingestion-landing-lifecycle", LANDING_BUCKET),
    ),
    resource_spec(
        "bucket-aborts-multipart",
        t.BUCKET_LIFECYCLE,
        lifecycle(ABORTS_UPLOADS).props,
        {"rules": [{"status": "Enabled", "abortIncompleteMultipartUpload": {"daysAfterInitiation": 7}}]},
        "after 7 days",
    ),
    bucket_spec(
        "bucket-old-versions-expire",
        [VERSIONED, lifecycle({"noncurrentVersionExpiration": {"noncurrentDays": 30}})],
        [VERSIONED, lifecycle({"expiration": {"days": 7}})],
        "old versions are kept for ever",
        change_resource(
            "ingestion-landing-lifecycle", {"rules": [{"status": "Enabled", "expiration": {"days": 9}}]}, LANDING_BUCKET
        ),
    ),
    property_spec("table-on-demand", t.TABLE, "billingMode", "PAY_PER_REQUEST", "PROVISIONED", "PROVISIONED"),
    property_spec(
        "table-few-indexes", t.TABLE, "globalSecondaryIndexes", [{}, {}], [{}, {}, {}], "3 global secondary indexes"
    ),
    resource_spec(
        "repository-images-expire",
        t.IMAGE_REPOSITORY,
        {"name": "r"},
        {"name": "s"},
        "every pushed image",
        other_resources=[SampleResource(t.IMAGE_REPOSITORY_LIFECYCLE, {"repository": "r"}, "l")],
        add_to_program=True,
    ),
    property_spec(
        "query-scans-limited", t.ATHENA_WORKGROUP, "configuration", {"bytesScannedCutoffPerQuery": 10}, {}, "any amount"
    ),
    property_spec("memory-expires", t.AGENT_MEMORY, "eventExpiryDuration", 90, 365, "365 days"),
    property_spec("function-on-arm64", t.FUNCTION, "architectures", ["arm64"], None, "x86_64"),
    property_spec("function-memory-ceiling", t.FUNCTION, "memorySize", 2048, 4096, "4096 MB"),
    resource_spec(
        "function-timeout-ceiling",
        t.FUNCTION,
        {"name": "f", "timeout": 300},
        {"timeout": 900},
        "900 seconds",
        other_resources=[
            SampleResource(t.FUNCTION_ASYNC_CONFIG, {"functionName": "other", "qualifier": "live"}, "async")
        ],
    ),
    property_spec(
        "function-provisioned-ceiling",
        t.PROVISIONED_CONCURRENCY,
        "provisionedConcurrentExecutions",
        2,
        5,
        "is 5; at most 2 environments",
    ),
    resource_spec(
        "queue-source-bounded",
        t.EVENT_SOURCE_MAPPING,
        {"eventSourceArn": "arn:aws:sqs:r:1:q", "scalingConfig": {"maximumConcurrency": 5}},
        {"scalingConfig": None},
        "maximumConcurrency",
        "eventSourceArn",
    ),
    PolicySpec(
        "no-always-on-service",
        good=[SampleResource(t.TABLE, {"name": "t"})],
        bad=[SampleResource("aws:rds/instance:Instance", {})],
        message_part="aws:rds/instance:Instance",
        unknown=[SampleResource("aws:ec2/instance:Instance", {"ami": UNKNOWN})],
        break_program=insert_resources([SampleResource("aws:eks/cluster:Cluster", {})]),
        undecided=False,
    ),
    resource_spec(
        "rest-api-no-cache-cluster",
        t.REST_STAGE,
        {"cacheClusterEnabled": False},
        {"cacheClusterEnabled": True, "cacheClusterSize": "0.5"},
        "0.5 GB",
    ),
    resource_spec("glue-worker-ceiling", t.GLUE_JOB, GLUE_JOB, {"numberOfWorkers": 50}, "numberOfWorkers is 50"),
    resource_spec("glue-no-quarter-worker", t.GLUE_JOB, GLUE_JOB, {"workerType": "G.025X"}, "G.025X"),
    resource_spec("glue-timeout-ceiling", t.GLUE_JOB, GLUE_JOB, {"timeout": 480}, "480 minutes"),
    resource_spec("glue-concurrency-set", t.GLUE_JOB, GLUE_JOB, {"executionProperty": None}, "Its default is 1"),
    replace(
        resource_spec(
            "glue-flex-before-prod",
            t.GLUE_JOB,
            GLUE_JOB,
            {"executionClass": "STANDARD"},
            "STANDARD",
            add_to_program=True,
        ),
        environment="staging",
    ),
    PolicySpec(
        "batch-spot-first",
        good=batch_queue("FARGATE_SPOT"),
        bad=batch_queue("FARGATE"),
        message_part="only on FARGATE,",
        unknown=[SampleResource(t.BATCH_QUEUE, {"computeEnvironmentOrders": UNKNOWN})],
        break_program=drop_resource("meetings-media-spot-queue", "meetings-media-on-demand-queue"),
    ),
    property_spec("batch-vcpu-ceiling", t.BATCH_ENVIRONMENT, "computeResources.maxVcpus", 16, 64, "64 vCPUs"),
    resource_spec(
        "interface-endpoint-with-reason",
        t.VPC_ENDPOINT,
        {"vpcEndpointType": "Interface", **REASON_TAG},
        {"tags": {"Reason": "why not"}},
        "no tag Reason",
        add_to_program=True,
    ),
    resource_spec("customer-key-with-reason", t.KMS_KEY, REASON_TAG, {"tags": None}, "no tag Reason"),
    ceiling_spec("alarm-ceiling", t.ALARM, 201, "201 alarms"),
    ceiling_spec("dashboard-ceiling", t.DASHBOARD, 2, "2 dashboards"),
    ceiling_spec("custom-metric-ceiling", t.METRIC_FILTER, 61, "61 metrics"),
    property_spec("required-tags", t.QUEUE, "tags", TAGS, {**TAGS, "Owner": ""}, "no tag Owner"),
)


ALIAS_ARN = "arn:aws:lambda:us-east-1:123456789012:function:{}:live"
SLOW_FUNCTION = SampleResource(t.FUNCTION, {"name": "summarise", "timeout": 900})
ALWAYS_ON = (
    "aws:alb/loadBalancer:LoadBalancer",
    "aws:elb/loadBalancer:LoadBalancer",
    "aws:ec2/spotInstanceRequest:SpotInstanceRequest",
)


def workflow_that_calls(function_name: str) -> SampleResource:
    """Return a workflow that calls a function."""
    states = {"One": {"Type": "Task", "Arguments": {"FunctionName": ALIAS_ARN.format(function_name)}}}
    return SampleResource(t.WORKFLOW, {"definition": json.dumps({"States": states})}, "workflow")


CASES = (
    expect_no_finding("function-timeout-ceiling", SampleResource(t.FUNCTION, {"name": "f"})),
    # Only a function that a workflow calls may have a long timeout.
    expect_no_finding("function-timeout-ceiling", SLOW_FUNCTION, workflow_that_calls("summarise")),
    expect_finding("function-timeout-ceiling", "900 seconds", SLOW_FUNCTION, workflow_that_calls("summarise-more")),
    expect_finding("function-timeout-ceiling", "900 seconds", SLOW_FUNCTION, workflow_that_calls("do-summarise")),
    expect_finding(
        "function-timeout-ceiling",
        UNDECIDED,
        SLOW_FUNCTION,
        SampleResource(t.WORKFLOW, {"definition": UNKNOWN}, "workflow"),
    ),
    *(expect_finding("no-always-on-service", "used or not", SampleResource(kind, {})) for kind in ALWAYS_ON),
    expect_finding(
        "api-logs-owned", "/aws/apigateway/", SampleResource(t.API_V2_STAGE, {"apiId": "a", "name": "live"})
    ),
    expect_finding("glue-worker-ceiling", "G.8X", SampleResource(t.GLUE_JOB, {**GLUE_JOB, "workerType": "G.8X"})),
    expect_no_finding(
        "glue-no-quarter-worker",
        SampleResource(t.GLUE_JOB, {"command": {"name": "gluestreaming"}, "workerType": "G.025X"}),
    ),
    expect_no_finding(
        "queue-source-bounded",
        SampleResource(t.EVENT_SOURCE_MAPPING, {"eventSourceArn": "arn:aws:dynamodb:r:1:table/t/stream/s"}),
    ),
    expect_finding(
        "bucket-aborts-multipart",
        "No rule for the whole bucket has abortIncompleteMultipartUpload",
        SampleResource(
            t.BUCKET_LIFECYCLE, {"rules": [{"status": "Enabled", "filter": {"prefix": "a/"}, **ABORTS_UPLOADS}]}
        ),
    ),
    expect_finding(
        "cost-estimate", "cannot be checked", platform(), SampleResource(t.BATCH_JOB, {"containerProperties": "{"})
    ),
    expect_finding(
        "spend-within-budget", "nobody, but the stack has no block", platform(usage={"nobody": {"writes": 1}})
    ),
    expect_finding(
        "spend-within-budget", "no published usage (requests)", platform(), SampleResource(t.REST_API, {}, "a")
    ),
)
