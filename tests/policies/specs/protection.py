"""Data protection: objects, tables, messages, keys, what shows, images, network."""

import json

from guardrails import types as t
from tests.policies.harness import UNKNOWN, Break, Spec, Thing, changes, drops, edits, inserted, spec
from tests.policies.specs.documents import ACCOUNT, REGION, document

LANDING = "ingestion-landing-bucket"
FILES = "ingestion-files-table"
BUILDER = "ingestion-manifest-builder-function"
QUEUE_ARN = f"arn:aws:sqs:{REGION}:{ACCOUNT}:q"
TOPIC_ARN = f"arn:aws:sns:{REGION}:{ACCOUNT}:q"
BLOCKED = dict.fromkeys(("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets"), True)
ROOT = document(
    {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "kms:*", "Resource": "*"}
)
ROLE_ONLY = document(
    {
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:role/r"},
        "Action": "kms:Decrypt",
        "Resource": "*",
    }
)
API = {
    "openapi": "3.0.1",
    "paths": {
        "/episodes": {"get": {"security": [{"jwt": []}]}, "options": {}},
        "/{proxy+}": {"x-amazon-apigateway-any-method": {"x-amazon-apigateway-integration": {"type": "mock"}}},
    },
}
OPEN_API: dict[str, object] = {"paths": {"/episodes": {"get": {}}}}
BUCKET_ARNS = ["arn:aws:s3:::b", "arn:aws:s3:::b/*"]


def tls_only(arn: str | list[str], value: str = "false") -> str:
    """A policy that refuses plain HTTP."""
    condition = {"Bool": {"aws:SecureTransport": value}}
    return document({"Effect": "Deny", "Principal": "*", "Action": "*", "Resource": arn, "Condition": condition})


def bucket(policy: str, kind: str, good: dict[str, object], bad: dict[str, object], says: str, breaks: Break) -> Spec:
    """A spec of one resource that sets something on a bucket."""
    home = Thing(t.BUCKET, {"bucket": "b"})
    return Spec(
        policy,
        good=[home, Thing(kind, {"bucket": "b", **good}, "setting")],
        bad=[home, Thing(kind, {"bucket": "b", **bad}, "setting")] if bad else [home],
        says=says,
        unknown=[home, Thing(kind, {"bucket": UNKNOWN, **good}, "setting")],
        breaks=breaks,
    )


SPECS = (
    bucket(
        "bucket-encrypted",
        t.BUCKET_ENCRYPTION,
        {"rules": [{"applyServerSideEncryptionByDefault": {"sseAlgorithm": "AES256"}}]},
        {"rules": []},
        "how its objects are encrypted",
        drops("ingestion-landing-encryption", LANDING),
    ),
    bucket(
        "bucket-public-access-blocked",
        t.BUCKET_PUBLIC_ACCESS,
        dict(BLOCKED),
        {**BLOCKED, "blockPublicPolicy": False},
        "lacks blockPublicPolicy",
        changes("ingestion-landing-public-access-block", {"restrictPublicBuckets": False}, LANDING),
    ),
    bucket(
        "bucket-tls-only",
        t.BUCKET_POLICY,
        {"policy": tls_only(BUCKET_ARNS)},
        {"policy": tls_only(BUCKET_ARNS, "true")},
        "plain HTTP",
        edits("ingestion-landing-policy", "policy", lambda found: found.update(Statement=[]), LANDING),
    ),
    bucket(
        "bucket-owner-enforced",
        t.BUCKET_OWNERSHIP,
        {"rule": {"objectOwnership": "BucketOwnerEnforced"}},
        {"rule": {"objectOwnership": "ObjectWriter"}},
        "ObjectWriter",
        drops("ingestion-landing-ownership", LANDING),
    ),
    bucket(
        "bucket-access-logged",
        t.BUCKET_LOGGING,
        {"targetBucket": "audit"},
        {},
        "writes no access log",
        inserted([Thing(t.BUCKET, {"bucket": "b"})]),
    ),
    spec(
        "bucket-logs-elsewhere",
        t.BUCKET_LOGGING,
        {"bucket": "b", "targetBucket": "audit"},
        {"targetBucket": "b"},
        "logs into b itself",
        "targetBucket",
    ),
    Spec(
        "bucket-originals-versioned",
        good=[
            Thing(t.BUCKET, {"bucket": "b"}),
            Thing(t.BUCKET_NOTIFICATION, {"bucket": "b"}, "notification"),
            Thing(t.BUCKET_VERSIONING, {"bucket": "b", "versioningConfiguration": {"status": "Enabled"}}, "versioning"),
        ],
        bad=[Thing(t.BUCKET, {"bucket": "b"}), Thing(t.BUCKET_NOTIFICATION, {"bucket": "b"}, "notification")],
        says="Originals arrive",
        unknown=[Thing(t.BUCKET, {"bucket": "b"}), Thing(t.BUCKET_NOTIFICATION, {"bucket": UNKNOWN}, "notification")],
        breaks=changes("ingestion-landing-versioning", {"versioningConfiguration": {"status": "Suspended"}}, LANDING),
    ),
    spec(
        "bucket-never-emptied",
        t.BUCKET,
        {"bucket": "b", "forceDestroy": False},
        {"forceDestroy": True},
        "forceDestroy",
        "forceDestroy",
        breaks=changes(LANDING, {"forceDestroy": True}),
    ),
    spec(
        "table-point-in-time-recovery",
        t.TABLE,
        {"pointInTimeRecovery": {"enabled": True}},
        {"pointInTimeRecovery": {"enabled": False}},
        "point in time",
        "pointInTimeRecovery",
        breaks=changes(FILES, {"pointInTimeRecovery": None}),
    ),
    spec(
        "table-deletion-protected",
        t.TABLE,
        {"deletionProtectionEnabled": True},
        {"deletionProtectionEnabled": False},
        "one call",
        "deletionProtectionEnabled",
        breaks=changes(FILES, {"deletionProtectionEnabled": False}),
    ),
    spec(
        "table-backed-up",
        t.TABLE,
        {"name": "t", "tags": {"Backup": "daily"}},
        {"tags": {"Backup": "none"}},
        "'Backup': 'none'",
        "tags",
        around=[
            Thing(
                t.BACKUP_SELECTION,
                {"selectionTags": [{"type": "STRINGEQUALS", "key": "Backup", "value": "daily"}]},
                "selection",
            )
        ],
        breaks=changes(FILES, {"tags": {"Backup": "none"}}),
    ),
    spec(
        "queue-tls-only",
        t.QUEUE,
        {"name": "q"},
        {"name": "r"},
        "It has no policy",
        "name",
        around=[Thing(t.QUEUE_POLICY, {"policy": tls_only(QUEUE_ARN)}, "policy")],
        breaks=edits(
            "ingestion-intake-policy", "policy", lambda found: found["Statement"].pop(0), "ingestion-intake-queue"
        ),
    ),
    spec(
        "topic-tls-only",
        t.TOPIC,
        {"name": "q"},
        {"name": "r"},
        "It has no policy",
        "name",
        around=[Thing(t.TOPIC_POLICY, {"policy": tls_only(TOPIC_ARN)}, "policy")],
        breaks=drops("foundation-alerts-policy", "foundation-alerts-topic"),
    ),
    spec(
        "queue-encrypted",
        t.QUEUE,
        {"name": "q", "sqsManagedSseEnabled": True},
        {"sqsManagedSseEnabled": False},
        "sqsManagedSseEnabled",
        "sqsManagedSseEnabled",
        breaks=changes("ingestion-intake-queue", {"sqsManagedSseEnabled": False}),
    ),
    spec(
        "topic-key-lets-alarms-in",
        t.TOPIC,
        {"name": "q"},
        {"kmsMasterKeyId": "alias/aws/sns"},
        "alias/aws/sns",
        "kmsMasterKeyId",
        breaks=changes("foundation-alerts-topic", {"kmsMasterKeyId": "alias/aws/sns"}),
    ),
    spec(
        "key-rotates",
        t.KEY,
        {"enableKeyRotation": True},
        {"enableKeyRotation": None},
        "never rotated",
        "enableKeyRotation",
    ),
    spec("key-keeps-its-account", t.KEY, {"policy": ROOT}, {"policy": ROLE_ONLY}, "account's root", "policy"),
    spec(
        "key-deletion-waits",
        t.KEY,
        {"deletionWindowInDays": 30},
        {"deletionWindowInDays": 7},
        "gone 7 days",
        "deletionWindowInDays",
    ),
    spec(
        "cors-origin-named",
        t.BUCKET_CORS,
        {"corsRules": [{"allowedOrigins": ["https://console.example.com"]}]},
        {"corsRules": [{"allowedOrigins": ["*"]}]},
        "polyphony:thing.corsOrigin",
        "corsRules",
    ),
    spec(
        "api-traces-no-bodies",
        t.REST_METHOD_SETTINGS,
        {"settings": {"dataTraceEnabled": False}},
        {"settings": {"dataTraceEnabled": True}},
        "dataTraceEnabled",
        "settings",
    ),
    spec(
        "function-logs-no-events",
        t.FUNCTION,
        {"name": "f", "environment": {"variables": {"LOG_LEVEL": "INFO"}}},
        {"environment": {"variables": {"POWERTOOLS_LOGGER_LOG_EVENT": "true"}}},
        "POWERTOOLS_LOGGER_LOG_EVENT is true",
        "environment",
        breaks=changes(BUILDER, {"environment": {"variables": {"POWERTOOLS_LOGGER_LOG_EVENT": "True"}}}),
    ),
    spec(
        "workflow-logs-no-data",
        t.WORKFLOW,
        {"loggingConfiguration": {"includeExecutionData": False}},
        {"loggingConfiguration": {"includeExecutionData": True}},
        "includeExecutionData",
        "loggingConfiguration",
    ),
    spec(
        "api-asks-who-calls",
        t.REST_API,
        {"body": json.dumps(API)},
        {"body": json.dumps(OPEN_API)},
        "GET /episodes",
        "body",
        breaks=inserted([Thing(t.SOCKET_ROUTE, {"routeKey": "$connect"})]),
    ),
    spec(
        "repository-scans",
        t.REPOSITORY,
        {"imageScanningConfiguration": {"scanOnPush": True}},
        {"imageScanningConfiguration": {"scanOnPush": False}},
        "known weaknesses",
        "imageScanningConfiguration",
    ),
    spec(
        "repository-tags-immutable",
        t.REPOSITORY,
        {"imageTagMutability": "IMMUTABLE"},
        {"imageTagMutability": "MUTABLE"},
        "MUTABLE",
        "imageTagMutability",
    ),
    Spec(
        "glue-encrypts",
        good=[Thing(t.GLUE_JOB, {"securityConfiguration": UNKNOWN})],
        bad=[Thing(t.GLUE_JOB, {"name": "j"})],
        says="how it encrypts",
        unknown=[Thing(t.GLUE_JOB, {"name": UNKNOWN})],
        breaks=inserted([Thing(t.GLUE_JOB, {"name": "j"})]),
        undecided=False,
    ),
    spec(
        "network-not-open",
        t.SECURITY_GROUP,
        {"ingress": [{"cidrBlocks": ["10.0.0.0/16"]}]},
        {"ingress": [{"cidrBlocks": ["0.0.0.0/0"], "fromPort": 22}]},
        "0.0.0.0/0 in, from port 22",
        "ingress",
    ),
)
