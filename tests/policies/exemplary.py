"""What later subsystems will register, as they should: nothing of it may be found at fault, or be undecided.

Ids that AWS invents are unknown here as they are in a preview; references say where they come from.
"""

import json

from guardrails import types as t
from tests.policies.harness import UNKNOWN, Thing
from tests.policies.specs.documents import ACCOUNT, REGION, allow, document, service, source, trust

ARN = f"{REGION}:{ACCOUNT}"
TOPIC = f"arn:aws:sns:{ARN}:polyphony-prod-foundation-alerts"
DLQ = f"arn:aws:sqs:{ARN}:polyphony-prod-a-dlq"
OWN = "${cognito-identity.amazonaws.com:sub}"
COGNITO = "cognito-identity.amazonaws.com"
REASON = "guests' clips are encrypted for the compliance office"


def tags(name: str, **more: str) -> dict[str, str]:
    """All tags."""
    return {
        "Project": "polyphony",
        "Environment": "prod",
        "Subsystem": "a",
        "Owner": "platform",
        "CostCenter": "voice",
        "Name": name,
        **more,
    }


def alarm(name: str, metric: str, **dimensions: str) -> Thing:
    """An alarm as the block makes it."""
    return Thing(
        t.ALARM,
        {
            "namespace": "AWS/Lambda" if "FunctionName" in dimensions else "AWS/X",
            "metricName": metric,
            "dimensions": dimensions,
            "comparisonOperator": "GreaterThanThreshold",
            "threshold": 0,
            "alarmActions": [TOPIC],
            "treatMissingData": "notBreaching",
            "alarmDescription": "CRITICAL: it fails. Runbook: docs/runbooks/a.md",
            "tags": tags(name),
        },
        name,
    )


def function(name: str, timeout: int, **environment: str) -> list[Thing]:
    """A function with role, logs, alias and alarms."""
    return [
        Thing(
            t.ROLE,
            {"name": name, "assumeRolePolicy": service("lambda.amazonaws.com"), "tags": tags(name)},
            f"{name}-role",
        ),
        Thing(t.LOG_GROUP, {"name": f"/aws/lambda/{name}", "retentionInDays": 90, "tags": tags(name)}, f"{name}-logs"),
        Thing(
            t.FUNCTION,
            {
                "name": name,
                "role": UNKNOWN,
                "runtime": "python3.13",
                "architectures": ["arm64"],
                "memorySize": 512,
                "timeout": timeout,
                "publish": True,
                "tracingConfig": {"mode": "Active"},
                "loggingConfig": {"logFormat": "JSON", "logGroup": f"/aws/lambda/{name}"},
                "environment": {"variables": {"MEMORY_ID": UNKNOWN, **environment}},
                "tags": tags(name),
            },
            name,
            refers={"role": [f"{name}-role"]},
        ),
        Thing(t.FUNCTION_ALIAS, {"name": "live", "functionName": name}, f"{name}-live"),
        alarm(f"{name}-errors", "Errors", FunctionName=name, Resource=f"{name}:live"),
        alarm(f"{name}-throttles", "Throttles", FunctionName=name, Resource=f"{name}:live"),
    ]


def invoker(label: str, name: str, api: str) -> Thing:
    """API Gateway may call a function's alias, for an API whose id is not known."""
    props = {"function": name, "qualifier": "live", "principal": "apigateway.amazonaws.com", "sourceArn": UNKNOWN}
    return Thing(t.FUNCTION_PERMISSION, props, label, refers={"sourceArn": [api]})


REST = [
    Thing(
        t.REST_API,
        {"name": "a", "body": json.dumps({"paths": {"/x": {"get": {"security": [{"jwt": []}]}}}}), "tags": tags("a")},
        "api",
    ),
    Thing(
        t.REST_DEPLOYMENT, {"restApi": UNKNOWN, "triggers": {"hash": "x"}}, "deployment", refers={"restApi": ["api"]}
    ),
    Thing(
        t.LOG_GROUP, {"name": UNKNOWN, "retentionInDays": 90, "tags": tags("l")}, "api-logs", refers={"name": ["api"]}
    ),
    Thing(
        t.REST_STAGE,
        {
            "restApi": UNKNOWN,
            "stageName": "api",
            "xrayTracingEnabled": True,
            "accessLogSettings": {"destinationArn": UNKNOWN, "format": "{}"},
            "tags": tags("s"),
        },
        "stage",
        refers={"restApi": ["api"], "accessLogSettings": ["api-logs"]},
    ),
    Thing(
        t.REST_METHOD_SETTINGS,
        {
            "restApi": UNKNOWN,
            "stageName": "api",
            "methodPath": "*/*",
            "settings": {
                "throttlingRateLimit": 50,
                "throttlingBurstLimit": 100,
                "loggingLevel": "ERROR",
                "metricsEnabled": True,
                "dataTraceEnabled": False,
            },
        },
        "settings",
        refers={"restApi": ["api"], "stageName": ["stage"]},
    ),
    *function(
        "a-episodes", 25, ENCRYPTION_KEY="/polyphony/prod/a/encryption-key", ORIGIN="https://console.example.com"
    ),
    invoker("rest-permission", "a-episodes", "api"),
    Thing(
        t.WEB_ACL,
        {
            "visibilityConfig": {"cloudwatchMetricsEnabled": True},
            "rules": [{"statement": {"rateBasedStatement": {"limit": 100}}}],
            "tags": tags("w"),
        },
        "acl",
    ),
    Thing(
        t.PARAMETER,
        {"name": "/polyphony/prod/a/encryption-key", "type": "SecureString", "tags": tags("p")},
        "parameter",
    ),
]

SOCKETS = [
    Thing(t.SOCKET_API, {"name": "ws", "protocolType": "WEBSOCKET", "tags": tags("ws")}, "ws"),
    Thing(t.LOG_GROUP, {"name": UNKNOWN, "retentionInDays": 90, "tags": tags("l")}, "ws-logs", refers={"name": ["ws"]}),
    Thing(
        t.SOCKET_ROUTE,
        {"apiId": UNKNOWN, "routeKey": "$connect", "authorizationType": "AWS_IAM"},
        "connect",
        refers={"apiId": ["ws"]},
    ),
    Thing(
        t.SOCKET_ROUTE,
        {"apiId": UNKNOWN, "routeKey": "query", "authorizationType": "NONE"},
        "query",
        refers={"apiId": ["ws"]},
    ),
    Thing(
        t.SOCKET_STAGE,
        {
            "apiId": UNKNOWN,
            "name": "live",
            "accessLogSettings": {"destinationArn": UNKNOWN, "format": "{}"},
            "defaultRouteSettings": {
                "throttlingRateLimit": 50,
                "throttlingBurstLimit": 100,
                "loggingLevel": "ERROR",
                "dataTraceEnabled": False,
            },
            "tags": tags("s"),
        },
        "ws-stage",
        refers={"apiId": ["ws"], "accessLogSettings": ["ws-logs"]},
    ),
    *function("a-handler", 29),
    invoker("ws-permission", "a-handler", "ws"),
    *function("a-worker", 900),
    Thing(
        t.FUNCTION_ASYNC,
        {"functionName": "a-worker", "qualifier": "live", "destinationConfig": {"onFailure": {"destination": DLQ}}},
        "async",
    ),
    Thing(t.QUEUE, {"name": "polyphony-prod-a-dlq", "messageRetentionSeconds": 1_209_600, "tags": tags("q")}, "dlq"),
    Thing(
        t.QUEUE_POLICY,
        {
            "queueUrl": UNKNOWN,
            "policy": document(
                {
                    "Effect": "Deny",
                    "Principal": "*",
                    "Action": "sqs:*",
                    "Resource": DLQ,
                    "Condition": {"Bool": {"aws:SecureTransport": "false"}},
                }
            ),
        },
        "dlq-policy",
        refers={"queueUrl": ["dlq"]},
    ),
    alarm("dlq-alarm", "ApproximateNumberOfMessagesVisible", QueueName="polyphony-prod-a-dlq"),
]

GUESTS = [
    Thing(
        t.IDENTITY_POOL, {"identityPoolName": "p", "allowUnauthenticatedIdentities": True, "tags": tags("p")}, "pool"
    ),
    Thing(
        t.ROLE,
        {"name": "guest", "assumeRolePolicy": UNKNOWN, "tags": tags("g")},
        "guest",
        refers={"assumeRolePolicy": ["pool"]},
    ),
    Thing(
        t.ROLE_POLICY,
        {
            "role": "guest",
            "policy": document(
                allow("s3:PutObject", f"arn:aws:s3:::polyphony-prod-a/queries/{OWN}/*"),
                allow(
                    ["dynamodb:GetItem", "dynamodb:PutItem"],
                    f"arn:aws:dynamodb:{ARN}:table/polyphony-prod-a",
                    {
                        "ForAllValues:StringLike": {"dynamodb:LeadingKeys": f"{OWN}#*"},
                        "Null": {"dynamodb:LeadingKeys": "false"},
                    },
                ),
                allow("execute-api:Invoke", f"arn:aws:execute-api:{ARN}:abc/live/$connect"),
            ),
        },
        "guest-grants",
        refers={"role": ["guest"]},
    ),
    Thing(
        t.IDENTITY_POOL_ROLES,
        {"identityPoolId": UNKNOWN, "roles": {"unauthenticated": UNKNOWN}},
        "pool-roles",
        refers={"identityPoolId": ["pool"], "roles": ["guest"]},
    ),
]

TASK = {"Type": "Task", "Retry": [{"ErrorEquals": ["States.ALL"]}], "TimeoutSeconds": 60}
MACHINE = f"arn:aws:states:{ARN}:stateMachine:polyphony-prod-a-run"
JOBS = [
    Thing(
        t.ROLE,
        {"name": "run", "assumeRolePolicy": service("states.amazonaws.com", source(MACHINE)), "tags": tags("r")},
        "run-role",
    ),
    Thing(
        t.ROLE_POLICY,
        {
            "role": "run",
            "policy": document(
                allow(
                    ["glue:StartJobRun", "glue:GetJobRun", "glue:GetJobRuns", "glue:BatchStopJobRun"],
                    f"arn:aws:glue:{ARN}:job/polyphony-prod-a",
                ),
                allow(
                    "batch:SubmitJob",
                    [
                        f"arn:aws:batch:{ARN}:job-queue/polyphony-prod-a",
                        f"arn:aws:batch:{ARN}:job-definition/polyphony-prod-a",
                    ],
                ),
                allow("batch:TerminateJob", f"arn:aws:batch:{ARN}:job/*"),
                allow("batch:DescribeJobs", "*"),
                allow(
                    ["events:PutTargets", "events:PutRule", "events:DescribeRule"],
                    f"arn:aws:events:{ARN}:rule/StepFunctionsGetEventsForBatchJobsRule",
                ),
                allow(["logs:CreateLogDelivery", "logs:DescribeLogGroups", "xray:PutTraceSegments"], "*"),
            ),
        },
        "run-grants",
        refers={"role": ["run-role"]},
    ),
    Thing(
        t.WORKFLOW,
        {
            "name": "polyphony-prod-a-run",
            "definition": json.dumps({"StartAt": "T", "States": {"T": TASK}}),
            "loggingConfiguration": {"level": "ERROR", "includeExecutionData": False, "logDestination": UNKNOWN},
            "tracingConfiguration": {"enabled": True},
            "tags": tags("w"),
        },
        "workflow",
    ),
    alarm("workflow-alarm", "ExecutionsFailed", StateMachineArn=MACHINE),
    Thing(t.LOG_GROUP, {"name": "/polyphony/prod/jobs", "retentionInDays": 90, "tags": tags("l")}, "job-logs"),
    Thing(
        t.GLUE_JOB,
        {
            "name": "polyphony-prod-a",
            "command": {"name": "glueetl"},
            "glueVersion": "5.0",
            "workerType": "G.1X",
            "numberOfWorkers": 4,
            "timeout": 30,
            "executionProperty": {"maxConcurrentRuns": 20},
            "securityConfiguration": UNKNOWN,
            "defaultArguments": {"--continuous-log-logGroup": "/polyphony/prod/jobs"},
            "tags": tags("g"),
        },
        "glue",
    ),
    Thing(
        t.BATCH_ENVIRONMENT,
        {"name": "spot", "computeResources": {"type": "FARGATE_SPOT", "maxVcpus": 8}, "tags": tags("e")},
        "spot",
    ),
    Thing(
        t.BATCH_ENVIRONMENT,
        {"name": "steady", "computeResources": {"type": "FARGATE", "maxVcpus": 4}, "tags": tags("e")},
        "steady",
    ),
    *(
        Thing(
            t.BATCH_QUEUE,
            {
                "name": name,
                "computeEnvironmentOrders": [{"order": 1, "computeEnvironment": UNKNOWN}],
                "tags": tags("q"),
            },
            f"{name}-queue",
            refers={"computeEnvironmentOrders": [name]},
        )
        for name in ("spot", "steady")
    ),
    Thing(
        t.BATCH_JOB,
        {
            "name": "media",
            "containerProperties": json.dumps(
                {
                    "environment": [{"name": "BUCKET", "value": "polyphony-prod-a"}],
                    "logConfiguration": {"options": {"awslogs-group": "/polyphony/prod/jobs"}},
                }
            ),
            "retryStrategy": {
                "attempts": 3,
                "evaluateOnExits": [
                    {"onStatusReason": "Your Spot*", "action": "RETRY"},
                    {"onReason": "*", "action": "EXIT"},
                ],
            },
            "timeout": {"attemptDurationSeconds": 7200},
            "tags": tags("j"),
        },
        "media",
    ),
    Thing(
        t.ROLE,
        {"name": "job", "assumeRolePolicy": service("ecs-tasks.amazonaws.com"), "tags": tags("j")},
        "job-role",
    ),
    Thing(
        t.REPOSITORY,
        {
            "name": "media",
            "imageScanningConfiguration": {"scanOnPush": True},
            "imageTagMutability": "IMMUTABLE",
            "tags": tags("m"),
        },
        "repository",
    ),
    Thing(t.REPOSITORY_LIFECYCLE, {"repository": "media"}, "repository-lifecycle"),
]

PASSING = [
    Thing(
        t.ROLE,
        {
            "name": "media-convert",
            "assumeRolePolicy": service(
                "mediaconvert.amazonaws.com", source(f"arn:aws:mediaconvert:{ARN}:queues/Default")
            ),
            "tags": tags("m"),
        },
        "media-convert",
    ),
    Thing(t.ROLE, {"name": "cutter", "assumeRolePolicy": service("lambda.amazonaws.com"), "tags": tags("c")}, "cutter"),
    Thing(
        t.ROLE_POLICY,
        {
            "role": "cutter",
            "policy": document(
                allow("mediaconvert:CreateJob", f"arn:aws:mediaconvert:{ARN}:queues/Default"),
                allow(
                    "iam:PassRole",
                    f"arn:aws:iam::{ACCOUNT}:role/media-convert",
                    {"StringEquals": {"iam:PassedToService": "mediaconvert.amazonaws.com"}},
                ),
                allow(
                    "bedrock:InvokeModel",
                    [
                        f"arn:aws:bedrock:{ARN}:inference-profile/us.anthropic.claude-x",
                        "arn:aws:bedrock:us-west-2::foundation-model/anthropic.claude-x",
                    ],
                ),
                allow("bedrock:ListInferenceProfiles", "*"),
                allow("bedrock-agentcore:CreateEvent", f"arn:aws:bedrock-agentcore:{ARN}:memory/clip-abc"),
                allow("execute-api:ManageConnections", f"arn:aws:execute-api:{ARN}:abc/live/POST/@connections/*"),
                allow("cloudwatch:PutMetricData", "*", {"StringEquals": {"cloudwatch:namespace": "Polyphony/A"}}),
                allow(["transcribe:StartStreamTranscription", "transcribe:StartTranscriptionJob"], "*"),
            ),
        },
        "cutter-grants",
        refers={"role": ["cutter"]},
    ),
    Thing(
        t.ROLE,
        {
            "name": "client",
            "assumeRolePolicy": trust(
                {"AWS": f"arn:aws:iam::{ACCOUNT}:role/cutter"},
                {"ForAllValues:StringEquals": {"aws:TagKeys": ["user"]}},
                ["sts:AssumeRole", "sts:TagSession"],
            ),
            "tags": tags("c"),
        },
        "client",
    ),
    Thing(
        t.KEY,
        {
            "enableKeyRotation": True,
            "deletionWindowInDays": 30,
            "policy": document(
                {
                    "Effect": "Allow",
                    "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
                    "Action": "kms:*",
                    "Resource": "*",
                }
            ),
            "tags": tags("k", Reason=REASON),
        },
        "key",
    ),
    Thing(t.ENDPOINT, {"vpcEndpointType": "Gateway", "tags": tags("e")}, "gateway-endpoint"),
    Thing(t.SECURITY_GROUP, {"ingress": [], "egress": [{"cidrBlocks": ["0.0.0.0/0"]}], "tags": tags("s")}, "group"),
    Thing(t.MEMORY, {"name": "polyphony_prod_clip", "eventExpiryDuration": 90, "tags": tags("m")}, "memory"),
]

ALL = [*REST, *SOCKETS, *GUESTS, *JOBS, *PASSING]
