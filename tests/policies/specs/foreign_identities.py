"""Specs (the required behaviour of each policy), further cases, and variations of the guardrail policies about foreign
identities: no resource may name an account, bucket or AWS service that the stack does not know. A variation is a change
of one resource of the recorded program.
"""

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

FOREIGN_ID = "999999999999"
"""Id of an AWS account that is not the stack's."""
FOREIGN_ROLE = f"arn:aws:iam::{FOREIGN_ID}:role/reader"
FOREIGN_QUEUE = f"arn:aws:sqs:{REGION}:{FOREIGN_ID}:copies"
FOREIGN_TOPIC = f"arn:aws:sns:{REGION}:{FOREIGN_ID}:copies"
FOREIGN_KEY = f"arn:aws:kms:{REGION}:{FOREIGN_ID}:key/0e3f"
FOREIGN_FUNCTION = f"arn:aws:lambda:{REGION}:{FOREIGN_ID}:function:copy"
CANONICAL_USER = "79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be"
"""Id of an AWS account in access control lists of S3."""
ALERTS_TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:polyphony-prod-foundation-alerts"
SWEEPER_ALIAS = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:polyphony-prod-ingestion-sweeper:live"
ACCOUNT_KNOWN, BUCKET_KNOWN, SERVICE_KNOWN = "account-known", "bucket-known", "service-known"
LANDING_OBJECTS = "arn:aws:s3:::polyphony-prod-ingestion-landing-123456789012/*"
LAKE_OBJECTS = "arn:aws:s3:::polyphony-prod-ingestion-lake-123456789012/*"


def allow_read(principal: object, condition: dict[str, object] | None = None) -> Statement:
    """Return a statement that lets a principal read the landing bucket."""
    return allow("s3:GetObject", LANDING_OBJECTS, condition, Principal=principal)


def allow_send(principal: object, condition: dict[str, object] | None = None) -> Statement:
    """Return a statement that lets a principal send to a queue."""
    return allow("sqs:SendMessage", "*", condition, Principal=principal)


SPECS = (
    PolicySpec(
        ACCOUNT_KNOWN,
        good=[SampleResource(t.FUNCTION_PERMISSION, {"principal": ACCOUNT})],
        bad=[SampleResource(t.FUNCTION_PERMISSION, {"principal": FOREIGN_ID})],
        message_part=f"principal contains {FOREIGN_ID}",
        unknown=[
            SampleResource(t.TOPIC, {"name": UNKNOWN}, "topic"),
            SampleResource(t.FUNCTION_PERMISSION, {"principal": FOREIGN_ID, "sourceArn": UNKNOWN}),
        ],
        undecided=False,
        break_program=change_resource("livestream-video-jobs-target", {"arn": FOREIGN_QUEUE}),
    ),
    PolicySpec(
        BUCKET_KNOWN,
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
        SERVICE_KNOWN,
        good=[SampleResource(t.FUNCTION_PERMISSION, {"principal": "events.amazonaws.com"})],
        bad=[SampleResource(t.FUNCTION_PERMISSION, {"principal": "ec2.amazonaws.com"})],
        message_part="is the service ec2.amazonaws.com",
        unknown=[SampleResource(t.FUNCTION_PERMISSION, {"principal": "ec2.amazonaws.com", "sourceArn": UNKNOWN})],
        undecided=False,
        break_program=edit_json_property(
            "ingestion-intake-policy",
            "policy",
            lambda document: document["Statement"].append(allow_send({"Service": "ec2.amazonaws.com"})),
        ),
    ),
)


CASES: tuple[PolicyCase, ...] = (
    # A value may be a JSON document that contains another JSON document as text.
    expect_finding(
        ACCOUNT_KNOWN,
        "a.b contains",
        SampleResource(t.SSM_PARAMETER, {"value": json.dumps({"a": json.dumps({"b": FOREIGN_ROLE})})}),
    ),
    expect_finding(
        ACCOUNT_KNOWN, "whose account is a wildcard", SampleResource(t.EVENT_TARGET, {"arn": "arn:aws:sqs:*:*:x"})
    ),
    # The Platform component publishes the stack's account, so this account is not foreign.
    expect_no_finding(
        ACCOUNT_KNOWN,
        SampleResource(t.PLATFORM, {"account": FOREIGN_ID}, "platform"),
        SampleResource(t.FUNCTION_PERMISSION, {"principal": FOREIGN_ID}),
    ),
    # The policy ignores properties that only the provider returns, for example the grants of the bucket's owner.
    expect_no_finding(
        ACCOUNT_KNOWN, SampleResource(t.BUCKET, {"bucket": "b"}, provider_outputs={"grants": [{"id": CANONICAL_USER}]})
    ),
)


def add_trusted_principal(label: str, role: str, principal: object) -> ProgramVariation:
    """Return a variation in which a role trusts one more principal."""
    return add_statement(label, role, json.loads(trust(principal))["Statement"][0], key="assumeRolePolicy")


def set_variable(label: str, function: str, name: str, value: str) -> ProgramVariation:
    """Return a variation that sets an environment variable of a function."""
    return set_nested_property(label, function, ("environment", "variables", name), value)


def add_workflow_task(label: str, subsystem: str, api_action: str, arguments: dict[str, str]) -> ProgramVariation:
    """Return a variation that adds a task to a subsystem's workflow."""
    task = {"Type": "Task", "Resource": f"arn:aws:states:::{api_action}", "Arguments": arguments, "End": True}
    machine = f"{subsystem}-workflow-machine"
    return edit_json(label, machine, "definition", lambda definition: definition["States"].update(Copy=task))


def allow_reader(
    label: str, bucket: str, principal: object, condition: dict[str, object] | None = None
) -> ProgramVariation:
    """Return a variation in which a bucket policy allows a principal to read objects."""
    return add_statement(label, f"{bucket}-policy", allow_read(principal, condition))


def allow_sender(
    label: str, queue: str, principal: object, condition: dict[str, object] | None = None
) -> ProgramVariation:
    """Return a variation in which a queue policy allows a principal to send messages."""
    return add_statement(label, f"{queue}-policy", allow_send(principal, condition))


VARIATIONS: tuple[ProgramVariation, ...] = (
    *found_by(
        ACCOUNT_KNOWN,
        allow_reader("root user in a bucket policy", "ingestion-landing", {"AWS": f"arn:aws:iam::{FOREIGN_ID}:root"}),
        allow_reader("account id in a bucket policy", "ingestion-lake", {"AWS": FOREIGN_ID}),
        allow_reader("one of several principals", "voice-qa-audio", {"AWS": [ACCOUNT, FOREIGN_ROLE]}),
        allow_reader(
            "account in a condition",
            "meetings-recordings",
            "*",
            {"StringEquals": {"aws:PrincipalAccount": [ACCOUNT, FOREIGN_ID]}},
        ),
        allow_reader(
            "organisation", "livestream-transcripts", "*", {"StringEquals": {"aws:PrincipalOrgID": "o-a1b2c3d4e5"}}
        ),
        allow_reader(
            "organisational unit",
            "foundation-audit-logs",
            "*",
            {"ForAnyValue:StringEquals": {"aws:PrincipalOrgPaths": "o-a1b2c3d4e5/r-ab12/ou-ab12-11111111/"}},
        ),
        allow_reader("canonical user in a bucket policy", "ingestion-landing", {"CanonicalUser": CANONICAL_USER}),
        allow_reader("unique id of a role", "ingestion-lake", {"AWS": "AROAJ2UCCR6DPCEXAMPLE"}),
        allow_reader(
            "unique id of a user in a condition",
            "voice-qa-audio",
            "*",
            {"StringLike": {"aws:userId": "AIDACKCEVSQ6C2EXAMPLE"}},
        ),
        allow_reader(
            "assumed session", "meetings-recordings", {"AWS": f"arn:aws:sts::{FOREIGN_ID}:assumed-role/reader/x"}
        ),
        allow_reader(
            "origin access identity",
            "livestream-transcripts",
            {"AWS": "arn:aws:iam::cloudfront:user/CloudFront Origin Access Identity E1"},
        ),
        allow_reader("federated user", "foundation-audit-logs", {"AWS": f"arn:aws:sts::{FOREIGN_ID}:federated-user/x"}),
        allow_sender(
            "source account in a queue policy",
            "ingestion-intake",
            {"Service": "s3.amazonaws.com"},
            {"StringEquals": {"aws:SourceAccount": FOREIGN_ID}},
        ),
        allow_sender(
            "source rule in a queue policy",
            "livestream-video-jobs-dlq",
            {"Service": "events.amazonaws.com"},
            {"ArnEquals": {"aws:SourceArn": f"arn:aws:events:{REGION}:{FOREIGN_ID}:rule/x"}},
        ),
        add_statement(
            "topic policy",
            "foundation-alerts-policy",
            allow("sns:Subscribe", ALERTS_TOPIC, Principal={"AWS": FOREIGN_ID}),
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
            allow("sqs:SendMessage", "*", {"StringEquals": {"aws:ResourceAccount": FOREIGN_ID}}),
        ),
        add_trusted_principal("foreign role in a trust policy", "ingestion-sweeper-role", {"AWS": FOREIGN_ROLE}),
        add_trusted_principal("foreign account in a trust policy", "ingestion-steps-role", {"AWS": FOREIGN_ID}),
        add_trusted_principal(
            "foreign identity provider",
            "ingestion-spark-role",
            {"Federated": f"arn:aws:iam::{FOREIGN_ID}:oidc-provider/token.example.com"},
        ),
        replace_text(
            "source account in a trust policy",
            "livestream-media-convert-role",
            "assumeRolePolicy",
            f'"{ACCOUNT}"',
            f'"{FOREIGN_ID}"',
        ),
        change_properties(
            "permissions boundary",
            "ingestion-manifest-builder-role",
            {"permissionsBoundary": f"arn:aws:iam::{FOREIGN_ID}:policy/b"},
        ),
        change_properties(
            "managed policy",
            "voice-qa-validate-lecture-role",
            {"managedPolicyArns": [f"arn:aws:iam::{FOREIGN_ID}:policy/p"]},
        ),
        change_properties("guest role", "voice-qa-guests-roles", {"roles": {"unauthenticated": FOREIGN_ROLE}}),
        add_resource(
            "function permission",
            t.FUNCTION_PERMISSION,
            {
                "function": SWEEPER_ALIAS,
                "action": "lambda:InvokeFunction",
                "principal": FOREIGN_ID,
                "qualifier": "live",
            },
        ),
        add_resource(
            "permission for a foreign role",
            t.FUNCTION_PERMISSION,
            {
                "function": SWEEPER_ALIAS,
                "action": "lambda:InvokeFunction",
                "principal": FOREIGN_ROLE,
                "qualifier": "live",
            },
        ),
        add_resource(
            "permission for an organisation",
            t.FUNCTION_PERMISSION,
            {"function": SWEEPER_ALIAS, "principal": "*", "principalOrgId": "o-a1b2c3d4e5", "qualifier": "live"},
        ),
        add_resource(
            "source account of a permission",
            t.FUNCTION_PERMISSION,
            {
                "function": SWEEPER_ALIAS,
                "principal": "s3.amazonaws.com",
                "sourceArn": "arn:aws:s3:::polyphony-prod-ingestion-landing-123456789012",
                "sourceAccount": FOREIGN_ID,
            },
        ),
        add_resource(
            "layer permission",
            t.LAYER_PERMISSION,
            {"layerName": "x", "principal": FOREIGN_ID, "action": "lambda:GetLayerVersion"},
        ),
        add_resource("event bus permission", t.EVENT_BUS_PERMISSION, {"principal": FOREIGN_ID, "statementId": "x"}),
        add_resource(
            "log subscription",
            "aws:cloudwatch/logSubscriptionFilter:LogSubscriptionFilter",
            {"destinationArn": f"arn:aws:logs:{REGION}:{FOREIGN_ID}:destination:x"},
        ),
        add_resource(
            "topic subscription",
            "aws:sns/topicSubscription:TopicSubscription",
            {"topic": ALERTS_TOPIC, "protocol": "sqs", "endpoint": FOREIGN_QUEUE},
        ),
        add_resource("shared resource", "aws:ram/principalAssociation:PrincipalAssociation", {"principal": FOREIGN_ID}),
        add_resource("key grant", "aws:kms/grant:Grant", {"granteePrincipal": FOREIGN_ROLE}),
        add_resource(
            "snapshot permission",
            "aws:ec2/snapshotCreateVolumePermission:SnapshotCreateVolumePermission",
            {"accountId": FOREIGN_ID},
        ),
        add_resource(
            "peer owner as a number",
            "aws:ec2/vpcPeeringConnection:VpcPeeringConnection",
            {"peerOwnerId": int(FOREIGN_ID)},
        ),
        add_resource(
            "bucket for a canonical user",
            "aws:s3/bucketAcl:BucketAcl",
            {"accessControlPolicy": {"grants": [{"grantee": {"id": CANONICAL_USER}}]}},
        ),
        replace_text(
            "image", "meetings-media-definition", "containerProperties", f"{ACCOUNT}.dkr", f"{FOREIGN_ID}.dkr"
        ),
        change_properties(
            "layer", "ingestion-sweeper-function", {"layers": [f"arn:aws:lambda:{REGION}:{FOREIGN_ID}:layer:tools:1"]}
        ),
        change_properties(
            "layer of a name that AWS uses",
            "ingestion-steps-function",
            {"layers": [f"arn:aws:lambda:{REGION}:{FOREIGN_ID}:layer:AWSLambdaPowertoolsPythonV3:1"]},
        ),
        change_properties(
            "event target",
            "livestream-video-completed-target",
            {"arn": f"arn:aws:events:{REGION}:{FOREIGN_ID}:event-bus/default"},
        ),
        set_nested_property("schedule target", "ingestion-sweep-schedule", ("target", "arn"), FOREIGN_FUNCTION),
        set_nested_property(
            "schedule dead letters",
            "livestream-care-sweep-schedule",
            ("target", "deadLetterConfig", "arn"),
            FOREIGN_QUEUE,
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
        replace_text("redrive policy", "ingestion-intake-queue", "redrivePolicy", ACCOUNT, FOREIGN_ID),
        change_properties("event source", "ingestion-intake-source", {"eventSourceArn": FOREIGN_QUEUE}),
        replace_text(
            "WebSocket integration",
            "voice-qa-socket-websocket-handler-integration",
            "integrationUri",
            ACCOUNT,
            FOREIGN_ID,
        ),
        replace_text("REST integration", "livestream-api-api", "body", f":{ACCOUNT}:", f":{FOREIGN_ID}:"),
        replace_text("workflow task", "ingestion-workflow-machine", "definition", f":{ACCOUNT}:", f":{FOREIGN_ID}:"),
        add_workflow_task(
            "partial ARN in a workflow", "meetings", "lambda:invoke", {"FunctionName": f"{FOREIGN_ID}:function:copy"}
        ),
        add_workflow_task(
            "expression in a workflow",
            "ingestion",
            "sqs:sendMessage",
            {"QueueUrl": "{% 'https://sqs.us-east-1.amazonaws.com/' & '" + FOREIGN_ID + "' & '/copies' %}"},
        ),
        add_workflow_task(
            "queue URL in a workflow",
            "meetings",
            "sqs:sendMessage",
            {"QueueUrl": f"https://sqs.us-east-1.amazonaws.com/{FOREIGN_ID}/copies"},
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
            [{"destinationVaultArn": f"arn:aws:backup:{REGION}:{FOREIGN_ID}:backup-vault:x"}],
        ),
        set_variable(
            "queue URL in the environment",
            "ingestion-manifest-builder-function",
            "COPIES",
            f"https://sqs.{REGION}.amazonaws.com/{FOREIGN_ID}/copies",
        ),
        set_variable(
            "account id in the environment", "voice-qa-validate-lecture-function", "PARTNER_ACCOUNT_ID", FOREIGN_ID
        ),
        set_variable("unnamed account id in the environment", "livestream-episodes-function", "COPY_TO", FOREIGN_ID),
        change_properties("catalog of a table", "ingestion-lake-table", {"catalogId": FOREIGN_ID}),
        set_nested_property(
            "argument of a job", "ingestion-spark-job", ("defaultArguments", "--copy_to"), FOREIGN_TOPIC
        ),
        change_properties("alarm action", "foundation-backup-failed-dlq-alarm", {"alarmActions": [FOREIGN_TOPIC]}),
        add_resource("metric of an account", t.ALARM, {"metricQueries": [{"id": "m", "accountId": FOREIGN_ID}]}),
        edit_json(
            "dashboard",
            "foundation-overview-dashboard",
            "dashboardBody",
            lambda document: document["widgets"][0]["properties"].update(accountId=FOREIGN_ID),
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
            {"eventSourceArn": f"arn:aws:events:{REGION}:{FOREIGN_ID}:event-bus/default"},
        ),
        change_properties(
            "access log of a stage",
            "livestream-api-stage",
            {
                "accessLogSettings": {
                    "destinationArn": f"arn:aws:firehose:{REGION}:{FOREIGN_ID}:deliverystream/x",
                    "format": "{}",
                }
            },
        ),
        change_properties(
            "value of a parameter", "livestream-cursors-parameter", {"value": json.dumps({"role": FOREIGN_ROLE})}
        ),
        change_properties("role of a job", "ingestion-spark-job", {"roleArn": FOREIGN_ROLE}),
        change_properties(
            "tag with an account",
            "meetings-recordings-bucket",
            {"tags": {"Name": "x", "SharedWithAccount": FOREIGN_ID}},
        ),
        set_variable(
            "account as the console writes it", "meetings-start-function", "PARTNER_ACCOUNT", "9999-9999-9999"
        ),
        set_variable("list of accounts", "meetings-storage-function", "ACCOUNTS", f"{ACCOUNT},{FOREIGN_ID}"),
        set_variable(
            "encoded ARN",
            "livestream-care-function",
            "GUIDE",
            f"https://example.com/?to=arn%3Aaws%3Asqs%3A{REGION}%3A{FOREIGN_ID}%3Ax",
        ),
        set_variable(
            "registry with two protocols",
            "livestream-agent-function",
            "IMAGE",
            f"{FOREIGN_ID}.dkr-ecr.{REGION}.on.aws/x",
        ),
        change_properties(
            "secret parameter",
            "livestream-cursors-parameter",
            {"value": {SIGNATURE: SECRET, "value": f"copy to {FOREIGN_QUEUE}"}},
        ),
        allow_reader("foreign endpoint", "ingestion-lake", "*", {"StringEquals": {"aws:SourceVpce": "vpce-0e3f5a7b"}}),
        allow_reader("foreign network", "voice-qa-audio", "*", {"StringEquals": {"aws:SourceVpc": "vpc-0e3f5a7b"}}),
    ),
    *found_by(
        BUCKET_KNOWN,
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
        allow_sender(
            "source bucket of a queue policy",
            "voice-qa-time-limits-dlq",
            {"Service": "s3.amazonaws.com"},
            {"ArnLike": {"aws:SourceArn": "arn:aws:s3:::copies-of-data"}},
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
        set_variable(
            "bucket in the environment", "livestream-episodes-function", "TRANSCRIPT_BUCKET", "copies-of-data"
        ),
        set_variable(
            "bucket address in the environment",
            "voice-qa-validate-lecture-function",
            "COPIES",
            "https://copies-of-data.s3.us-east-1.amazonaws.com/x",
        ),
        set_variable(
            "path-style address",
            "ingestion-manifest-builder-function",
            "COPIES",
            "https://s3.us-east-1.amazonaws.com/copies-of-data/x",
        ),
        add_workflow_task(
            "bucket in a workflow", "meetings", "aws-sdk:s3:putObject", {"Bucket": "copies-of-data", "Key": "x"}
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
        SERVICE_KNOWN,
        allow_reader(
            "federated identities of a bucket policy",
            "ingestion-landing",
            {"Federated": "cognito-identity.amazonaws.com"},
        ),
        allow_sender(
            "every service",
            "livestream-video-completed-dlq",
            {"Service": "*"},
            {"StringEquals": {"aws:SourceAccount": ACCOUNT}},
        ),
        allow_sender(
            "service in a queue policy",
            "livestream-video-created-dlq",
            {"Service": "ec2.amazonaws.com"},
            {"StringEquals": {"aws:SourceAccount": ACCOUNT}},
        ),
        add_statement(
            "one of several services",
            "foundation-alerts-policy",
            allow(
                "sns:Publish", ALERTS_TOPIC, Principal={"Service": ["budgets.amazonaws.com", "codebuild.amazonaws.com"]}
            ),
        ),
        allow_reader(
            "service of a bucket policy",
            "ingestion-landing",
            {"Service": "sagemaker.amazonaws.com"},
            {"StringEquals": {"aws:SourceAccount": ACCOUNT}},
        ),
        add_trusted_principal(
            "service in a trust policy", "foundation-backup-backup-role", {"Service": "ec2.amazonaws.com"}
        ),
        add_statement(
            "service that gets a role",
            "ingestion-manifest-builder-grants",
            allow(
                "iam:PassRole",
                f"arn:aws:iam::{ACCOUNT}:role/polyphony-prod-x",
                {"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}},
            ),
        ),
        allow_sender("lookalike of a service", "ingestion-sweeper-failed", {"Service": "events.amazonaws.com.example"}),
        add_resource(
            "service of a permission",
            t.FUNCTION_PERMISSION,
            {
                "function": SWEEPER_ALIAS,
                "principal": "iot.amazonaws.com",
                "sourceArn": f"arn:aws:iot:{REGION}:{ACCOUNT}:rule/x",
                "qualifier": "live",
            },
        ),
        add_resource(
            "service of another company part",
            t.FUNCTION_PERMISSION,
            {"function": SWEEPER_ALIAS, "principal": "alexa-appkit.amazon.com", "qualifier": "live"},
        ),
    ),
    # Harmless.
    change_properties("own network", "meetings-jobs-group", {"vpcId": "vpc-0a1b2c3d4e5f60718"}),
    add_statement(
        "use of a key through a service",
        "ingestion-lake-policy",
        allow(
            "s3:GetObject",
            LAKE_OBJECTS,
            {"StringEquals": {"kms:ViaService": f"dynamodb.{REGION}.amazonaws.com"}},
            Principal={"AWS": ACCOUNT},
        ),
    ),
    allow_reader(
        "own account in a condition", "meetings-recordings", "*", {"StringEquals": {"aws:PrincipalAccount": ACCOUNT}}
    ),
    allow_reader("own role", "ingestion-lake", {"AWS": f"arn:aws:iam::{ACCOUNT}:role/polyphony-prod-reader"}),
    add_statement(
        "denied wildcard",
        "voice-qa-audio-policy",
        {**allow_read({"AWS": "*"}, {"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/*"}}), "Effect": "Deny"},
    ),
    allow_sender(
        "own source pattern",
        "livestream-video-jobs-dlq",
        {"Service": "events.amazonaws.com"},
        {"ArnLike": {"aws:SourceArn": f"arn:aws:events:*:{ACCOUNT}:rule/polyphony-prod-*"}},
    ),
    allow_sender(
        "regional service",
        "voice-qa-time-limits-dlq",
        {"Service": f"logs.{REGION}.amazonaws.com"},
        {"StringEquals": {"aws:SourceAccount": ACCOUNT}},
    ),
    add_statement(
        "foundation model",
        "ingestion-sweeper-grants",
        allow("bedrock:InvokeModel", f"arn:aws:bedrock:{REGION}::foundation-model/anthropic.claude-haiku-4-5"),
    ),
    set_variable("bytes in the environment", "ingestion-sweeper-function", "MANIFEST_BYTES", "107374182400"),
    set_variable("round number in the environment", "ingestion-steps-function", "LINES", "100000000000"),
    set_variable("minute in the environment", "voice-qa-validate-lecture-function", "DEPLOYED", "202611230542"),
    set_variable("milliseconds in the environment", "livestream-episodes-function", "SINCE", "1763875320123"),
    set_variable("build in the environment", "ingestion-manifest-builder-function", "BUILD_NUMBER", "482910384756"),
    set_variable(
        "own queue in the environment",
        "transcription-router-function",
        "COPIES",
        f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/polyphony-prod-copies",
    ),
    set_variable("hash in the environment", "transcription-audio-processor-function", "DOCUMENT_HASH", CANONICAL_USER),
    set_variable(
        "UUID in the environment",
        "voice-qa-websocket-handler-function",
        "DEPLOYMENT",
        "0d9c1f5e-6f2b-4c3a-9d1e-123456789013",
    ),
    set_variable(
        "own bucket in the environment",
        "voice-qa-query-worker-function",
        "COPY_BUCKET",
        "polyphony-prod-voice-qa-audio-123456789012",
    ),
    set_variable(
        "page in the environment",
        "meetings-storage-function",
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
    set_nested_property("release tag", "ingestion-files-table", ("tags", "Release"), "202611230542"),
    set_nested_property("number in a tag", "voice-qa-audio-bucket", ("tags", "Owner"), "team-202611230542"),
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
        "foundation-overview-dashboard",
        "dashboardBody",
        lambda document: document["widgets"][0]["properties"].update(
            annotations={"horizontal": [{"value": 482910384756}]}
        ),
    ),
    edit_json(
        "expression with an own id",
        "meetings-workflow-machine",
        "definition",
        lambda document: document.update(Comment=f"{{% 'arn:aws:sqs:us-east-1:' & '{ACCOUNT}' & ':x' %}} 482910384756"),
    ),
    add_resource(
        "phone number",
        "aws:sns/topicSubscription:TopicSubscription",
        {"topic": ALERTS_TOPIC, "protocol": "sms", "endpoint": "+491701234567"},
    ),
)
