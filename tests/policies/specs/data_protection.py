"""Data protection: objects, tables, messages, keys, what shows, images, network."""

import json
from collections.abc import Mapping
from typing import Any

from guardrails.model import resource_types as t
from tests.policies.policy_harness import (
    UNDECIDED,
    UNKNOWN,
    Break,
    Case,
    Spec,
    Thing,
    changes,
    drops,
    edits,
    finds,
    inserted,
    passes,
    setting,
    spec,
)
from tests.policies.specs.sample_documents import ACCOUNT, REGION, ROLE_ARN, allow, document

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
    """A policy that refuses plain HTTP, or leaves something out."""
    return document({**DENY, **change})


def rest(paths: Mapping[str, Any]) -> str:
    """A document that asks for a token as a whole, which API Gateway does not read."""
    return json.dumps({"security": [{"jwt": []}], "paths": paths})


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
        {"policy": tls_only()},
        {"policy": tls_only(Condition={"Bool": {"aws:SecureTransport": "true"}})},
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
        added=True,
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
        "bucket-never-emptied", t.BUCKET, {"bucket": "b", "forceDestroy": False}, {"forceDestroy": True}, "forceDestroy"
    ),
    setting("table-point-in-time-recovery", t.TABLE, "pointInTimeRecovery.enabled", True, False, "point in time"),
    setting("table-deletion-protected", t.TABLE, "deletionProtectionEnabled", True, False, "one call"),
    spec(
        "table-backed-up",
        t.TABLE,
        {"name": "t", "tags": {"Backup": "daily"}},
        {"tags": {"Backup": "none"}},
        "'Backup': 'none'",
        around=[
            Thing(
                t.BACKUP_SELECTION,
                {"selectionTags": [{"type": "STRINGEQUALS", "key": "Backup", "value": "daily"}]},
                "selection",
            )
        ],
    ),
    spec(
        "queue-tls-only",
        t.QUEUE,
        {"name": "q"},
        {"name": "r"},
        "It has no policy",
        around=[Thing(t.QUEUE_POLICY, {"policy": tls_only(Resource=QUEUE_ARN)}, "policy")],
    ),
    spec(
        "topic-tls-only",
        t.TOPIC,
        {"name": "q"},
        {"name": "r"},
        "It has no policy",
        around=[Thing(t.TOPIC_POLICY, {"policy": tls_only(Resource=TOPIC_ARN)}, "policy")],
    ),
    setting("queue-encrypted", t.QUEUE, "sqsManagedSseEnabled", True, False, "sqsManagedSseEnabled"),
    spec("topic-key-lets-alarms-in", t.TOPIC, {"name": "q"}, {"kmsMasterKeyId": "alias/aws/sns"}, "alias/aws/sns"),
    setting("key-rotates", t.KEY, "enableKeyRotation", True, None, "never rotated"),
    setting("key-keeps-its-account", t.KEY, "policy", ROOT, ROLE_ONLY, "account's root"),
    setting("key-deletion-waits", t.KEY, "deletionWindowInDays", 30, 7, "gone 7 days"),
    setting(
        "cors-origin-named",
        t.BUCKET_CORS,
        "corsRules",
        [{"allowedOrigins": ["https://console.example.com"]}],
        [{"allowedOrigins": ["*"]}],
        "polyphony:thing.corsOrigin",
    ),
    setting(
        "api-traces-no-bodies", t.REST_METHOD_SETTINGS, "settings.dataTraceEnabled", False, True, "dataTraceEnabled"
    ),
    setting(
        "function-logs-no-events",
        t.FUNCTION,
        "environment.variables",
        {"LOG_LEVEL": "INFO"},
        {"POWERTOOLS_LOGGER_LOG_EVENT": "true"},
        "POWERTOOLS_LOGGER_LOG_EVENT is true",
    ),
    setting(
        "workflow-logs-no-data",
        t.WORKFLOW,
        "loggingConfiguration.includeExecutionData",
        False,
        True,
        "includeExecutionData",
    ),
    setting("api-asks-who-calls", t.REST_API, "body", rest(API), rest({"/episodes": {"get": {}}}), "GET /episodes"),
    setting("repository-scans", t.REPOSITORY, "imageScanningConfiguration.scanOnPush", True, False, "known weaknesses"),
    setting("repository-tags-immutable", t.REPOSITORY, "imageTagMutability", "IMMUTABLE", "MUTABLE", "MUTABLE"),
    Spec(
        "glue-encrypts",
        good=[Thing(t.GLUE_JOB, {"securityConfiguration": UNKNOWN})],
        bad=[Thing(t.GLUE_JOB, {"name": "j"})],
        says="how it encrypts",
        unknown=[Thing(t.GLUE_JOB, {"name": UNKNOWN})],
        breaks=inserted([Thing(t.GLUE_JOB, {"name": "j"})]),
        undecided=False,
    ),
    setting(
        "network-not-open",
        t.SECURITY_GROUP,
        "ingress",
        [{"cidrBlocks": ["10.0.0.0/16"]}],
        [{"cidrBlocks": ["0.0.0.0/0"], "fromPort": 22}],
        "0.0.0.0/0 in, from port 22",
    ),
)

LETS_IN = document(allow("x:Get", QUEUE_ARN, Principal={"AWS": ROLE_ARN}))


def of_bucket(**change: Any) -> list[Thing]:
    """A bucket and its policy."""
    return [
        Thing(t.BUCKET, {"bucket": "b"}),
        Thing(t.BUCKET_POLICY, {"bucket": "b", "policy": tls_only(**change)}, "p"),
    ]


def enough(**change: Any) -> Case:
    """A bucket policy that refuses plain HTTP."""
    return passes("bucket-tls-only", *of_bucket(**change))


def leaky(**change: Any) -> Case:
    """A bucket policy that lets somebody or something come by plain HTTP."""
    return finds("bucket-tls-only", "plain HTTP", *of_bucket(**change))


def buckets(*names: str) -> list[Thing]:
    """Buckets."""
    return [Thing(t.BUCKET, {"bucket": name}, name) for name in names]


def takes_logs(name: str, effect: str = "Allow") -> Thing:
    """A policy about the service that delivers access logs."""
    statement = {"Effect": effect, "Principal": {"Service": "logging.s3.amazonaws.com"}, "Action": "s3:PutObject"}
    return Thing(t.BUCKET_POLICY, {"bucket": name, "policy": document(statement)}, f"{name}-policy")


def open_rule(kind: str, says: str, **rule: Any) -> Case:
    """A rule that lets much of the internet in."""
    return finds("network-not-open", says, Thing(kind, rule))


def table(**tags: str) -> Thing:
    """A table that no backup takes."""
    return Thing(t.TABLE, {"name": "t", "tags": {"Backup": "none", **tags}})


def images(*moving: str) -> Thing:
    """A repository in which some tags may move."""
    filters = [{"filter": one, "filterType": "WILDCARD"} for one in moving]
    return Thing(
        t.REPOSITORY, {"imageTagMutability": "IMMUTABLE_WITH_EXCLUSION", "imageTagMutabilityExclusionFilters": filters}
    )


PROXY = {"x-amazon-apigateway-integration": {"type": "aws_proxy"}}
OPEN_OPERATIONS: list[dict[str, Any]] = [PROXY, {"security": []}, {"security": [{}]}, {"security": [{"jwt": []}, {}]}]
SAYS_WHO = {"CallersCheckedBy": "the token in the body"}
ASKS = "api-asks-who-calls"
TARGET = {"name": "h", "protocolType": "HTTP", "target": UNKNOWN}


def api(operations: Mapping[str, Any], tags: Mapping[str, str] | None = None, kind: str = t.REST_API) -> Thing:
    """An API with one path."""
    return Thing(kind, {"body": rest({"/x": operations}), "tags": dict(tags or {})})


def routed(key: str, protocol: str = "HTTP", tags: Mapping[str, str] | None = None, **route: str) -> list[Thing]:
    """A WebSocket or HTTP API with one route."""
    return [
        Thing(t.SOCKET_API, {"name": "h", "protocolType": protocol, "tags": dict(tags or {})}, "api"),
        Thing(t.SOCKET_ROUTE, {"apiId": UNKNOWN, "routeKey": key, **route}, refers={"apiId": ["api"]}),
    ]


CASES = (
    enough(),
    enough(Action="s3:*"),
    enough(Principal={"AWS": "*"}),
    enough(Resource="*"),
    enough(Condition={"Bool": {"aws:SecureTransport": False}}),
    enough(Condition={"Bool": {"AWS:securetransport": ["false"]}}),
    passes(
        "topic-tls-only",
        Thing(t.TOPIC, {"name": "q"}),
        Thing(t.TOPIC_POLICY, {"policy": tls_only(Resource=TOPIC_ARN, Action="sns:Publish")}, "p"),
    ),
    leaky(Effect="Allow"),
    leaky(Principal={"AWS": f"arn:aws:iam::{ACCOUNT}:root"}),
    leaky(Action="s3:PutObject"),
    leaky(Resource="arn:aws:s3:::b"),
    leaky(Resource="arn:aws:s3:::b/*"),
    leaky(Resource=["arn:aws:s3:::b", "arn:aws:s3:::b/some/*"]),
    leaky(Condition={**DENY["Condition"], "StringEquals": {"aws:PrincipalAccount": ACCOUNT}}),
    leaky(Condition={"BoolIfExists": {"aws:SecureTransport": "false"}}),
    leaky(Condition={}),
    # A policy of the resource's own counts if the program gives it, not if the provider answers what stood beside it.
    passes("bucket-tls-only", Thing(t.BUCKET, {"bucket": "b", "policy": tls_only()})),
    finds("bucket-tls-only", "plain HTTP", Thing(t.BUCKET, {"bucket": "b"}, answers={"policy": tls_only()})),
    passes("queue-tls-only", Thing(t.QUEUE, {"name": "q", "policy": tls_only(Resource=QUEUE_ARN)})),
    passes(
        "queue-tls-only",
        Thing(t.QUEUE, {"name": "q", "policy": tls_only(Resource=QUEUE_ARN)}),
        Thing(t.QUEUE_POLICY, {"policy": LETS_IN}, "beside"),
    ),
    finds(
        "queue-tls-only",
        "does not refuse",
        Thing(t.QUEUE, {"name": "q"}, answers={"policy": tls_only(Resource=QUEUE_ARN)}),
        Thing(t.QUEUE_POLICY, {"policy": LETS_IN}, "beside"),
    ),
    finds("queue-tls-only", "does not refuse", Thing(t.QUEUE, {"name": "q", "policy": LETS_IN})),
    finds("queue-tls-only", "cannot be read", Thing(t.QUEUE, {"name": "q", "policy": "[]"})),
    finds("queue-tls-only", "It has no policy", Thing(t.QUEUE, {"name": "q", "policy": UNKNOWN})),
    finds(
        "queue-tls-only",
        UNDECIDED,
        Thing(t.ROLE, {}, "role"),
        Thing(t.QUEUE, {"name": "q", "policy": UNKNOWN}, refers={"policy": ["role"]}),
    ),
    passes("bucket-access-logged", *buckets("audit"), takes_logs("audit")),
    finds("bucket-access-logged", "no access log", *buckets("audit"), takes_logs("audit", "Deny"), at="audit"),
    finds(
        "bucket-access-logged",
        "no access log",
        *buckets("landing", "audit", "other"),
        Thing(t.BUCKET_LOGGING, {"bucket": "landing", "targetBucket": "audit"}, "logging"),
        takes_logs("other"),
        at="other",
    ),
    finds("bucket-public-access-blocked", "blockPublicAcls", Thing(t.BUCKET_V2, {"bucket": "b"})),
    finds("bucket-never-emptied", "forceDestroy", Thing(t.BUCKET_V2, {"bucket": "b", "forceDestroy": True})),
    passes("table-backed-up", table(Reason="a record would hold what must not be stored")),
    *(finds("table-backed-up", "No backup selection", table(Reason=reason)) for reason in ("", "because", " " * 20)),
    finds(
        "key-keeps-its-account",
        "account's root",
        Thing(t.KEY_REPLICA, {"policy": document(allow("kms:Decrypt", "*", Principal={"AWS": ROLE_ARN}))}),
    ),
    passes("key-keeps-its-account", Thing(t.KEY, {"description": "KMS lets the account in by itself"})),
    finds("cors-origin-named", "origin *", Thing(t.FUNCTION, {"environment": {"variables": {"ORIGIN": "*"}}})),
    *(
        finds("cors-origin-named", "origin *", Thing(kind, {"corsRules": [{"allowedOrigins": ["*"]}]}))
        for kind in (t.BUCKET, t.BUCKET_V2)
    ),
    finds(
        "cors-origin-named", "https://*", Thing(t.SOCKET_API, {"corsConfiguration": {"allowOrigins": ["https://*"]}})
    ),
    finds(
        "api-traces-no-bodies",
        "dataTraceEnabled",
        Thing(t.SOCKET_STAGE, {"defaultRouteSettings": {"dataTraceEnabled": True}}),
    ),
    passes("repository-tags-immutable", images("latest")),
    *(
        finds("repository-tags-immutable", "may become other images", images(*moving))
        for moving in (("v*",), ("latest", "*"), ("lat*",))
    ),
    open_rule(t.DEFAULT_SECURITY_GROUP, "port 22", ingress=[{"cidrBlocks": ["0.0.0.0/0"], "fromPort": 22}]),
    open_rule(t.SECURITY_GROUP_RULE, "port 443", type="ingress", cidrBlocks=["0.0.0.0/0"], fromPort=443),
    *(open_rule(t.INGRESS_RULE, block, cidrIpv6=block) for block in ("::/0", "2000::/3")),
    *(open_rule(t.INGRESS_RULE, half, cidrIpv4=half) for half in ("0.0.0.0/1", "128.0.0.0/1", "64.0.0.0/7")),
    passes("network-not-open", Thing(t.SECURITY_GROUP_RULE, {"type": "egress", "cidrBlocks": ["0.0.0.0/0"]})),
    passes("network-not-open", Thing(t.INGRESS_RULE, {"cidrIpv4": "no range", "prefixListId": "pl-1"})),
    passes(
        "network-not-open",
        Thing(
            t.SECURITY_GROUP,
            {
                "ingress": [
                    {"cidrBlocks": ["10.0.0.0/8", "17.0.0.0/8"], "ipv6CidrBlocks": ["fc00::/7", "2001:db8::/32"]}
                ]
            },
        ),
    ),
    finds(ASKS, "POST asks for no", Thing(t.REST_METHOD, {"httpMethod": "POST", "authorization": "NONE"})),
    passes(ASKS, Thing(t.REST_METHOD, {"httpMethod": "OPTIONS", "authorization": "NONE"})),
    passes(ASKS, Thing(t.REST_METHOD, {"httpMethod": "GET", "authorization": "NONE", "apiKeyRequired": True})),
    passes(ASKS, api({"post": {}}, SAYS_WHO)),
    *(
        finds(ASKS, "POST /x asks", api({"post": {}}, tags))
        for tags in ({"CallersCheckedBy": "somebody"}, {"CallersCheckedBy": f"nobody{' ' * 20}"}, {"Reason": "x" * 20})
    ),
    *(
        finds(ASKS, "POST /x asks", api({"post": operation}, kind=kind))
        for kind in (t.REST_API, t.SOCKET_API)
        for operation in OPEN_OPERATIONS
    ),
    finds(ASKS, "ANY /x asks", api({ANY: PROXY})),
    passes(ASKS, api({ANY: {**PROXY, "security": [{"jwt": []}]}})),
    *(finds(ASKS, f"{key} asks for no", *routed(key)) for key in ("POST /admin", "ANY /{proxy+}", "$default")),
    finds(ASKS, "GET /admin asks for no", Thing(t.SOCKET_ROUTE, {"apiId": "a1b2", "routeKey": "GET /admin"})),
    passes(ASKS, *routed("POST /admin", authorizationType="JWT")),
    passes(ASKS, *routed("POST /admin", tags=SAYS_WHO)),
    passes(ASKS, *routed("OPTIONS /admin")),
    passes(ASKS, *routed("$default", "WEBSOCKET")),
    passes(ASKS, *routed("$connect", "WEBSOCKET", SAYS_WHO)),
    *(
        finds(ASKS, "Everybody may $connect", *routed("$connect", "WEBSOCKET", tags, authorizationType="NONE"))
        for tags in ({}, {"CallersCheckedBy": "somebody"}, {"Reason": "its function verifies the token"})
    ),
    finds(ASKS, "Everybody may call its target", Thing(t.SOCKET_API, TARGET)),
    finds(ASKS, "Everybody may call its target", Thing(t.SOCKET_API, {**TARGET, "target": "arn"})),
    passes(ASKS, Thing(t.SOCKET_API, {**TARGET, "tags": SAYS_WHO})),
)
