"""Specs and variations of the policies about foreign accounts, buckets and services."""

import json

from guardrails.model import resource_types as t
from local.preview.property_values import SECRET, SIGNATURE
from tests.policies.policy_harness import (
    UNKNOWN,
    PolicyCase,
    PolicySpec,
    SampleResource,
    change_resource,
    edit_json_property,
    expect_finding,
    expect_no_finding,
)
from tests.policies.program_variations import (
    ProgramVariation,
    added,
    changed,
    changed_nested,
    edited,
    granted,
    replaced_text,
)
from tests.policies.specs.sample_iam_documents import ACCOUNT, REGION, Statement, allow, document, trust

FOREIGN = "999999999999"
FOREIGN_ROLE = f"arn:aws:iam::{FOREIGN}:role/reader"
FOREIGN_QUEUE = f"arn:aws:sqs:{REGION}:{FOREIGN}:copies"
FOREIGN_TOPIC = f"arn:aws:sns:{REGION}:{FOREIGN}:copies"
FOREIGN_KEY = f"arn:aws:kms:{REGION}:{FOREIGN}:key/0e3f"
FOREIGN_FUNCTION = f"arn:aws:lambda:{REGION}:{FOREIGN}:function:copy"
CANONICAL_USER = "79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be"
ALERTS = f"arn:aws:sns:{REGION}:{ACCOUNT}:polyphony-prod-foundation-alerts"
FUNCTION = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:polyphony-prod-ingestion-sweeper:live"
ACCOUNTS, BUCKETS, SERVICES = "account-known", "bucket-known", "service-known"
ON_BUCKET = "arn:aws:s3:::polyphony-prod-{}-123456789012/*"


def variables(**given: str) -> dict[str, object]:
    """Return the environment of a function."""
    return {"environment": {"variables": given}}


def reads(principal: object, condition: dict[str, object] | None = None) -> Statement:
    """Return a statement that lets a principal read the landing bucket."""
    return allow("s3:GetObject", ON_BUCKET.format("ingestion-landing"), condition, Principal=principal)


def sends(principal: object, condition: dict[str, object] | None = None) -> Statement:
    """Return a statement that lets a principal send to a queue."""
    return allow("sqs:SendMessage", "*", condition, Principal=principal)


SPECS = (
    PolicySpec(
        ACCOUNTS,
        good=[SampleResource(t.FUNCTION_PERMISSION, {"principal": ACCOUNT})],
        bad=[SampleResource(t.FUNCTION_PERMISSION, {"principal": FOREIGN})],
        message_part=f"principal contains {FOREIGN}",
        unknown=[
            SampleResource(t.TOPIC, {"name": UNKNOWN}, "topic"),
            SampleResource(t.FUNCTION_PERMISSION, {"principal": FOREIGN, "sourceArn": UNKNOWN}),
        ],
        undecided=False,
        break_program=change_resource("livestream-video-jobs-target", {"arn": FOREIGN_QUEUE}),
    ),
    PolicySpec(
        BUCKETS,
        good=[
            SampleResource(t.BUCKET, {"bucket": "own"}, "own"),
            SampleResource(t.BUCKET_LOGGING, {"bucket": "own", "targetBucket": "own"}),
        ],
        bad=[SampleResource(t.BUCKET_LOGGING, {"targetBucket": "elsewhere"})],
        message_part="names the bucket elsewhere",
        unknown=[
            SampleResource(t.BUCKET, {"bucket": UNKNOWN}, "own"),
            SampleResource(t.BUCKET_LOGGING, {"bucket": UNKNOWN, "targetBucket": "elsewhere"}),
        ],
        undecided=False,
        break_program=change_resource("ingestion-landing-logging", {"targetBucket": "elsewhere"}),
    ),
    PolicySpec(
        SERVICES,
        good=[SampleResource(t.FUNCTION_PERMISSION, {"principal": "events.amazonaws.com"})],
        bad=[SampleResource(t.FUNCTION_PERMISSION, {"principal": "ec2.amazonaws.com"})],
        message_part="is the service ec2.amazonaws.com",
        unknown=[SampleResource(t.FUNCTION_PERMISSION, {"principal": "ec2.amazonaws.com", "sourceArn": UNKNOWN})],
        undecided=False,
        break_program=edit_json_property(
            "ingestion-intake-policy",
            "policy",
            lambda found: found["Statement"].append(sends({"Service": "ec2.amazonaws.com"})),
        ),
    ),
)


def deny(arn: str) -> Statement:
    """Return a statement that denies everything to some principals."""
    return {
        "Effect": "Deny",
        "Principal": {"AWS": "*"},
        "Action": "s3:*",
        "Resource": "*",
        "Condition": {"ArnLike": {"aws:PrincipalArn": arn}},
    }


CASES: tuple[PolicyCase, ...] = (
    # A text may contain a document in a document.
    expect_finding(
        ACCOUNTS,
        "a.b contains",
        SampleResource(t.SSM_PARAMETER, {"value": json.dumps({"a": json.dumps({"b": FOREIGN_ROLE})})}),
    ),
    expect_finding(
        ACCOUNTS, "whose account is a wildcard", SampleResource(t.EVENT_TARGET, {"arn": "arn:aws:sqs:*:*:x"})
    ),
    # The Platform component publishes the stack's account, so this account is not foreign.
    expect_no_finding(
        ACCOUNTS,
        SampleResource(t.PLATFORM, {"account": FOREIGN}, "platform"),
        SampleResource(t.FUNCTION_PERMISSION, {"principal": FOREIGN}),
    ),
    # A property that only the provider returns, for example the grants of the bucket's owner, is not the program's.
    expect_no_finding(
        ACCOUNTS, SampleResource(t.BUCKET, {"bucket": "b"}, provider_outputs={"grants": [{"id": CANONICAL_USER}]})
    ),
)

VARIATIONS: tuple[ProgramVariation, ...] = (
    granted(
        "root user in a bucket policy",
        "ingestion-landing-policy",
        reads({"AWS": f"arn:aws:iam::{FOREIGN}:root"}),
        ACCOUNTS,
    ),
    granted("account id in a bucket policy", "ingestion-lake-policy", reads({"AWS": FOREIGN}), ACCOUNTS),
    granted("one of several principals", "voice-qa-audio-policy", reads({"AWS": [ACCOUNT, FOREIGN_ROLE]}), ACCOUNTS),
    granted(
        "account in a condition",
        "meetings-recordings-policy",
        reads("*", {"StringEquals": {"aws:PrincipalAccount": [ACCOUNT, FOREIGN]}}),
        ACCOUNTS,
    ),
    granted(
        "organisation",
        "livestream-transcripts-policy",
        reads("*", {"StringEquals": {"aws:PrincipalOrgID": "o-a1b2c3d4e5"}}),
        ACCOUNTS,
    ),
    granted(
        "organisational unit",
        "foundation-audit-logs-policy",
        reads("*", {"ForAnyValue:StringEquals": {"aws:PrincipalOrgPaths": "o-a1b2c3d4e5/r-ab12/ou-ab12-11111111/"}}),
        ACCOUNTS,
    ),
    granted(
        "canonical user in a bucket policy",
        "ingestion-landing-policy",
        reads({"CanonicalUser": CANONICAL_USER}),
        ACCOUNTS,
    ),
    granted("unique id of a role", "ingestion-lake-policy", reads({"AWS": "AROAJ2UCCR6DPCEXAMPLE"}), ACCOUNTS),
    granted(
        "unique id of a user in a condition",
        "voice-qa-audio-policy",
        reads("*", {"StringLike": {"aws:userId": "AIDACKCEVSQ6C2EXAMPLE"}}),
        ACCOUNTS,
    ),
    granted(
        "assumed session",
        "meetings-recordings-policy",
        reads({"AWS": f"arn:aws:sts::{FOREIGN}:assumed-role/reader/x"}),
        ACCOUNTS,
    ),
    granted(
        "origin access identity",
        "livestream-transcripts-policy",
        reads({"AWS": "arn:aws:iam::cloudfront:user/CloudFront Origin Access Identity E1"}),
        ACCOUNTS,
    ),
    granted(
        "federated user",
        "foundation-audit-logs-policy",
        reads({"AWS": f"arn:aws:sts::{FOREIGN}:federated-user/x"}),
        ACCOUNTS,
    ),
    granted(
        "source account in a queue policy",
        "ingestion-intake-policy",
        sends({"Service": "s3.amazonaws.com"}, {"StringEquals": {"aws:SourceAccount": FOREIGN}}),
        ACCOUNTS,
    ),
    granted(
        "source rule in a queue policy",
        "livestream-video-jobs-dlq-policy",
        sends(
            {"Service": "events.amazonaws.com"},
            {"ArnEquals": {"aws:SourceArn": f"arn:aws:events:{REGION}:{FOREIGN}:rule/x"}},
        ),
        ACCOUNTS,
    ),
    granted(
        "topic policy", "foundation-alerts-policy", allow("sns:Subscribe", ALERTS, Principal={"AWS": FOREIGN}), ACCOUNTS
    ),
    granted("resource of a role", "ingestion-sweeper-grants", allow("sqs:SendMessage", FOREIGN_QUEUE), ACCOUNTS),
    granted(
        "resource of every account",
        "ingestion-steps-grants",
        allow("sqs:SendMessage", f"arn:aws:sqs:{REGION}:*:copies"),
        ACCOUNTS,
    ),
    granted(
        "short pattern of every account",
        "ingestion-manifest-builder-grants",
        allow("sqs:SendMessage", "arn:aws:sqs:*"),
        ACCOUNTS,
    ),
    granted(
        "partial account",
        "livestream-media-convert-grants",
        allow("sqs:SendMessage", f"arn:aws:sqs:{REGION}:99999*:copies"),
        ACCOUNTS,
    ),
    granted(
        "resource account in a condition",
        "ingestion-spark-grants",
        allow("sqs:SendMessage", "*", {"StringEquals": {"aws:ResourceAccount": FOREIGN}}),
        ACCOUNTS,
    ),
    granted(
        "foreign role in a trust policy",
        "ingestion-sweeper-role",
        json.loads(trust({"AWS": FOREIGN_ROLE}))["Statement"][0],
        ACCOUNTS,
        "assumeRolePolicy",
    ),
    granted(
        "foreign account in a trust policy",
        "ingestion-steps-role",
        json.loads(trust({"AWS": FOREIGN}))["Statement"][0],
        ACCOUNTS,
        "assumeRolePolicy",
    ),
    granted(
        "foreign identity provider",
        "ingestion-spark-role",
        json.loads(trust({"Federated": f"arn:aws:iam::{FOREIGN}:oidc-provider/token.example.com"}))["Statement"][0],
        ACCOUNTS,
        "assumeRolePolicy",
    ),
    replaced_text(
        "source account in a trust policy",
        "livestream-media-convert-role",
        "assumeRolePolicy",
        f'"{ACCOUNT}"',
        f'"{FOREIGN}"',
        ACCOUNTS,
    ),
    changed(
        "permissions boundary",
        "ingestion-manifest-builder-role",
        {"permissionsBoundary": f"arn:aws:iam::{FOREIGN}:policy/b"},
        ACCOUNTS,
    ),
    changed(
        "managed policy",
        "voice-qa-validate-lecture-role",
        {"managedPolicyArns": [f"arn:aws:iam::{FOREIGN}:policy/p"]},
        ACCOUNTS,
    ),
    changed("guest role", "voice-qa-guests-roles", {"roles": {"unauthenticated": FOREIGN_ROLE}}, ACCOUNTS),
    added(
        "function permission",
        t.FUNCTION_PERMISSION,
        {"function": FUNCTION, "action": "lambda:InvokeFunction", "principal": FOREIGN, "qualifier": "live"},
        ACCOUNTS,
    ),
    added(
        "permission for a foreign role",
        t.FUNCTION_PERMISSION,
        {"function": FUNCTION, "action": "lambda:InvokeFunction", "principal": FOREIGN_ROLE, "qualifier": "live"},
        ACCOUNTS,
    ),
    added(
        "permission for an organisation",
        t.FUNCTION_PERMISSION,
        {"function": FUNCTION, "principal": "*", "principalOrgId": "o-a1b2c3d4e5", "qualifier": "live"},
        ACCOUNTS,
    ),
    added(
        "source account of a permission",
        t.FUNCTION_PERMISSION,
        {
            "function": FUNCTION,
            "principal": "s3.amazonaws.com",
            "sourceArn": "arn:aws:s3:::polyphony-prod-ingestion-landing-123456789012",
            "sourceAccount": FOREIGN,
        },
        ACCOUNTS,
    ),
    added(
        "layer permission",
        t.LAYER_PERMISSION,
        {"layerName": "x", "principal": FOREIGN, "action": "lambda:GetLayerVersion"},
        ACCOUNTS,
    ),
    added("event bus permission", t.EVENT_BUS_PERMISSION, {"principal": FOREIGN, "statementId": "x"}, ACCOUNTS),
    added(
        "log subscription",
        "aws:cloudwatch/logSubscriptionFilter:LogSubscriptionFilter",
        {"destinationArn": f"arn:aws:logs:{REGION}:{FOREIGN}:destination:x"},
        ACCOUNTS,
    ),
    added(
        "topic subscription",
        "aws:sns/topicSubscription:TopicSubscription",
        {"topic": ALERTS, "protocol": "sqs", "endpoint": FOREIGN_QUEUE},
        ACCOUNTS,
    ),
    added("shared resource", "aws:ram/principalAssociation:PrincipalAssociation", {"principal": FOREIGN}, ACCOUNTS),
    added("key grant", "aws:kms/grant:Grant", {"granteePrincipal": FOREIGN_ROLE}, ACCOUNTS),
    added(
        "snapshot permission",
        "aws:ec2/snapshotCreateVolumePermission:SnapshotCreateVolumePermission",
        {"accountId": FOREIGN},
        ACCOUNTS,
    ),
    added(
        "peer owner as a number",
        "aws:ec2/vpcPeeringConnection:VpcPeeringConnection",
        {"peerOwnerId": int(FOREIGN)},
        ACCOUNTS,
    ),
    added(
        "bucket for a canonical user",
        "aws:s3/bucketAcl:BucketAcl",
        {"accessControlPolicy": {"grants": [{"grantee": {"id": CANONICAL_USER}}]}},
        ACCOUNTS,
    ),
    replaced_text(
        "image", "meetings-media-definition", "containerProperties", f"{ACCOUNT}.dkr", f"{FOREIGN}.dkr", ACCOUNTS
    ),
    changed(
        "layer",
        "ingestion-sweeper-function",
        {"layers": [f"arn:aws:lambda:{REGION}:{FOREIGN}:layer:tools:1"]},
        ACCOUNTS,
    ),
    changed(
        "layer of a name that AWS uses",
        "ingestion-steps-function",
        {"layers": [f"arn:aws:lambda:{REGION}:{FOREIGN}:layer:AWSLambdaPowertoolsPythonV3:1"]},
        ACCOUNTS,
    ),
    changed(
        "event target",
        "livestream-video-completed-target",
        {"arn": f"arn:aws:events:{REGION}:{FOREIGN}:event-bus/default"},
        ACCOUNTS,
    ),
    changed_nested("schedule target", "ingestion-sweep-schedule", ("target", "arn"), FOREIGN_FUNCTION, ACCOUNTS),
    changed_nested(
        "schedule dead letters",
        "voice-qa-sweep-schedule",
        ("target", "deadLetterConfig", "arn"),
        FOREIGN_QUEUE,
        ACCOUNTS,
    ),
    changed(
        "bucket notification",
        "ingestion-landing-notification",
        {"queues": [{"queueArn": FOREIGN_QUEUE, "events": ["s3:ObjectCreated:*"]}]},
        ACCOUNTS,
    ),
    changed_nested(
        "failure destination",
        "ingestion-sweeper-asynchronous",
        ("destinationConfig", "onFailure", "destination"),
        FOREIGN_QUEUE,
        ACCOUNTS,
    ),
    replaced_text("redrive policy", "ingestion-intake-queue", "redrivePolicy", ACCOUNT, FOREIGN, ACCOUNTS),
    changed("event source", "ingestion-intake-source", {"eventSourceArn": FOREIGN_QUEUE}, ACCOUNTS),
    replaced_text(
        "WebSocket integration",
        "voice-qa-socket-websocket-handler-integration",
        "integrationUri",
        ACCOUNT,
        FOREIGN,
        ACCOUNTS,
    ),
    replaced_text("REST integration", "livestream-api-api", "body", f":{ACCOUNT}:", f":{FOREIGN}:", ACCOUNTS),
    replaced_text(
        "workflow task", "ingestion-workflow-machine", "definition", f":{ACCOUNT}:", f":{FOREIGN}:", ACCOUNTS
    ),
    edited(
        "partial ARN in a workflow",
        "meetings-workflow-machine",
        "definition",
        lambda found: found["States"].update(
            {
                "Copy": {
                    "Type": "Task",
                    "Resource": "arn:aws:states:::lambda:invoke",
                    "Arguments": {"FunctionName": f"{FOREIGN}:function:copy"},
                    "End": True,
                }
            }
        ),
        ACCOUNTS,
    ),
    edited(
        "expression in a workflow",
        "ingestion-workflow-machine",
        "definition",
        lambda found: found["States"].update(
            {
                "Copy": {
                    "Type": "Task",
                    "Resource": "arn:aws:states:::sqs:sendMessage",
                    "Arguments": {
                        "QueueUrl": "{% 'https://sqs.us-east-1.amazonaws.com/' & '" + FOREIGN + "' & '/copies' %}"
                    },
                    "End": True,
                }
            }
        ),
        ACCOUNTS,
    ),
    edited(
        "queue URL in a workflow",
        "meetings-workflow-machine",
        "definition",
        lambda found: found["States"].update(
            {
                "Copy": {
                    "Type": "Task",
                    "Resource": "arn:aws:states:::sqs:sendMessage",
                    "Arguments": {"QueueUrl": f"https://sqs.us-east-1.amazonaws.com/{FOREIGN}/copies"},
                    "End": True,
                }
            }
        ),
        ACCOUNTS,
    ),
    changed("key of a topic", "foundation-alerts-topic", {"kmsMasterKeyId": FOREIGN_KEY}, ACCOUNTS),
    changed("key of a log group", "ingestion-spark-continuous-logs", {"kmsKeyId": FOREIGN_KEY}, ACCOUNTS),
    changed(
        "key of a table",
        "ingestion-files-table",
        {"serverSideEncryption": {"enabled": True, "kmsKeyArn": FOREIGN_KEY}},
        ACCOUNTS,
    ),
    changed_nested(
        "backup copy",
        "foundation-backup-plan",
        ("rules", "0", "copyActions"),
        [{"destinationVaultArn": f"arn:aws:backup:{REGION}:{FOREIGN}:backup-vault:x"}],
        ACCOUNTS,
    ),
    changed_nested(
        "queue URL in the environment",
        "ingestion-manifest-builder-function",
        ("environment", "variables", "COPIES"),
        f"https://sqs.{REGION}.amazonaws.com/{FOREIGN}/copies",
        ACCOUNTS,
    ),
    changed_nested(
        "account id in the environment",
        "voice-qa-validate-lecture-function",
        ("environment", "variables", "PARTNER_ACCOUNT_ID"),
        FOREIGN,
        ACCOUNTS,
    ),
    changed_nested(
        "unnamed account id in the environment",
        "livestream-episodes-function",
        ("environment", "variables", "COPY_TO"),
        FOREIGN,
        ACCOUNTS,
    ),
    changed("catalog of a table", "ingestion-lake-table", {"catalogId": FOREIGN}, ACCOUNTS),
    changed_nested(
        "argument of a job", "ingestion-spark-job", ("defaultArguments", "--copy_to"), FOREIGN_TOPIC, ACCOUNTS
    ),
    changed("alarm action", "foundation-backup-failed-dlq-alarm", {"alarmActions": [FOREIGN_TOPIC]}, ACCOUNTS),
    added("metric of an account", t.ALARM, {"metricQueries": [{"id": "m", "accountId": FOREIGN}]}, ACCOUNTS),
    edited(
        "dashboard",
        "ingestion-overview-dashboard",
        "dashboardBody",
        lambda found: found["widgets"][0]["properties"].update(accountId=FOREIGN),
        ACCOUNTS,
    ),
    changed_nested(
        "budget alert",
        "foundation-spend-budget",
        ("notifications", "0", "subscriberSnsTopicArns"),
        [FOREIGN_TOPIC],
        ACCOUNTS,
    ),
    changed(
        "endpoint service",
        "meetings-jobs-s3",
        {"serviceName": f"com.amazonaws.vpce.{REGION}.vpce-svc-0e3f5a7b9c1d2e4f6"},
        ACCOUNTS,
    ),
    changed(
        "archive of a foreign bus",
        "livestream-events-archive",
        {"eventSourceArn": f"arn:aws:events:{REGION}:{FOREIGN}:event-bus/default"},
        ACCOUNTS,
    ),
    changed(
        "access log of a stage",
        "livestream-api-stage",
        {
            "accessLogSettings": {
                "destinationArn": f"arn:aws:firehose:{REGION}:{FOREIGN}:deliverystream/x",
                "format": "{}",
            }
        },
        ACCOUNTS,
    ),
    changed(
        "value of a parameter", "livestream-cursors-parameter", {"value": json.dumps({"role": FOREIGN_ROLE})}, ACCOUNTS
    ),
    changed("role of a job", "ingestion-spark-job", {"roleArn": FOREIGN_ROLE}, ACCOUNTS),
    changed(
        "tag with an account",
        "meetings-recordings-bucket",
        {"tags": {"Name": "x", "SharedWithAccount": FOREIGN}},
        ACCOUNTS,
    ),
    changed_nested(
        "account as the console writes it",
        "meetings-start-function",
        ("environment", "variables", "PARTNER_ACCOUNT"),
        "9999-9999-9999",
        ACCOUNTS,
    ),
    changed_nested(
        "list of accounts",
        "meetings-storage-function",
        ("environment", "variables", "ACCOUNTS"),
        f"{ACCOUNT},{FOREIGN}",
        ACCOUNTS,
    ),
    changed_nested(
        "encoded ARN",
        "livestream-care-function",
        ("environment", "variables", "GUIDE"),
        f"https://example.com/?to=arn%3Aaws%3Asqs%3A{REGION}%3A{FOREIGN}%3Ax",
        ACCOUNTS,
    ),
    changed_nested(
        "registry with two protocols",
        "livestream-agent-function",
        ("environment", "variables", "IMAGE"),
        f"{FOREIGN}.dkr-ecr.{REGION}.on.aws/x",
        ACCOUNTS,
    ),
    changed(
        "secret parameter",
        "livestream-cursors-parameter",
        {"value": {SIGNATURE: SECRET, "value": f"copy to {FOREIGN_QUEUE}"}},
        ACCOUNTS,
    ),
    granted(
        "foreign endpoint",
        "ingestion-lake-policy",
        reads("*", {"StringEquals": {"aws:SourceVpce": "vpce-0e3f5a7b"}}),
        ACCOUNTS,
    ),
    granted(
        "foreign network",
        "voice-qa-audio-policy",
        reads("*", {"StringEquals": {"aws:SourceVpc": "vpc-0e3f5a7b"}}),
        ACCOUNTS,
    ),
    # Buckets.
    changed("target of access logs", "ingestion-lake-logging", {"targetBucket": "copies-of-logs"}, BUCKETS),
    granted(
        "bucket of a role", "ingestion-sweeper-grants", allow("s3:PutObject", "arn:aws:s3:::copies-of-data/*"), BUCKETS
    ),
    granted("every bucket", "ingestion-steps-grants", allow("s3:PutObject", "arn:aws:s3:::*/copies/*"), BUCKETS),
    granted(
        "buckets with a prefix",
        "voice-qa-validate-lecture-grants",
        allow("s3:PutObject", "arn:aws:s3:::polyphony-prod-*/*"),
        BUCKETS,
    ),
    granted(
        "source bucket of a queue policy",
        "voice-qa-sweep-dlq-policy",
        sends({"Service": "s3.amazonaws.com"}, {"ArnLike": {"aws:SourceArn": "arn:aws:s3:::copies-of-data"}}),
        BUCKETS,
    ),
    changed("code of a function", "ingestion-sweeper-function", {"s3Bucket": "copies-of-code", "s3Key": "x"}, BUCKETS),
    changed_nested(
        "query results",
        "ingestion-lake-workgroup",
        ("configuration", "resultConfiguration", "outputLocation"),
        "s3://copies-of-data/queries/",
        BUCKETS,
    ),
    changed_nested(
        "library of a job",
        "ingestion-spark-job",
        ("defaultArguments", "--extra-py-files"),
        "s3://copies-of-code/lib.zip",
        BUCKETS,
    ),
    changed_nested(
        "Hadoop URL", "ingestion-spark-job", ("defaultArguments", "--lake_uri"), "s3a://copies-of-data/", BUCKETS
    ),
    changed_nested(
        "location of a table",
        "ingestion-lake-table",
        ("storageDescriptor", "location"),
        "s3://copies-of-data/rows/",
        BUCKETS,
    ),
    changed_nested(
        "bucket in the environment",
        "livestream-episodes-function",
        ("environment", "variables", "TRANSCRIPT_BUCKET"),
        "copies-of-data",
        BUCKETS,
    ),
    changed_nested(
        "bucket address in the environment",
        "voice-qa-validate-lecture-function",
        ("environment", "variables", "COPIES"),
        "https://copies-of-data.s3.us-east-1.amazonaws.com/x",
        BUCKETS,
    ),
    changed_nested(
        "path-style address",
        "ingestion-manifest-builder-function",
        ("environment", "variables", "COPIES"),
        "https://s3.us-east-1.amazonaws.com/copies-of-data/x",
        BUCKETS,
    ),
    edited(
        "bucket in a workflow",
        "meetings-workflow-machine",
        "definition",
        lambda found: found["States"].update(
            {
                "Copy": {
                    "Type": "Task",
                    "Resource": "arn:aws:states:::aws-sdk:s3:putObject",
                    "Arguments": {"Bucket": "copies-of-data", "Key": "x"},
                    "End": True,
                }
            }
        ),
        BUCKETS,
    ),
    added(
        "replica",
        "aws:s3/bucketReplicationConfig:BucketReplicationConfig",
        {"rules": [{"destination": {"bucket": "arn:aws:s3:::copies-of-data"}}]},
        BUCKETS,
    ),
    added(
        "object elsewhere", "aws:s3/bucketObjectv2:BucketObjectv2", {"bucket": "copies-of-data", "key": "x"}, BUCKETS
    ),
    # Services.
    granted(
        "federated identities of a bucket policy",
        "ingestion-landing-policy",
        reads({"Federated": "cognito-identity.amazonaws.com"}),
        SERVICES,
    ),
    granted(
        "every service",
        "livestream-video-completed-dlq-policy",
        sends({"Service": "*"}, {"StringEquals": {"aws:SourceAccount": ACCOUNT}}),
        SERVICES,
    ),
    granted(
        "service in a queue policy",
        "livestream-video-created-dlq-policy",
        sends({"Service": "ec2.amazonaws.com"}, {"StringEquals": {"aws:SourceAccount": ACCOUNT}}),
        SERVICES,
    ),
    granted(
        "one of several services",
        "foundation-alerts-policy",
        allow("sns:Publish", ALERTS, Principal={"Service": ["budgets.amazonaws.com", "codebuild.amazonaws.com"]}),
        SERVICES,
    ),
    granted(
        "service of a bucket policy",
        "ingestion-landing-policy",
        reads({"Service": "sagemaker.amazonaws.com"}, {"StringEquals": {"aws:SourceAccount": ACCOUNT}}),
        SERVICES,
    ),
    granted(
        "service in a trust policy",
        "foundation-backup-backup-role",
        json.loads(trust({"Service": "ec2.amazonaws.com"}))["Statement"][0],
        SERVICES,
        "assumeRolePolicy",
    ),
    granted(
        "service that gets a role",
        "ingestion-manifest-builder-grants",
        allow(
            "iam:PassRole",
            f"arn:aws:iam::{ACCOUNT}:role/polyphony-prod-x",
            {"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}},
        ),
        SERVICES,
    ),
    granted(
        "lookalike of a service",
        "ingestion-sweeper-failed-policy",
        sends({"Service": "events.amazonaws.com.example"}),
        SERVICES,
    ),
    added(
        "service of a permission",
        t.FUNCTION_PERMISSION,
        {
            "function": FUNCTION,
            "principal": "iot.amazonaws.com",
            "sourceArn": f"arn:aws:iot:{REGION}:{ACCOUNT}:rule/x",
            "qualifier": "live",
        },
        SERVICES,
    ),
    added(
        "service of another company part",
        t.FUNCTION_PERMISSION,
        {"function": FUNCTION, "principal": "alexa-appkit.amazon.com", "qualifier": "live"},
        SERVICES,
    ),
    # Harmless.
    changed("own network", "meetings-jobs-group", {"vpcId": "vpc-0a1b2c3d4e5f60718"}),
    granted(
        "use of a key through a service",
        "ingestion-lake-policy",
        allow(
            "s3:GetObject",
            ON_BUCKET.format("ingestion-lake"),
            {"StringEquals": {"kms:ViaService": f"dynamodb.{REGION}.amazonaws.com"}},
            Principal={"AWS": ACCOUNT},
        ),
    ),
    granted(
        "own account in a condition",
        "meetings-recordings-policy",
        reads("*", {"StringEquals": {"aws:PrincipalAccount": ACCOUNT}}),
    ),
    granted("own role", "ingestion-lake-policy", reads({"AWS": f"arn:aws:iam::{ACCOUNT}:role/polyphony-prod-reader"})),
    granted("denied wildcard", "voice-qa-audio-policy", deny("arn:aws:iam::*:role/*")),
    granted(
        "own source pattern",
        "livestream-video-jobs-dlq-policy",
        sends(
            {"Service": "events.amazonaws.com"},
            {"ArnLike": {"aws:SourceArn": f"arn:aws:events:*:{ACCOUNT}:rule/polyphony-prod-*"}},
        ),
    ),
    granted(
        "regional service",
        "voice-qa-sweep-dlq-policy",
        sends({"Service": f"logs.{REGION}.amazonaws.com"}, {"StringEquals": {"aws:SourceAccount": ACCOUNT}}),
    ),
    granted(
        "foundation model",
        "ingestion-sweeper-grants",
        allow("bedrock:InvokeModel", f"arn:aws:bedrock:{REGION}::foundation-model/anthropic.claude-haiku-4-5"),
    ),
    changed_nested(
        "bytes in the environment",
        "ingestion-sweeper-function",
        ("environment", "variables", "MANIFEST_BYTES"),
        "107374182400",
    ),
    changed_nested(
        "round number in the environment",
        "ingestion-steps-function",
        ("environment", "variables", "LINES"),
        "100000000000",
    ),
    changed_nested(
        "minute in the environment",
        "voice-qa-validate-lecture-function",
        ("environment", "variables", "DEPLOYED"),
        "202611230542",
    ),
    changed_nested(
        "milliseconds in the environment",
        "livestream-episodes-function",
        ("environment", "variables", "SINCE"),
        "1763875320123",
    ),
    changed_nested(
        "build in the environment",
        "ingestion-manifest-builder-function",
        ("environment", "variables", "BUILD_NUMBER"),
        "482910384756",
    ),
    changed_nested(
        "own queue in the environment",
        "transcription-router-function",
        ("environment", "variables", "COPIES"),
        f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/polyphony-prod-copies",
    ),
    changed_nested(
        "hash in the environment",
        "transcription-audio-processor-function",
        ("environment", "variables", "DOCUMENT_HASH"),
        CANONICAL_USER,
    ),
    changed_nested(
        "UUID in the environment",
        "voice-qa-websocket-handler-function",
        ("environment", "variables", "DEPLOYMENT"),
        "0d9c1f5e-6f2b-4c3a-9d1e-123456789013",
    ),
    changed_nested(
        "own bucket in the environment",
        "voice-qa-query-worker-function",
        ("environment", "variables", "COPY_BUCKET"),
        "polyphony-prod-voice-qa-audio-123456789012",
    ),
    changed_nested(
        "page in the environment",
        "meetings-sweep-function",
        ("environment", "variables", "GUIDE"),
        "https://docs.aws.amazon.com/AmazonS3/latest/userguide/202611230542",
    ),
    changed_nested(
        "larger query limit", "ingestion-lake-workgroup", ("configuration", "bytesScannedCutoffPerQuery"), 214748364800
    ),
    changed(
        "time in a description", "foundation-layer-version", {"description": "Built at 202611230542 from 482910384756"}
    ),
    changed(
        "number in a description",
        "ingestion-spark-job",
        {"description": "Converts up to 482910384756 lines of o-so-many files"},
    ),
    changed(
        "release tag",
        "ingestion-files-table",
        {
            "tags": {
                "Backup": "polyphony-prod-daily",
                "Release": "202611230542",
                "Owner": "team-202611230542",
                "Project": "polyphony",
                "Environment": "prod",
                "Name": "x",
                "Subsystem": "ingestion",
                "CostCenter": "voice-prod",
            }
        },
    ),
    changed("time in a name", "ingestion-spark-error-logs", {"name": "/aws-glue/polyphony-prod-202611230542/error"}),
    changed(
        "layer of AWS",
        "livestream-transcript-windows-function",
        {"layers": [f"arn:aws:lambda:{REGION}:017000801446:layer:AWSLambdaPowertoolsPythonV3-python313-arm64:18"]},
    ),
    changed(
        "image layers of AWS in an endpoint policy",
        "meetings-jobs-s3",
        {
            "policy": document(
                allow("s3:GetObject", f"arn:aws:s3:::prod-{REGION}-starport-layer-bucket/*", Principal="*")
            )
        },
    ),
    changed(
        "pattern of events",
        "livestream-video-created-rule",
        {
            "eventPattern": json.dumps(
                {"source": ["aws.s3"], "account": [ACCOUNT], "detail": {"size": [{"numeric": [">", 482910384756]}]}}
            )
        },
    ),
    changed("own key", "ingestion-spark-continuous-logs", {"kmsKeyId": f"arn:aws:kms:{REGION}:{ACCOUNT}:key/0e3f"}),
    edited(
        "threshold of a dashboard",
        "ingestion-overview-dashboard",
        "dashboardBody",
        lambda found: found["widgets"][0]["properties"].update(annotations={"horizontal": [{"value": 482910384756}]}),
    ),
    edited(
        "expression with an own id",
        "meetings-workflow-machine",
        "definition",
        lambda found: found.update(Comment=f"{{% 'arn:aws:sqs:us-east-1:' & '{ACCOUNT}' & ':x' %}} 482910384756"),
    ),
    added(
        "phone number",
        "aws:sns/topicSubscription:TopicSubscription",
        {"topic": ALERTS, "protocol": "sms", "endpoint": "+491701234567"},
    ),
)
