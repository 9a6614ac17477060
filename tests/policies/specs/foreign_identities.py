"""Specs and variations of the policies about foreign accounts, buckets and services."""

import json

from guardrails.model import resource_types as t
from local.preview.property_value_conversion import SECRET, SIGNATURE
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
    add_resource,
    add_statement,
    change_properties,
    edit_json,
    found_by,
    replace_text,
    set_nested_property,
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


def trusted(label: str, role: str, principal: object) -> ProgramVariation:
    """Return a variation in which a role trusts one more principal."""
    return add_statement(label, role, json.loads(trust(principal))["Statement"][0], key="assumeRolePolicy")


def with_variable(label: str, function: str, name: str, value: str) -> ProgramVariation:
    """Return a variation that sets an environment variable of a function."""
    return set_nested_property(label, function, ("environment", "variables", name), value)


VARIATIONS: tuple[ProgramVariation, ...] = (
    *found_by(
        ACCOUNTS,
        add_statement(
            "root user in a bucket policy", "ingestion-landing-policy", reads({"AWS": f"arn:aws:iam::{FOREIGN}:root"})
        ),
        add_statement("account id in a bucket policy", "ingestion-lake-policy", reads({"AWS": FOREIGN})),
        add_statement("one of several principals", "voice-qa-audio-policy", reads({"AWS": [ACCOUNT, FOREIGN_ROLE]})),
        add_statement(
            "account in a condition",
            "meetings-recordings-policy",
            reads("*", {"StringEquals": {"aws:PrincipalAccount": [ACCOUNT, FOREIGN]}}),
        ),
        add_statement(
            "organisation",
            "livestream-transcripts-policy",
            reads("*", {"StringEquals": {"aws:PrincipalOrgID": "o-a1b2c3d4e5"}}),
        ),
        add_statement(
            "organisational unit",
            "foundation-audit-logs-policy",
            reads(
                "*", {"ForAnyValue:StringEquals": {"aws:PrincipalOrgPaths": "o-a1b2c3d4e5/r-ab12/ou-ab12-11111111/"}}
            ),
        ),
        add_statement(
            "canonical user in a bucket policy", "ingestion-landing-policy", reads({"CanonicalUser": CANONICAL_USER})
        ),
        add_statement("unique id of a role", "ingestion-lake-policy", reads({"AWS": "AROAJ2UCCR6DPCEXAMPLE"})),
        add_statement(
            "unique id of a user in a condition",
            "voice-qa-audio-policy",
            reads("*", {"StringLike": {"aws:userId": "AIDACKCEVSQ6C2EXAMPLE"}}),
        ),
        add_statement(
            "assumed session",
            "meetings-recordings-policy",
            reads({"AWS": f"arn:aws:sts::{FOREIGN}:assumed-role/reader/x"}),
        ),
        add_statement(
            "origin access identity",
            "livestream-transcripts-policy",
            reads({"AWS": "arn:aws:iam::cloudfront:user/CloudFront Origin Access Identity E1"}),
        ),
        add_statement(
            "federated user", "foundation-audit-logs-policy", reads({"AWS": f"arn:aws:sts::{FOREIGN}:federated-user/x"})
        ),
        add_statement(
            "source account in a queue policy",
            "ingestion-intake-policy",
            sends({"Service": "s3.amazonaws.com"}, {"StringEquals": {"aws:SourceAccount": FOREIGN}}),
        ),
        add_statement(
            "source rule in a queue policy",
            "livestream-video-jobs-dlq-policy",
            sends(
                {"Service": "events.amazonaws.com"},
                {"ArnEquals": {"aws:SourceArn": f"arn:aws:events:{REGION}:{FOREIGN}:rule/x"}},
            ),
        ),
        add_statement(
            "topic policy", "foundation-alerts-policy", allow("sns:Subscribe", ALERTS, Principal={"AWS": FOREIGN})
        ),
        add_statement("resource of a role", "ingestion-sweeper-grants", allow("sqs:SendMessage", FOREIGN_QUEUE)),
        add_statement(
            "resource of every account",
            "ingestion-steps-grants",
            allow("sqs:SendMessage", f"arn:aws:sqs:{REGION}:*:copies"),
        ),
        add_statement(
            "short pattern of every account",
            "ingestion-manifest-builder-grants",
            allow("sqs:SendMessage", "arn:aws:sqs:*"),
        ),
        add_statement(
            "partial account",
            "livestream-media-convert-grants",
            allow("sqs:SendMessage", f"arn:aws:sqs:{REGION}:99999*:copies"),
        ),
        add_statement(
            "resource account in a condition",
            "ingestion-spark-grants",
            allow("sqs:SendMessage", "*", {"StringEquals": {"aws:ResourceAccount": FOREIGN}}),
        ),
        trusted("foreign role in a trust policy", "ingestion-sweeper-role", {"AWS": FOREIGN_ROLE}),
        trusted("foreign account in a trust policy", "ingestion-steps-role", {"AWS": FOREIGN}),
        trusted(
            "foreign identity provider",
            "ingestion-spark-role",
            {"Federated": f"arn:aws:iam::{FOREIGN}:oidc-provider/token.example.com"},
        ),
        replace_text(
            "source account in a trust policy",
            "livestream-media-convert-role",
            "assumeRolePolicy",
            f'"{ACCOUNT}"',
            f'"{FOREIGN}"',
        ),
        change_properties(
            "permissions boundary",
            "ingestion-manifest-builder-role",
            {"permissionsBoundary": f"arn:aws:iam::{FOREIGN}:policy/b"},
        ),
        change_properties(
            "managed policy",
            "voice-qa-validate-lecture-role",
            {"managedPolicyArns": [f"arn:aws:iam::{FOREIGN}:policy/p"]},
        ),
        change_properties("guest role", "voice-qa-guests-roles", {"roles": {"unauthenticated": FOREIGN_ROLE}}),
        add_resource(
            "function permission",
            t.FUNCTION_PERMISSION,
            {"function": FUNCTION, "action": "lambda:InvokeFunction", "principal": FOREIGN, "qualifier": "live"},
        ),
        add_resource(
            "permission for a foreign role",
            t.FUNCTION_PERMISSION,
            {"function": FUNCTION, "action": "lambda:InvokeFunction", "principal": FOREIGN_ROLE, "qualifier": "live"},
        ),
        add_resource(
            "permission for an organisation",
            t.FUNCTION_PERMISSION,
            {"function": FUNCTION, "principal": "*", "principalOrgId": "o-a1b2c3d4e5", "qualifier": "live"},
        ),
        add_resource(
            "source account of a permission",
            t.FUNCTION_PERMISSION,
            {
                "function": FUNCTION,
                "principal": "s3.amazonaws.com",
                "sourceArn": "arn:aws:s3:::polyphony-prod-ingestion-landing-123456789012",
                "sourceAccount": FOREIGN,
            },
        ),
        add_resource(
            "layer permission",
            t.LAYER_PERMISSION,
            {"layerName": "x", "principal": FOREIGN, "action": "lambda:GetLayerVersion"},
        ),
        add_resource("event bus permission", t.EVENT_BUS_PERMISSION, {"principal": FOREIGN, "statementId": "x"}),
        add_resource(
            "log subscription",
            "aws:cloudwatch/logSubscriptionFilter:LogSubscriptionFilter",
            {"destinationArn": f"arn:aws:logs:{REGION}:{FOREIGN}:destination:x"},
        ),
        add_resource(
            "topic subscription",
            "aws:sns/topicSubscription:TopicSubscription",
            {"topic": ALERTS, "protocol": "sqs", "endpoint": FOREIGN_QUEUE},
        ),
        add_resource("shared resource", "aws:ram/principalAssociation:PrincipalAssociation", {"principal": FOREIGN}),
        add_resource("key grant", "aws:kms/grant:Grant", {"granteePrincipal": FOREIGN_ROLE}),
        add_resource(
            "snapshot permission",
            "aws:ec2/snapshotCreateVolumePermission:SnapshotCreateVolumePermission",
            {"accountId": FOREIGN},
        ),
        add_resource(
            "peer owner as a number", "aws:ec2/vpcPeeringConnection:VpcPeeringConnection", {"peerOwnerId": int(FOREIGN)}
        ),
        add_resource(
            "bucket for a canonical user",
            "aws:s3/bucketAcl:BucketAcl",
            {"accessControlPolicy": {"grants": [{"grantee": {"id": CANONICAL_USER}}]}},
        ),
        replace_text("image", "meetings-media-definition", "containerProperties", f"{ACCOUNT}.dkr", f"{FOREIGN}.dkr"),
        change_properties(
            "layer", "ingestion-sweeper-function", {"layers": [f"arn:aws:lambda:{REGION}:{FOREIGN}:layer:tools:1"]}
        ),
        change_properties(
            "layer of a name that AWS uses",
            "ingestion-steps-function",
            {"layers": [f"arn:aws:lambda:{REGION}:{FOREIGN}:layer:AWSLambdaPowertoolsPythonV3:1"]},
        ),
        change_properties(
            "event target",
            "livestream-video-completed-target",
            {"arn": f"arn:aws:events:{REGION}:{FOREIGN}:event-bus/default"},
        ),
        set_nested_property("schedule target", "ingestion-sweep-schedule", ("target", "arn"), FOREIGN_FUNCTION),
        set_nested_property(
            "schedule dead letters", "voice-qa-sweep-schedule", ("target", "deadLetterConfig", "arn"), FOREIGN_QUEUE
        ),
        change_properties(
            "bucket notification",
            "ingestion-landing-notification",
            {"queues": [{"queueArn": FOREIGN_QUEUE, "events": ["s3:ObjectCreated:*"]}]},
        ),
        set_nested_property(
            "failure destination",
            "ingestion-sweeper-asynchronous",
            ("destinationConfig", "onFailure", "destination"),
            FOREIGN_QUEUE,
        ),
        replace_text("redrive policy", "ingestion-intake-queue", "redrivePolicy", ACCOUNT, FOREIGN),
        change_properties("event source", "ingestion-intake-source", {"eventSourceArn": FOREIGN_QUEUE}),
        replace_text(
            "WebSocket integration", "voice-qa-socket-websocket-handler-integration", "integrationUri", ACCOUNT, FOREIGN
        ),
        replace_text("REST integration", "livestream-api-api", "body", f":{ACCOUNT}:", f":{FOREIGN}:"),
        replace_text("workflow task", "ingestion-workflow-machine", "definition", f":{ACCOUNT}:", f":{FOREIGN}:"),
        edit_json(
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
        ),
        edit_json(
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
        ),
        edit_json(
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
        ),
        change_properties("key of a topic", "foundation-alerts-topic", {"kmsMasterKeyId": FOREIGN_KEY}),
        change_properties("key of a log group", "ingestion-spark-continuous-logs", {"kmsKeyId": FOREIGN_KEY}),
        change_properties(
            "key of a table",
            "ingestion-files-table",
            {"serverSideEncryption": {"enabled": True, "kmsKeyArn": FOREIGN_KEY}},
        ),
        set_nested_property(
            "backup copy",
            "foundation-backup-plan",
            ("rules", "0", "copyActions"),
            [{"destinationVaultArn": f"arn:aws:backup:{REGION}:{FOREIGN}:backup-vault:x"}],
        ),
        with_variable(
            "queue URL in the environment",
            "ingestion-manifest-builder-function",
            "COPIES",
            f"https://sqs.{REGION}.amazonaws.com/{FOREIGN}/copies",
        ),
        with_variable(
            "account id in the environment", "voice-qa-validate-lecture-function", "PARTNER_ACCOUNT_ID", FOREIGN
        ),
        with_variable("unnamed account id in the environment", "livestream-episodes-function", "COPY_TO", FOREIGN),
        change_properties("catalog of a table", "ingestion-lake-table", {"catalogId": FOREIGN}),
        set_nested_property(
            "argument of a job", "ingestion-spark-job", ("defaultArguments", "--copy_to"), FOREIGN_TOPIC
        ),
        change_properties("alarm action", "foundation-backup-failed-dlq-alarm", {"alarmActions": [FOREIGN_TOPIC]}),
        add_resource("metric of an account", t.ALARM, {"metricQueries": [{"id": "m", "accountId": FOREIGN}]}),
        edit_json(
            "dashboard",
            "ingestion-overview-dashboard",
            "dashboardBody",
            lambda found: found["widgets"][0]["properties"].update(accountId=FOREIGN),
        ),
        set_nested_property(
            "budget alert", "foundation-spend-budget", ("notifications", "0", "subscriberSnsTopicArns"), [FOREIGN_TOPIC]
        ),
        change_properties(
            "endpoint service",
            "meetings-jobs-s3",
            {"serviceName": f"com.amazonaws.vpce.{REGION}.vpce-svc-0e3f5a7b9c1d2e4f6"},
        ),
        change_properties(
            "archive of a foreign bus",
            "livestream-events-archive",
            {"eventSourceArn": f"arn:aws:events:{REGION}:{FOREIGN}:event-bus/default"},
        ),
        change_properties(
            "access log of a stage",
            "livestream-api-stage",
            {
                "accessLogSettings": {
                    "destinationArn": f"arn:aws:firehose:{REGION}:{FOREIGN}:deliverystream/x",
                    "format": "{}",
                }
            },
        ),
        change_properties(
            "value of a parameter", "livestream-cursors-parameter", {"value": json.dumps({"role": FOREIGN_ROLE})}
        ),
        change_properties("role of a job", "ingestion-spark-job", {"roleArn": FOREIGN_ROLE}),
        change_properties(
            "tag with an account", "meetings-recordings-bucket", {"tags": {"Name": "x", "SharedWithAccount": FOREIGN}}
        ),
        with_variable(
            "account as the console writes it", "meetings-start-function", "PARTNER_ACCOUNT", "9999-9999-9999"
        ),
        with_variable("list of accounts", "meetings-storage-function", "ACCOUNTS", f"{ACCOUNT},{FOREIGN}"),
        with_variable(
            "encoded ARN",
            "livestream-care-function",
            "GUIDE",
            f"https://example.com/?to=arn%3Aaws%3Asqs%3A{REGION}%3A{FOREIGN}%3Ax",
        ),
        with_variable(
            "registry with two protocols", "livestream-agent-function", "IMAGE", f"{FOREIGN}.dkr-ecr.{REGION}.on.aws/x"
        ),
        change_properties(
            "secret parameter",
            "livestream-cursors-parameter",
            {"value": {SIGNATURE: SECRET, "value": f"copy to {FOREIGN_QUEUE}"}},
        ),
        add_statement(
            "foreign endpoint",
            "ingestion-lake-policy",
            reads("*", {"StringEquals": {"aws:SourceVpce": "vpce-0e3f5a7b"}}),
        ),
        add_statement(
            "foreign network", "voice-qa-audio-policy", reads("*", {"StringEquals": {"aws:SourceVpc": "vpc-0e3f5a7b"}})
        ),
    ),
    *found_by(
        BUCKETS,
        change_properties("target of access logs", "ingestion-lake-logging", {"targetBucket": "copies-of-logs"}),
        add_statement(
            "bucket of a role", "ingestion-sweeper-grants", allow("s3:PutObject", "arn:aws:s3:::copies-of-data/*")
        ),
        add_statement("every bucket", "ingestion-steps-grants", allow("s3:PutObject", "arn:aws:s3:::*/copies/*")),
        add_statement(
            "buckets with a prefix",
            "voice-qa-validate-lecture-grants",
            allow("s3:PutObject", "arn:aws:s3:::polyphony-prod-*/*"),
        ),
        add_statement(
            "source bucket of a queue policy",
            "voice-qa-sweep-dlq-policy",
            sends({"Service": "s3.amazonaws.com"}, {"ArnLike": {"aws:SourceArn": "arn:aws:s3:::copies-of-data"}}),
        ),
        change_properties(
            "code of a function", "ingestion-sweeper-function", {"s3Bucket": "copies-of-code", "s3Key": "x"}
        ),
        set_nested_property(
            "query results",
            "ingestion-lake-workgroup",
            ("configuration", "resultConfiguration", "outputLocation"),
            "s3://copies-of-data/queries/",
        ),
        set_nested_property(
            "library of a job",
            "ingestion-spark-job",
            ("defaultArguments", "--extra-py-files"),
            "s3://copies-of-code/lib.zip",
        ),
        set_nested_property(
            "Hadoop URL", "ingestion-spark-job", ("defaultArguments", "--lake_uri"), "s3a://copies-of-data/"
        ),
        set_nested_property(
            "location of a table",
            "ingestion-lake-table",
            ("storageDescriptor", "location"),
            "s3://copies-of-data/rows/",
        ),
        with_variable(
            "bucket in the environment", "livestream-episodes-function", "TRANSCRIPT_BUCKET", "copies-of-data"
        ),
        with_variable(
            "bucket address in the environment",
            "voice-qa-validate-lecture-function",
            "COPIES",
            "https://copies-of-data.s3.us-east-1.amazonaws.com/x",
        ),
        with_variable(
            "path-style address",
            "ingestion-manifest-builder-function",
            "COPIES",
            "https://s3.us-east-1.amazonaws.com/copies-of-data/x",
        ),
        edit_json(
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
        ),
        add_resource(
            "replica",
            "aws:s3/bucketReplicationConfig:BucketReplicationConfig",
            {"rules": [{"destination": {"bucket": "arn:aws:s3:::copies-of-data"}}]},
        ),
        add_resource(
            "object elsewhere", "aws:s3/bucketObjectv2:BucketObjectv2", {"bucket": "copies-of-data", "key": "x"}
        ),
    ),
    *found_by(
        SERVICES,
        add_statement(
            "federated identities of a bucket policy",
            "ingestion-landing-policy",
            reads({"Federated": "cognito-identity.amazonaws.com"}),
        ),
        add_statement(
            "every service",
            "livestream-video-completed-dlq-policy",
            sends({"Service": "*"}, {"StringEquals": {"aws:SourceAccount": ACCOUNT}}),
        ),
        add_statement(
            "service in a queue policy",
            "livestream-video-created-dlq-policy",
            sends({"Service": "ec2.amazonaws.com"}, {"StringEquals": {"aws:SourceAccount": ACCOUNT}}),
        ),
        add_statement(
            "one of several services",
            "foundation-alerts-policy",
            allow("sns:Publish", ALERTS, Principal={"Service": ["budgets.amazonaws.com", "codebuild.amazonaws.com"]}),
        ),
        add_statement(
            "service of a bucket policy",
            "ingestion-landing-policy",
            reads({"Service": "sagemaker.amazonaws.com"}, {"StringEquals": {"aws:SourceAccount": ACCOUNT}}),
        ),
        trusted("service in a trust policy", "foundation-backup-backup-role", {"Service": "ec2.amazonaws.com"}),
        add_statement(
            "service that gets a role",
            "ingestion-manifest-builder-grants",
            allow(
                "iam:PassRole",
                f"arn:aws:iam::{ACCOUNT}:role/polyphony-prod-x",
                {"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}},
            ),
        ),
        add_statement(
            "lookalike of a service",
            "ingestion-sweeper-failed-policy",
            sends({"Service": "events.amazonaws.com.example"}),
        ),
        add_resource(
            "service of a permission",
            t.FUNCTION_PERMISSION,
            {
                "function": FUNCTION,
                "principal": "iot.amazonaws.com",
                "sourceArn": f"arn:aws:iot:{REGION}:{ACCOUNT}:rule/x",
                "qualifier": "live",
            },
        ),
        add_resource(
            "service of another company part",
            t.FUNCTION_PERMISSION,
            {"function": FUNCTION, "principal": "alexa-appkit.amazon.com", "qualifier": "live"},
        ),
    ),
    # Harmless.
    change_properties("own network", "meetings-jobs-group", {"vpcId": "vpc-0a1b2c3d4e5f60718"}),
    add_statement(
        "use of a key through a service",
        "ingestion-lake-policy",
        allow(
            "s3:GetObject",
            ON_BUCKET.format("ingestion-lake"),
            {"StringEquals": {"kms:ViaService": f"dynamodb.{REGION}.amazonaws.com"}},
            Principal={"AWS": ACCOUNT},
        ),
    ),
    add_statement(
        "own account in a condition",
        "meetings-recordings-policy",
        reads("*", {"StringEquals": {"aws:PrincipalAccount": ACCOUNT}}),
    ),
    add_statement(
        "own role", "ingestion-lake-policy", reads({"AWS": f"arn:aws:iam::{ACCOUNT}:role/polyphony-prod-reader"})
    ),
    add_statement("denied wildcard", "voice-qa-audio-policy", deny("arn:aws:iam::*:role/*")),
    add_statement(
        "own source pattern",
        "livestream-video-jobs-dlq-policy",
        sends(
            {"Service": "events.amazonaws.com"},
            {"ArnLike": {"aws:SourceArn": f"arn:aws:events:*:{ACCOUNT}:rule/polyphony-prod-*"}},
        ),
    ),
    add_statement(
        "regional service",
        "voice-qa-sweep-dlq-policy",
        sends({"Service": f"logs.{REGION}.amazonaws.com"}, {"StringEquals": {"aws:SourceAccount": ACCOUNT}}),
    ),
    add_statement(
        "foundation model",
        "ingestion-sweeper-grants",
        allow("bedrock:InvokeModel", f"arn:aws:bedrock:{REGION}::foundation-model/anthropic.claude-haiku-4-5"),
    ),
    with_variable("bytes in the environment", "ingestion-sweeper-function", "MANIFEST_BYTES", "107374182400"),
    with_variable("round number in the environment", "ingestion-steps-function", "LINES", "100000000000"),
    with_variable("minute in the environment", "voice-qa-validate-lecture-function", "DEPLOYED", "202611230542"),
    with_variable("milliseconds in the environment", "livestream-episodes-function", "SINCE", "1763875320123"),
    with_variable("build in the environment", "ingestion-manifest-builder-function", "BUILD_NUMBER", "482910384756"),
    with_variable(
        "own queue in the environment",
        "transcription-router-function",
        "COPIES",
        f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/polyphony-prod-copies",
    ),
    with_variable("hash in the environment", "transcription-audio-processor-function", "DOCUMENT_HASH", CANONICAL_USER),
    with_variable(
        "UUID in the environment",
        "voice-qa-websocket-handler-function",
        "DEPLOYMENT",
        "0d9c1f5e-6f2b-4c3a-9d1e-123456789013",
    ),
    with_variable(
        "own bucket in the environment",
        "voice-qa-query-worker-function",
        "COPY_BUCKET",
        "polyphony-prod-voice-qa-audio-123456789012",
    ),
    with_variable(
        "page in the environment",
        "meetings-sweep-function",
        "GUIDE",
        "https://docs.aws.amazon.com/AmazonS3/latest/userguide/202611230542",
    ),
    set_nested_property(
        "larger query limit", "ingestion-lake-workgroup", ("configuration", "bytesScannedCutoffPerQuery"), 214748364800
    ),
    change_properties(
        "time in a description", "foundation-layer-version", {"description": "Built at 202611230542 from 482910384756"}
    ),
    change_properties(
        "number in a description",
        "ingestion-spark-job",
        {"description": "Converts up to 482910384756 lines of o-so-many files"},
    ),
    change_properties(
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
    change_properties(
        "time in a name", "ingestion-spark-error-logs", {"name": "/aws-glue/polyphony-prod-202611230542/error"}
    ),
    change_properties(
        "layer of AWS",
        "livestream-transcript-windows-function",
        {"layers": [f"arn:aws:lambda:{REGION}:017000801446:layer:AWSLambdaPowertoolsPythonV3-python313-arm64:18"]},
    ),
    change_properties(
        "image layers of AWS in an endpoint policy",
        "meetings-jobs-s3",
        {
            "policy": document(
                allow("s3:GetObject", f"arn:aws:s3:::prod-{REGION}-starport-layer-bucket/*", Principal="*")
            )
        },
    ),
    change_properties(
        "pattern of events",
        "livestream-video-created-rule",
        {
            "eventPattern": json.dumps(
                {"source": ["aws.s3"], "account": [ACCOUNT], "detail": {"size": [{"numeric": [">", 482910384756]}]}}
            )
        },
    ),
    change_properties(
        "own key", "ingestion-spark-continuous-logs", {"kmsKeyId": f"arn:aws:kms:{REGION}:{ACCOUNT}:key/0e3f"}
    ),
    edit_json(
        "threshold of a dashboard",
        "ingestion-overview-dashboard",
        "dashboardBody",
        lambda found: found["widgets"][0]["properties"].update(annotations={"horizontal": [{"value": 482910384756}]}),
    ),
    edit_json(
        "expression with an own id",
        "meetings-workflow-machine",
        "definition",
        lambda found: found.update(Comment=f"{{% 'arn:aws:sqs:us-east-1:' & '{ACCOUNT}' & ':x' %}} 482910384756"),
    ),
    add_resource(
        "phone number",
        "aws:sns/topicSubscription:TopicSubscription",
        {"topic": ALERTS, "protocol": "sms", "endpoint": "+491701234567"},
    ),
)
