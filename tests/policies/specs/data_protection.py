"""Specs (the required behaviour of each policy) and further cases of the guardrail policies about data protection:
encryption, TLS, public access, backups, logs without customer data, and authorization of API calls.
"""

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
from tests.policies.specs.sample_iam_documents import (
    ACCOUNT,
    ACCOUNT_ROOT,
    QUEUE_ARN,
    REGION,
    ROLE_ARN,
    allow,
    document,
)

LANDING_BUCKET = "ingestion-landing-bucket"
"""Pulumi name of a bucket in the recorded program."""
TOPIC_ARN = f"arn:aws:sns:{REGION}:{ACCOUNT}:q"
ALL_BLOCKED = dict.fromkeys(("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets"), True)
KEY_POLICY_FOR_ROOT = document(allow("kms:*", "*", Principal={"AWS": ACCOUNT_ROOT}))
KEY_POLICY_FOR_ROLE = document(allow("kms:Decrypt", "*", Principal={"AWS": ROLE_ARN}))
ANY_METHOD = "x-amazon-apigateway-any-method"
PROTECTED_PATHS = {
    "/episodes": {"get": {"security": [{"jwt": []}]}, "options": {}},
    "/{proxy+}": {ANY_METHOD: {"x-amazon-apigateway-integration": {"type": "mock"}}},
}
"""Paths of an API. OPTIONS and a mock integration need no authorizer, because they run no code."""
DENY_PLAIN_HTTP: dict[str, Any] = {
    "Effect": "Deny",
    "Principal": "*",
    "Action": "*",
    "Resource": ["arn:aws:s3:::b", "arn:aws:s3:::b/*"],
    "Condition": {"Bool": {"aws:SecureTransport": "false"}},
}


def tls_only(**change: Any) -> str:
    """Return a policy that refuses requests without TLS. `change` replaces elements of its statement."""
    return document({**DENY_PLAIN_HTTP, **change})


def openapi_document(paths: Mapping[str, Any]) -> str:
    """Return an OpenAPI document with an authorizer `jwt`. The document also requires the authorizer of all operations, but
    API Gateway ignores that. Only the requirement of an operation counts.
    """
    authorizer = {"x-amazon-apigateway-authtype": "custom", "x-amazon-apigateway-authorizer": {"type": "token"}}
    schemes = {"securitySchemes": {"jwt": {"type": "apiKey", "name": "Authorization", "in": "header", **authorizer}}}
    return json.dumps({"security": [{"jwt": []}], "components": schemes, "paths": paths})


def bucket_spec(
    policy: str,
    kind: str,
    good: dict[str, object],
    bad: dict[str, object],
    message_part: str,
    break_program: ProgramBreak,
) -> PolicySpec:
    """Return a spec of one resource that configures a bucket. If `bad` is empty, the bad stack lacks the resource."""
    bucket = SampleResource(t.BUCKET, {"bucket": "b"})
    return PolicySpec(
        policy,
        good=[bucket, SampleResource(kind, {"bucket": "b", **good}, "setting")],
        bad=[bucket, SampleResource(kind, {"bucket": "b", **bad}, "setting")] if bad else [bucket],
        message_part=message_part,
        unknown=[bucket, SampleResource(kind, {"bucket": UNKNOWN, **good}, "setting")],
        break_program=break_program,
    )


SPECS = (
    bucket_spec(
        "bucket-encrypted",
        t.BUCKET_ENCRYPTION,
        {"rules": [{"applyServerSideEncryptionByDefault": {"sseAlgorithm": "AES256"}}]},
        {"rules": []},
        "no encryption configuration",
        drop_resource("ingestion-landing-encryption", LANDING_BUCKET),
    ),
    bucket_spec(
        "bucket-public-access-blocked",
        t.BUCKET_PUBLIC_ACCESS,
        dict(ALL_BLOCKED),
        {**ALL_BLOCKED, "blockPublicPolicy": False},
        "does not enable blockPublicPolicy",
        change_resource("ingestion-landing-public-access-block", {"restrictPublicBuckets": False}, LANDING_BUCKET),
    ),
    bucket_spec(
        "bucket-tls-only",
        t.BUCKET_POLICY,
        {"policy": tls_only()},
        {"policy": tls_only(Condition={"Bool": {"aws:SecureTransport": "true"}})},
        "plain HTTP",
        edit_json_property(
            "ingestion-landing-policy", "policy", lambda policy: policy.update(Statement=[]), LANDING_BUCKET
        ),
    ),
    bucket_spec(
        "bucket-owner-enforced",
        t.BUCKET_OWNERSHIP,
        {"rule": {"objectOwnership": "BucketOwnerEnforced"}},
        {"rule": {"objectOwnership": "ObjectWriter"}},
        "ObjectWriter",
        drop_resource("ingestion-landing-ownership", LANDING_BUCKET),
    ),
    bucket_spec(
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
            "ingestion-landing-versioning", {"versioningConfiguration": {"status": "Suspended"}}, LANDING_BUCKET
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
    property_spec(
        "key-keeps-its-account", t.KMS_KEY, "policy", KEY_POLICY_FOR_ROOT, KEY_POLICY_FOR_ROLE, "account's root"
    ),
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
        "api-asks-who-calls",
        t.REST_API,
        "body",
        openapi_document(PROTECTED_PATHS),
        openapi_document({"/episodes": {"get": {}}}),
        "GET /episodes",
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

ALLOWS_ROLE = document(allow("x:Get", QUEUE_ARN, Principal={"AWS": ROLE_ARN}))


def bucket_with_policy(**change: Any) -> list[SampleResource]:
    """Return a bucket and its policy."""
    return [
        SampleResource(t.BUCKET, {"bucket": "b"}),
        SampleResource(t.BUCKET_POLICY, {"bucket": "b", "policy": tls_only(**change)}, "p"),
    ]


def secure_bucket_case(**change: Any) -> PolicyCase:
    """Return a case of a bucket policy that refuses all requests without TLS."""
    return expect_no_finding("bucket-tls-only", *bucket_with_policy(**change))


def insecure_bucket_case(**change: Any) -> PolicyCase:
    """Return a case of a bucket policy that does not refuse all requests without TLS."""
    return expect_finding("bucket-tls-only", "plain HTTP", *bucket_with_policy(**change))


def buckets(*names: str) -> list[SampleResource]:
    """Return buckets with these names."""
    return [SampleResource(t.BUCKET, {"bucket": name}, name) for name in names]


def log_delivery_policy(name: str, effect: str = "Allow") -> SampleResource:
    """Return a bucket policy that allows or denies the delivery of access logs of other buckets."""
    statement = {"Effect": effect, "Principal": {"Service": "logging.s3.amazonaws.com"}, "Action": "s3:PutObject"}
    return SampleResource(t.BUCKET_POLICY, {"bucket": name, "policy": document(statement)}, f"{name}-policy")


def table(**tags: str) -> SampleResource:
    """Return a table that no backup selection includes."""
    return SampleResource(t.TABLE, {"name": "t", "tags": {"Backup": "none", **tags}})


def repository(*movable_tags: str) -> SampleResource:
    """Return an image repository in which some tags may move to other images."""
    filters = [{"filter": tag, "filterType": "WILDCARD"} for tag in movable_tags]
    return SampleResource(
        t.IMAGE_REPOSITORY,
        {"imageTagMutability": "IMMUTABLE_WITH_EXCLUSION", "imageTagMutabilityExclusionFilters": filters},
    )


PROXY_INTEGRATION = {"x-amazon-apigateway-integration": {"type": "aws_proxy"}}
OPEN_OPERATIONS: list[dict[str, Any]] = [
    PROXY_INTEGRATION,
    {"security": []},
    {"security": [{}]},
    {"security": [{"jwt": []}, {}]},
]
"""Operations of an OpenAPI document that any client may call."""
CALLERS_CHECKED = {"CallersCheckedBy": "the token in the body"}
"""Tag that says how the program itself identifies callers. The API then needs no authorizer."""
API_ASKS_WHO_CALLS = "api-asks-who-calls"
API_WITH_TARGET = {"name": "h", "protocolType": "HTTP", "target": UNKNOWN}


def open_api_case(message_part: str, *samples: SampleResource) -> PolicyCase:
    """Return a case of an API that does not identify its callers."""
    return expect_finding(API_ASKS_WHO_CALLS, message_part, *samples)


def protected_api_case(*samples: SampleResource) -> PolicyCase:
    """Return a case of an API that identifies its callers, or does not need to."""
    return expect_no_finding(API_ASKS_WHO_CALLS, *samples)


def api_with_path(
    operations: Mapping[str, Any], tags: Mapping[str, str] | None = None, kind: str = t.REST_API
) -> SampleResource:
    """Return an API with the path `/x` and its operations."""
    return SampleResource(kind, {"body": openapi_document({"/x": operations}), "tags": dict(tags or {})})


def api_with_route(
    key: str, protocol: str = "HTTP", tags: Mapping[str, str] | None = None, **route: str
) -> list[SampleResource]:
    """Return a WebSocket or HTTP API with one route."""
    return [
        SampleResource(t.API_V2, {"name": "h", "protocolType": protocol, "tags": dict(tags or {})}, "api"),
        SampleResource(t.API_V2_ROUTE, {"apiId": UNKNOWN, "routeKey": key, **route}, references={"apiId": ["api"]}),
    ]


CASES = (
    # Requests with plain HTTP.
    secure_bucket_case(),
    secure_bucket_case(Action="s3:*"),
    secure_bucket_case(Principal={"AWS": "*"}),
    secure_bucket_case(Resource="*"),
    secure_bucket_case(Condition={"Bool": {"aws:SecureTransport": False}}),
    secure_bucket_case(Condition={"Bool": {"AWS:securetransport": ["false"]}}),
    expect_no_finding(
        "topic-tls-only",
        SampleResource(t.TOPIC, {"name": "q"}),
        SampleResource(t.TOPIC_POLICY, {"policy": tls_only(Resource=TOPIC_ARN, Action="sns:Publish")}, "p"),
    ),
    insecure_bucket_case(Effect="Allow"),
    insecure_bucket_case(Principal={"AWS": ACCOUNT_ROOT}),
    insecure_bucket_case(Action="s3:PutObject"),
    insecure_bucket_case(Resource="arn:aws:s3:::b"),
    insecure_bucket_case(Resource="arn:aws:s3:::b/*"),
    insecure_bucket_case(Resource=["arn:aws:s3:::b", "arn:aws:s3:::b/some/*"]),
    insecure_bucket_case(Condition={**DENY_PLAIN_HTTP["Condition"], "StringEquals": {"aws:PrincipalAccount": ACCOUNT}}),
    insecure_bucket_case(Condition={"BoolIfExists": {"aws:SecureTransport": "false"}}),
    insecure_bucket_case(Condition={}),
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
        SampleResource(t.QUEUE_POLICY, {"policy": ALLOWS_ROLE}, "policy"),
    ),
    expect_finding(
        "queue-tls-only",
        "does not refuse",
        SampleResource(t.QUEUE, {"name": "q"}, provider_outputs={"policy": tls_only(Resource=QUEUE_ARN)}),
        SampleResource(t.QUEUE_POLICY, {"policy": ALLOWS_ROLE}, "policy"),
    ),
    expect_finding("queue-tls-only", "does not refuse", SampleResource(t.QUEUE, {"name": "q", "policy": ALLOWS_ROLE})),
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
    # Access logs of buckets. The bucket that receives the logs needs none itself.
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
    # A tag must give a reason of some length.
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
    # KMS gives the account access to a key without a policy.
    expect_no_finding("key-keeps-its-account", SampleResource(t.KMS_KEY, {"description": "x"})),
    expect_finding(
        "api-traces-no-bodies",
        "dataTraceEnabled",
        SampleResource(t.API_V2_STAGE, {"defaultRouteSettings": {"dataTraceEnabled": True}}),
    ),
    expect_no_finding("repository-tags-immutable", repository("latest")),
    *(
        expect_finding("repository-tags-immutable", "move to other images", repository(*movable_tags))
        for movable_tags in (("v*",), ("latest", "*"), ("lat*",))
    ),
    # Authorization of API calls. The tag CallersCheckedBy must give an explanation of some length.
    protected_api_case(SampleResource(t.REST_METHOD, {"httpMethod": "OPTIONS", "authorization": "NONE"})),
    protected_api_case(api_with_path({"post": {}}, CALLERS_CHECKED)),
    open_api_case("POST /x requires no authorization", api_with_path({"post": {}}, {"CallersCheckedBy": "somebody"})),
    *(
        open_api_case("POST /x requires no authorization", api_with_path({"post": operation}, kind=kind))
        for kind in (t.REST_API, t.API_V2)
        for operation in OPEN_OPERATIONS
    ),
    open_api_case("ANY /x requires no authorization", api_with_path({ANY_METHOD: PROXY_INTEGRATION})),
    protected_api_case(api_with_path({ANY_METHOD: {**PROXY_INTEGRATION, "security": [{"jwt": []}]}})),
    *(
        open_api_case(f"{key} requires no authorization", *api_with_route(key))
        for key in ("POST /admin", "ANY /{proxy+}", "$default")
    ),
    open_api_case("GET /admin requires", SampleResource(t.API_V2_ROUTE, {"apiId": "a1b2", "routeKey": "GET /admin"})),
    protected_api_case(*api_with_route("POST /admin", authorizationType="JWT")),
    protected_api_case(*api_with_route("OPTIONS /admin")),
    protected_api_case(*api_with_route("$default", "WEBSOCKET")),
    protected_api_case(*api_with_route("$connect", "WEBSOCKET", CALLERS_CHECKED)),
    *(
        open_api_case(
            "Any client may call $connect", *api_with_route("$connect", "WEBSOCKET", tags, authorizationType="NONE")
        )
        for tags in ({}, {"CallersCheckedBy": "somebody"}, {"Reason": "its function verifies the token"})
    ),
    open_api_case("any caller reaches the target", SampleResource(t.API_V2, API_WITH_TARGET)),
    open_api_case("any caller reaches the target", SampleResource(t.API_V2, {**API_WITH_TARGET, "target": "arn"})),
    protected_api_case(SampleResource(t.API_V2, {**API_WITH_TARGET, "tags": CALLERS_CHECKED})),
)
