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
    found_by,
    granted,
    replaced_text,
)
from tests.policies.specs.sample_iam_documents import ACCOUNT, REGION, Statement, allow, document, trust

FOREIGN = "999999999999"
FOREIGN_ROLE = f"arn:aws:iam::{FOREIGN}:role/reader"
FOREIGN_QUEUE = f"arn:aws:sqs:{REGION}:{FOREIGN}:copies"
CANONICAL_USER = "79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be"
ALERTS = f"arn:aws:sns:{REGION}:{ACCOUNT}:polyphony-prod-foundation-alerts"
FUNCTION = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:polyphony-prod-ingestion-sweeper:live"
ACCOUNTS, BUCKETS, SERVICES = "account-known", "bucket-known", "service-known"
ON_BUCKET = "arn:aws:s3:::polyphony-prod-{}-123456789012/*"


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
    return granted(label, role, json.loads(trust(principal))["Statement"][0], key="assumeRolePolicy")


def with_variable(label: str, function: str, name: str, value: str) -> ProgramVariation:
    """Return a variation that sets an environment variable of a function."""
    return changed_nested(label, function, ("environment", "variables", name), value)


VARIATIONS: tuple[ProgramVariation, ...] = (
    *found_by(
        ACCOUNTS,
        granted(
            "root user in a bucket policy", "ingestion-landing-policy", reads({"AWS": f"arn:aws:iam::{FOREIGN}:root"})
        ),
        granted("account id in a bucket policy", "ingestion-lake-policy", reads({"AWS": FOREIGN})),
        granted(
            "account in a condition",
            "meetings-recordings-policy",
            reads("*", {"StringEquals": {"aws:PrincipalAccount": [ACCOUNT, FOREIGN]}}),
        ),
        granted(
            "organisation",
            "livestream-transcripts-policy",
            reads("*", {"StringEquals": {"aws:PrincipalOrgID": "o-a1b2c3d4e5"}}),
        ),
        granted(
            "organisational unit",
            "foundation-audit-logs-policy",
            reads(
                "*", {"ForAnyValue:StringEquals": {"aws:PrincipalOrgPaths": "o-a1b2c3d4e5/r-ab12/ou-ab12-11111111/"}}
            ),
        ),
        granted(
            "canonical user in a bucket policy", "ingestion-landing-policy", reads({"CanonicalUser": CANONICAL_USER})
        ),
        granted("unique id of a role", "ingestion-lake-policy", reads({"AWS": "AROAJ2UCCR6DPCEXAMPLE"})),
        granted(
            "origin access identity",
            "livestream-transcripts-policy",
            reads({"AWS": "arn:aws:iam::cloudfront:user/CloudFront Origin Access Identity E1"}),
        ),
        granted(
            "resource of every account",
            "ingestion-steps-grants",
            allow("sqs:SendMessage", f"arn:aws:sqs:{REGION}:*:copies"),
        ),
        granted(
            "short pattern of every account",
            "ingestion-manifest-builder-grants",
            allow("sqs:SendMessage", "arn:aws:sqs:*"),
        ),
        trusted("foreign role in a trust policy", "ingestion-sweeper-role", {"AWS": FOREIGN_ROLE}),
        added(
            "function permission",
            t.FUNCTION_PERMISSION,
            {"function": FUNCTION, "action": "lambda:InvokeFunction", "principal": FOREIGN, "qualifier": "live"},
        ),
        added(
            "peer owner as a number", "aws:ec2/vpcPeeringConnection:VpcPeeringConnection", {"peerOwnerId": int(FOREIGN)}
        ),
        added(
            "bucket for a canonical user",
            "aws:s3/bucketAcl:BucketAcl",
            {"accessControlPolicy": {"grants": [{"grantee": {"id": CANONICAL_USER}}]}},
        ),
        replaced_text("image", "meetings-media-definition", "containerProperties", f"{ACCOUNT}.dkr", f"{FOREIGN}.dkr"),
        changed(
            "layer of a name that AWS uses",
            "ingestion-steps-function",
            {"layers": [f"arn:aws:lambda:{REGION}:{FOREIGN}:layer:AWSLambdaPowertoolsPythonV3:1"]},
        ),
        changed(
            "bucket notification",
            "ingestion-landing-notification",
            {"queues": [{"queueArn": FOREIGN_QUEUE, "events": ["s3:ObjectCreated:*"]}]},
        ),
        replaced_text("redrive policy", "ingestion-intake-queue", "redrivePolicy", ACCOUNT, FOREIGN),
        replaced_text(
            "WebSocket integration", "voice-qa-socket-websocket-handler-integration", "integrationUri", ACCOUNT, FOREIGN
        ),
        edited(
            "partial ARN in a workflow",
            "meetings-workflow-machine",
            "definition",
            lambda found: found["States"].update({"Copy": {"Arguments": {"FunctionName": f"{FOREIGN}:function:copy"}}}),
        ),
        edited(
            "expression in a workflow",
            "ingestion-workflow-machine",
            "definition",
            lambda found: found["States"].update(
                {
                    "Copy": {
                        "Arguments": {
                            "QueueUrl": f"{{% 'https://sqs.us-east-1.amazonaws.com/' & '{FOREIGN}' & '/x' %}}"
                        }
                    }
                }
            ),
        ),
        with_variable(
            "queue URL in the environment",
            "ingestion-manifest-builder-function",
            "COPIES",
            f"https://sqs.{REGION}.amazonaws.com/{FOREIGN}/copies",
        ),
        with_variable("unnamed account id in the environment", "livestream-episodes-function", "COPY_TO", FOREIGN),
        changed("catalog of a table", "ingestion-lake-table", {"catalogId": FOREIGN}),
        changed(
            "endpoint service",
            "meetings-jobs-s3",
            {"serviceName": f"com.amazonaws.vpce.{REGION}.vpce-svc-0e3f5a7b9c1d2e4f6"},
        ),
        changed(
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
        changed(
            "secret parameter",
            "livestream-cursors-parameter",
            {"value": {SIGNATURE: SECRET, "value": f"copy to {FOREIGN_QUEUE}"}},
        ),
        granted(
            "foreign endpoint",
            "ingestion-lake-policy",
            reads("*", {"StringEquals": {"aws:SourceVpce": "vpce-0e3f5a7b"}}),
        ),
    ),
    *found_by(
        BUCKETS,
        changed("target of access logs", "ingestion-lake-logging", {"targetBucket": "copies-of-logs"}),
        granted("bucket of a role", "ingestion-sweeper-grants", allow("s3:PutObject", "arn:aws:s3:::copies-of-data/*")),
        granted("every bucket", "ingestion-steps-grants", allow("s3:PutObject", "arn:aws:s3:::*/copies/*")),
        granted(
            "source bucket of a queue policy",
            "voice-qa-sweep-dlq-policy",
            sends({"Service": "s3.amazonaws.com"}, {"ArnLike": {"aws:SourceArn": "arn:aws:s3:::copies-of-data"}}),
        ),
        changed("code of a function", "ingestion-sweeper-function", {"s3Bucket": "copies-of-code", "s3Key": "x"}),
        changed_nested(
            "query results",
            "ingestion-lake-workgroup",
            ("configuration", "resultConfiguration", "outputLocation"),
            "s3://copies-of-data/queries/",
        ),
        changed_nested(
            "Hadoop URL", "ingestion-spark-job", ("defaultArguments", "--lake_uri"), "s3a://copies-of-data/"
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
    ),
    *found_by(
        SERVICES,
        granted(
            "federated identities of a bucket policy",
            "ingestion-landing-policy",
            reads({"Federated": "cognito-identity.amazonaws.com"}),
        ),
        granted(
            "every service",
            "livestream-video-completed-dlq-policy",
            sends({"Service": "*"}, {"StringEquals": {"aws:SourceAccount": ACCOUNT}}),
        ),
        trusted("service in a trust policy", "foundation-backup-backup-role", {"Service": "ec2.amazonaws.com"}),
        granted(
            "service that gets a role",
            "ingestion-manifest-builder-grants",
            allow(
                "iam:PassRole",
                f"arn:aws:iam::{ACCOUNT}:role/polyphony-prod-x",
                {"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}},
            ),
        ),
        granted(
            "lookalike of a service",
            "ingestion-sweeper-failed-policy",
            sends({"Service": "events.amazonaws.com.example"}),
        ),
        added(
            "service of another company part",
            t.FUNCTION_PERMISSION,
            {"function": FUNCTION, "principal": "alexa-appkit.amazon.com", "qualifier": "live"},
        ),
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
        "regional service",
        "voice-qa-sweep-dlq-policy",
        sends({"Service": f"logs.{REGION}.amazonaws.com"}, {"StringEquals": {"aws:SourceAccount": ACCOUNT}}),
    ),
    granted(
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
    changed_nested(
        "larger query limit", "ingestion-lake-workgroup", ("configuration", "bytesScannedCutoffPerQuery"), 214748364800
    ),
    changed(
        "number in a description",
        "ingestion-spark-job",
        {"description": "Converts up to 482910384756 lines of o-so-many files"},
    ),
    changed(
        "release tag",
        "ingestion-files-table",
        {"tags": {"Release": "202611230542", "Owner": "team-202611230542"}},
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
