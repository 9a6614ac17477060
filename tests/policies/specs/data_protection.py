"""Specs of the policies about data protection."""

import json
from collections.abc import Mapping
from typing import Any

from guardrails.model import resource_types as t
from tests.policies.policy_harness import (
    UNDECIDED,
    UNKNOWN,
    PolicyCase,
    PolicySpec,
    ProgramBreak,
    SampleResource,
    change_resource,
    drop_resource,
    edit_json_property,
    expect_finding,
    expect_no_finding,
    insert_resources,
    property_spec,
    resource_spec,
)
from tests.policies.specs.sample_iam_documents import ACCOUNT, REGION, ROLE_ARN, allow, document

LANDING = "ingestion-landing-bucket"
QUEUE_ARN = f"arn:aws:sqs:{REGION}:{ACCOUNT}:q"
TOPIC_ARN = f"arn:aws:sns:{REGION}:{ACCOUNT}:q"
BLOCKED = dict.fromkeys(("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets"), True)
ROOT = document(allow("kms:*", "*", Principal={"AWS": f"arn:aws:iam::{ACCOUNT}:root"}))
ROLE_ONLY = document(allow("kms:Decrypt", "*", Principal={"AWS": ROLE_ARN}))
ANY = "x-amazon-apigateway-any-method"
API = {
    "/episodes": {"get": {"security": [{"jwt": []}]}, "options": {}},
    "/{proxy+}": {ANY: {"x-amazon-apigateway-integration": {"type": "mock"}}},
}
DENY: dict[str, Any] = {
    "Effect": "Deny",
    "Principal": "*",
    "Action": "*",
    "Resource": ["arn:aws:s3:::b", "arn:aws:s3:::b/*"],
    "Condition": {"Bool": {"aws:SecureTransport": "false"}},
}


def tls_only(**change: Any) -> str:
    """Return a policy that refuses requests without TLS, with changes of its statement."""
    return document({**DENY, **change})


def rest(paths: Mapping[str, Any]) -> str:
    """Return an OpenAPI document with a security requirement for the whole document, which API Gateway ignores."""
    authorizer = {"x-amazon-apigateway-authtype": "custom", "x-amazon-apigateway-authorizer": {"type": "token"}}
    schemes = {"securitySchemes": {"jwt": {"type": "apiKey", "name": "Authorization", "in": "header", **authorizer}}}
    return json.dumps({"security": [{"jwt": []}], "components": schemes, "paths": paths})


def bucket(
    policy: str,
    kind: str,
    good: dict[str, object],
    bad: dict[str, object],
    message_part: str,
    break_program: ProgramBreak,
) -> PolicySpec:
    """Return a spec of one resource that configures a bucket."""
    home = SampleResource(t.BUCKET, {"bucket": "b"})
    return PolicySpec(
        policy,
        good=[home, SampleResource(kind, {"bucket": "b", **good}, "setting")],
        bad=[home, SampleResource(kind, {"bucket": "b", **bad}, "setting")] if bad else [home],
        message_part=message_part,
        unknown=[home, SampleResource(kind, {"bucket": UNKNOWN, **good}, "setting")],
        break_program=break_program,
    )


SPECS = (
    bucket(
        "bucket-encrypted",
        t.BUCKET_ENCRYPTION,
        {"rules": [{"applyServerSideEncryptionByDefault": {"sseAlgorithm": "AES256"}}]},
        {"rules": []},
        "no encryption configuration",
        drop_resource("ingestion-landing-encryption", LANDING),
    ),
    bucket(
        "bucket-public-access-blocked",
        t.BUCKET_PUBLIC_ACCESS,
        dict(BLOCKED),
        {**BLOCKED, "blockPublicPolicy": False},
        "does not enable blockPublicPolicy",
        change_resource("ingestion-landing-public-access-block", {"restrictPublicBuckets": False}, LANDING),
    ),
    bucket(
        "bucket-tls-only",
        t.BUCKET_POLICY,
        {"policy": tls_only()},
        {"policy": tls_only(Condition={"Bool": {"aws:SecureTransport": "true"}})},
        "plain HTTP",
        edit_json_property("ingestion-landing-policy", "policy", lambda found: found.update(Statement=[]), LANDING),
    ),
    bucket(
        "bucket-owner-enforced",
        t.BUCKET_OWNERSHIP,
        {"rule": {"objectOwnership": "BucketOwnerEnforced"}},
        {"rule": {"objectOwnership": "ObjectWriter"}},
        "ObjectWriter",
        drop_resource("ingestion-landing-ownership", LANDING),
    ),
    bucket(
        "bucket-access-logged",
        t.BUCKET_LOGGING,
        {"targetBucket": "audit"},
        {},
        "writes no access log",
        insert_resources([SampleResource(t.BUCKET, {"bucket": "b"})]),
    ),
    resource_spec(
        "bucket-logs-elsewhere",
        t.BUCKET_LOGGING,
        {"bucket": "b", "targetBucket": "audit"},
        {"targetBucket": "b"},
        "is the bucket b itself",
        add_to_program=True,
    ),
    PolicySpec(
        "bucket-originals-versioned",
        good=[
            SampleResource(t.BUCKET, {"bucket": "b"}),
            SampleResource(t.BUCKET_NOTIFICATION, {"bucket": "b"}, "notification"),
            SampleResource(
                t.BUCKET_VERSIONING, {"bucket": "b", "versioningConfiguration": {"status": "Enabled"}}, "versioning"
            ),
        ],
        bad=[
            SampleResource(t.BUCKET, {"bucket": "b"}),
            SampleResource(t.BUCKET_NOTIFICATION, {"bucket": "b"}, "notification"),
        ],
        message_part="receives uploads",
        unknown=[
            SampleResource(t.BUCKET, {"bucket": "b"}),
            SampleResource(t.BUCKET_NOTIFICATION, {"bucket": UNKNOWN}, "notification"),
        ],
        break_program=change_resource(
            "ingestion-landing-versioning", {"versioningConfiguration": {"status": "Suspended"}}, LANDING
        ),
    ),
    resource_spec(
        "bucket-never-emptied", t.BUCKET, {"bucket": "b", "forceDestroy": False}, {"forceDestroy": True}, "forceDestroy"
    ),
    property_spec("table-point-in-time-recovery", t.TABLE, "pointInTimeRecovery.enabled", True, False, "point in time"),
    property_spec("table-deletion-protected", t.TABLE, "deletionProtectionEnabled", True, False, "one call"),
    resource_spec(
        "table-backed-up",
        t.TABLE,
        {"name": "t", "tags": {"Backup": "daily"}},
        {"tags": {"Backup": "none"}},
        "'Backup': 'none'",
        other_resources=[
            SampleResource(
                t.BACKUP_SELECTION,
                {"selectionTags": [{"type": "STRINGEQUALS", "key": "Backup", "value": "daily"}]},
                "selection",
            )
        ],
    ),
    resource_spec(
        "queue-tls-only",
        t.QUEUE,
        {"name": "q"},
        {"name": "r"},
        "There is no IAM policy",
        other_resources=[SampleResource(t.QUEUE_POLICY, {"policy": tls_only(Resource=QUEUE_ARN)}, "policy")],
    ),
    resource_spec(
        "topic-tls-only",
        t.TOPIC,
        {"name": "q"},
        {"name": "r"},
        "There is no IAM policy",
        other_resources=[SampleResource(t.TOPIC_POLICY, {"policy": tls_only(Resource=TOPIC_ARN)}, "policy")],
    ),
    property_spec("queue-encrypted", t.QUEUE, "sqsManagedSseEnabled", True, False, "sqsManagedSseEnabled"),
    resource_spec(
        "topic-key-lets-alarms-in", t.TOPIC, {"name": "q"}, {"kmsMasterKeyId": "alias/aws/sns"}, "alias/aws/sns"
    ),
    property_spec("key-rotates", t.KMS_KEY, "enableKeyRotation", True, None, "never rotated"),
    property_spec("key-keeps-its-account", t.KMS_KEY, "policy", ROOT, ROLE_ONLY, "account's root"),
    property_spec("key-deletion-waits", t.KMS_KEY, "deletionWindowInDays", 30, 7, "deletionWindowInDays is 7"),
    property_spec(
        "api-traces-no-bodies", t.REST_METHOD_SETTINGS, "settings.dataTraceEnabled", False, True, "dataTraceEnabled"
    ),
    property_spec(
        "function-logs-no-events",
        t.FUNCTION,
        "environment.variables",
        {"LOG_LEVEL": "INFO"},
        {"POWERTOOLS_LOGGER_LOG_EVENT": "true"},
        "POWERTOOLS_LOGGER_LOG_EVENT is true",
    ),
    property_spec(
        "workflow-logs-no-data", t.WORKFLOW, "loggingConfiguration.includeExecutionData", False, True, "is true"
    ),
    property_spec(
        "api-asks-who-calls", t.REST_API, "body", rest(API), rest({"/episodes": {"get": {}}}), "GET /episodes"
    ),
    property_spec(
        "repository-scans", t.IMAGE_REPOSITORY, "imageScanningConfiguration.scanOnPush", True, False, "scanOnPush"
    ),
    property_spec(
        "repository-tags-immutable", t.IMAGE_REPOSITORY, "imageTagMutability", "IMMUTABLE", "MUTABLE", "MUTABLE"
    ),
    PolicySpec(
        "glue-encrypts",
        good=[SampleResource(t.GLUE_JOB, {"securityConfiguration": UNKNOWN})],
        bad=[SampleResource(t.GLUE_JOB, {"name": "j"})],
        message_part="securityConfiguration is not set",
        unknown=[SampleResource(t.GLUE_JOB, {"name": UNKNOWN})],
        break_program=insert_resources([SampleResource(t.GLUE_JOB, {"name": "j"})]),
        undecided=False,
    ),
    property_spec(
        "network-not-open",
        t.SECURITY_GROUP,
        "ingress",
        [{"cidrBlocks": ["10.0.0.0/16"]}],
        [{"cidrBlocks": ["0.0.0.0/0"], "fromPort": 22}],
        "from 0.0.0.0/0 (fromPort 22)",
    ),
)

LETS_IN = document(allow("x:Get", QUEUE_ARN, Principal={"AWS": ROLE_ARN}))


def bucket_with_policy(**change: Any) -> list[SampleResource]:
    """Return a bucket and its policy."""
    return [
        SampleResource(t.BUCKET, {"bucket": "b"}),
        SampleResource(t.BUCKET_POLICY, {"bucket": "b", "policy": tls_only(**change)}, "p"),
    ]


def refuses_plain_http(**change: Any) -> PolicyCase:
    """Return a case of a bucket policy that refuses all requests without TLS."""
    return expect_no_finding("bucket-tls-only", *bucket_with_policy(**change))


def allows_plain_http(**change: Any) -> PolicyCase:
    """Return a case of a bucket policy that lets some requests without TLS through."""
    return expect_finding("bucket-tls-only", "plain HTTP", *bucket_with_policy(**change))


def buckets(*names: str) -> list[SampleResource]:
    """Return buckets."""
    return [SampleResource(t.BUCKET, {"bucket": name}, name) for name in names]


def log_delivery_policy(name: str, effect: str = "Allow") -> SampleResource:
    """Return a bucket policy about the service that delivers access logs."""
    statement = {"Effect": effect, "Principal": {"Service": "logging.s3.amazonaws.com"}, "Action": "s3:PutObject"}
    return SampleResource(t.BUCKET_POLICY, {"bucket": name, "policy": document(statement)}, f"{name}-policy")


def table(**tags: str) -> SampleResource:
    """Return a table that no backup selection includes."""
    return SampleResource(t.TABLE, {"name": "t", "tags": {"Backup": "none", **tags}})


def images(*moving: str) -> SampleResource:
    """Return a repository in which some tags may move."""
    filters = [{"filter": tag, "filterType": "WILDCARD"} for tag in moving]
    return SampleResource(
        t.IMAGE_REPOSITORY,
        {"imageTagMutability": "IMMUTABLE_WITH_EXCLUSION", "imageTagMutabilityExclusionFilters": filters},
    )


PROXY = {"x-amazon-apigateway-integration": {"type": "aws_proxy"}}
OPEN_OPERATIONS: list[dict[str, Any]] = [PROXY, {"security": []}, {"security": [{}]}, {"security": [{"jwt": []}, {}]}]
SAYS_WHO = {"CallersCheckedBy": "the token in the body"}
ASKS = "api-asks-who-calls"
TARGET = {"name": "h", "protocolType": "HTTP", "target": UNKNOWN}


def api(operations: Mapping[str, Any], tags: Mapping[str, str] | None = None, kind: str = t.REST_API) -> SampleResource:
    """Return an API with one path."""
    return SampleResource(kind, {"body": rest({"/x": operations}), "tags": dict(tags or {})})


def routed(
    key: str, protocol: str = "HTTP", tags: Mapping[str, str] | None = None, **route: str
) -> list[SampleResource]:
    """Return a WebSocket or HTTP API with one route."""
    return [
        SampleResource(t.API_V2, {"name": "h", "protocolType": protocol, "tags": dict(tags or {})}, "api"),
        SampleResource(t.API_V2_ROUTE, {"apiId": UNKNOWN, "routeKey": key, **route}, references={"apiId": ["api"]}),
    ]


CASES = (
    refuses_plain_http(),
    refuses_plain_http(Action="s3:*"),
    refuses_plain_http(Principal={"AWS": "*"}),
    refuses_plain_http(Resource="*"),
    refuses_plain_http(Condition={"Bool": {"aws:SecureTransport": False}}),
    refuses_plain_http(Condition={"Bool": {"AWS:securetransport": ["false"]}}),
    expect_no_finding(
        "topic-tls-only",
        SampleResource(t.TOPIC, {"name": "q"}),
        SampleResource(t.TOPIC_POLICY, {"policy": tls_only(Resource=TOPIC_ARN, Action="sns:Publish")}, "p"),
    ),
    allows_plain_http(Effect="Allow"),
    allows_plain_http(Principal={"AWS": f"arn:aws:iam::{ACCOUNT}:root"}),
    allows_plain_http(Action="s3:PutObject"),
    allows_plain_http(Resource="arn:aws:s3:::b"),
    allows_plain_http(Resource="arn:aws:s3:::b/*"),
    allows_plain_http(Resource=["arn:aws:s3:::b", "arn:aws:s3:::b/some/*"]),
    allows_plain_http(Condition={**DENY["Condition"], "StringEquals": {"aws:PrincipalAccount": ACCOUNT}}),
    allows_plain_http(Condition={"BoolIfExists": {"aws:SecureTransport": "false"}}),
    allows_plain_http(Condition={}),
    # An inline policy counts if the program sets it. It does not count if only the provider returns it.
    expect_no_finding("bucket-tls-only", SampleResource(t.BUCKET, {"bucket": "b", "policy": tls_only()})),
    expect_finding(
        "bucket-tls-only", "HTTP", SampleResource(t.BUCKET, {"bucket": "b"}, provider_outputs={"policy": tls_only()})
    ),
    expect_no_finding("queue-tls-only", SampleResource(t.QUEUE, {"name": "q", "policy": tls_only(Resource=QUEUE_ARN)})),
    expect_finding(
        "queue-tls-only",
        "does not refuse",
        SampleResource(t.QUEUE, {"name": "q", "policy": tls_only(Resource=QUEUE_ARN)}),
        SampleResource(t.QUEUE_POLICY, {"policy": LETS_IN}, "beside"),
    ),
    expect_finding(
        "queue-tls-only",
        "does not refuse",
        SampleResource(t.QUEUE, {"name": "q"}, provider_outputs={"policy": tls_only(Resource=QUEUE_ARN)}),
        SampleResource(t.QUEUE_POLICY, {"policy": LETS_IN}, "beside"),
    ),
    expect_finding("queue-tls-only", "does not refuse", SampleResource(t.QUEUE, {"name": "q", "policy": LETS_IN})),
    expect_finding("queue-tls-only", "cannot be checked", SampleResource(t.QUEUE, {"name": "q", "policy": "[]"})),
    expect_finding(
        "queue-tls-only", "There is no IAM policy", SampleResource(t.QUEUE, {"name": "q", "policy": UNKNOWN})
    ),
    expect_finding(
        "queue-tls-only",
        UNDECIDED,
        SampleResource(t.ROLE, {}, "role"),
        SampleResource(t.QUEUE, {"name": "q", "policy": UNKNOWN}, references={"policy": ["role"]}),
    ),
    expect_no_finding("bucket-access-logged", *buckets("audit"), log_delivery_policy("audit")),
    expect_finding(
        "bucket-access-logged",
        "no access log",
        *buckets("audit"),
        log_delivery_policy("audit", "Deny"),
        faulty_name="audit",
    ),
    expect_finding(
        "bucket-access-logged",
        "no access log",
        *buckets("landing", "audit", "other"),
        SampleResource(t.BUCKET_LOGGING, {"bucket": "landing", "targetBucket": "audit"}, "logging"),
        log_delivery_policy("other"),
        faulty_name="other",
    ),
    expect_finding("bucket-public-access-blocked", "blockPublicAcls", SampleResource(t.BUCKET_V2, {"bucket": "b"})),
    expect_no_finding("table-backed-up", table(Reason="a record would hold what must not be stored")),
    *(
        expect_finding("table-backed-up", "No backup selection", table(Reason=reason))
        for reason in ("", "because", " " * 20)
    ),
    expect_finding(
        "key-keeps-its-account",
        "account's root",
        SampleResource(t.KMS_REPLICA_KEY, {"policy": document(allow("kms:Decrypt", "*", Principal={"AWS": ROLE_ARN}))}),
    ),
    expect_no_finding(
        "key-keeps-its-account", SampleResource(t.KMS_KEY, {"description": "KMS lets the account in by itself"})
    ),
    expect_finding(
        "api-traces-no-bodies",
        "dataTraceEnabled",
        SampleResource(t.API_V2_STAGE, {"defaultRouteSettings": {"dataTraceEnabled": True}}),
    ),
    expect_no_finding("repository-tags-immutable", images("latest")),
    *(
        expect_finding("repository-tags-immutable", "move to other images", images(*moving))
        for moving in (("v*",), ("latest", "*"), ("lat*",))
    ),
    expect_no_finding(ASKS, SampleResource(t.REST_METHOD, {"httpMethod": "OPTIONS", "authorization": "NONE"})),
    expect_no_finding(ASKS, api({"post": {}}, SAYS_WHO)),
    expect_finding(ASKS, "POST /x requires no authorization", api({"post": {}}, {"CallersCheckedBy": "somebody"})),
    *(
        expect_finding(ASKS, "POST /x requires no authorization", api({"post": operation}, kind=kind))
        for kind in (t.REST_API, t.API_V2)
        for operation in OPEN_OPERATIONS
    ),
    expect_finding(ASKS, "ANY /x requires no authorization", api({ANY: PROXY})),
    expect_no_finding(ASKS, api({ANY: {**PROXY, "security": [{"jwt": []}]}})),
    *(
        expect_finding(ASKS, f"{key} requires no authorization", *routed(key))
        for key in ("POST /admin", "ANY /{proxy+}", "$default")
    ),
    expect_finding(
        ASKS, "GET /admin requires", SampleResource(t.API_V2_ROUTE, {"apiId": "a1b2", "routeKey": "GET /admin"})
    ),
    expect_no_finding(ASKS, *routed("POST /admin", authorizationType="JWT")),
    expect_no_finding(ASKS, *routed("OPTIONS /admin")),
    expect_no_finding(ASKS, *routed("$default", "WEBSOCKET")),
    expect_no_finding(ASKS, *routed("$connect", "WEBSOCKET", SAYS_WHO)),
    *(
        expect_finding(
            ASKS, "Any client may call $connect", *routed("$connect", "WEBSOCKET", tags, authorizationType="NONE")
        )
        for tags in ({}, {"CallersCheckedBy": "somebody"}, {"Reason": "its function verifies the token"})
    ),
    expect_finding(ASKS, "any caller reaches the target", SampleResource(t.API_V2, TARGET)),
    expect_finding(ASKS, "any caller reaches the target", SampleResource(t.API_V2, {**TARGET, "target": "arn"})),
    expect_no_finding(ASKS, SampleResource(t.API_V2, {**TARGET, "tags": SAYS_WHO})),
)
