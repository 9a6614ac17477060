"""Spec (the required behaviour), further cases, and variations of the guardrail policy about companions: resources that
configure another resource, for example the public access block of a bucket. A resource may have only one companion of a
type.

Most cases are about other policies, for example `bucket-encrypted`. Such a policy must report a resource with two
companions if only one of them is right.
"""

import json
from collections.abc import Mapping

from guardrails.model import resource_types as t
from tests.policies.policy_harness import (
    UNKNOWN,
    PolicyCase,
    PolicySpec,
    Props,
    SampleResource,
    expect_finding,
    expect_no_finding,
    insert_resources,
)
from tests.policies.program_variations import ProgramVariation, add_resource, change_properties, found_by
from tests.policies.specs.data_protection import tls_only
from tests.policies.specs.sample_iam_documents import ACCOUNT, QUEUE_ARN, REGION, allow, document

ONE_COMPANION = "one-companion-per-resource"
LANDING_BUCKET = "polyphony-prod-ingestion-landing-123456789012"
ALL_BLOCKED = {
    "blockPublicAcls": True,
    "blockPublicPolicy": True,
    "ignorePublicAcls": True,
    "restrictPublicBuckets": True,
}
BUCKET = SampleResource(t.BUCKET, {"bucket": "b"}, "b")
ACCESS_BLOCK = SampleResource(t.BUCKET_PUBLIC_ACCESS, {"bucket": "b", **ALL_BLOCKED}, "block")
NOT_BLOCKED = dict.fromkeys(ALL_BLOCKED, False)

SPECS = (
    PolicySpec(
        ONE_COMPANION,
        good=[BUCKET, ACCESS_BLOCK, SampleResource(t.BUCKET_PUBLIC_ACCESS, {"bucket": "c", **ALL_BLOCKED}, "other")],
        bad=[BUCKET, ACCESS_BLOCK, SampleResource(t.BUCKET_PUBLIC_ACCESS, {"bucket": "b", **NOT_BLOCKED})],
        message_part="the same thing on AWS as block, so AWS refuses one definition or replaces it",
        unknown=[
            BUCKET,
            SampleResource(t.BUCKET_PUBLIC_ACCESS, {"bucket": UNKNOWN}, "other"),
            SampleResource(t.BUCKET_PUBLIC_ACCESS, {"bucket": UNKNOWN}, references={"bucket": ["b"]}),
            ACCESS_BLOCK,
        ],
        undecided=False,
        break_program=insert_resources(
            [SampleResource(t.BUCKET_PUBLIC_ACCESS, {"bucket": LANDING_BUCKET, **NOT_BLOCKED})]
        ),
        also_faulty=["ingestion-landing-public-access-block"],
    ),
)


def contradicting_companions_case(
    policy: str, message_part: str, companions: tuple[str, Props, Props], *other_resources: SampleResource
) -> PolicyCase:
    """Return a case of a bucket with two companions of one type: the type, right properties, and wrong properties."""
    kind, right_props, wrong_props = companions
    first = SampleResource(kind, {"bucket": "b", **right_props}, "c1")
    second = SampleResource(kind, {"bucket": "b", **wrong_props}, "c2")
    return expect_finding(policy, message_part, BUCKET, *other_resources, first, second)


QUEUE = SampleResource(t.QUEUE, {"name": "q"}, "q")
POLICY_WITHOUT_TLS = document(allow("sqs:SendMessage", QUEUE_ARN, Principal={"AWS": ACCOUNT}))
ENCRYPTED = {"rules": [{"applyServerSideEncryptionByDefault": {"sseAlgorithm": "AES256"}}]}
OWNED = {"rule": {"objectOwnership": "BucketOwnerEnforced"}}
VERSIONED = {"versioningConfiguration": {"status": "Enabled"}}
UPLOAD_NOTIFICATION = SampleResource(t.BUCKET_NOTIFICATION, {"bucket": "b"}, "notification")
"""Notification about new objects. It shows that users upload originals, so the bucket needs versioning."""
STAGE = SampleResource(t.REST_STAGE, {"restApi": "a", "stageName": "live"}, "stage")
GOOD_STAGE_SETTINGS = {
    "throttlingRateLimit": 1,
    "throttlingBurstLimit": 1,
    "loggingLevel": "ERROR",
    "metricsEnabled": True,
}
EXPIRING_RULES = {
    "rules": [{"status": "Enabled", "expiration": {"days": 1}, "noncurrentVersionExpiration": {"noncurrentDays": 1}}]
}
FUNCTION = SampleResource(t.FUNCTION, {"name": "f"}, "f")
FAILURE_DESTINATION = {"destinationConfig": {"onFailure": {"destination": "arn:x"}}}


def stage_settings(**settings: object) -> SampleResource:
    """Return settings of all methods of the stage."""
    name = f"settings-{len(settings)}"
    return SampleResource(
        t.REST_METHOD_SETTINGS, {"restApi": "a", "stageName": "live", "methodPath": "*/*", "settings": settings}, name
    )


# AWS keeps the setting of only one of two companions, and it may be the wrong one.
CONTRADICTING_COMPANIONS: tuple[PolicyCase, ...] = (
    contradicting_companions_case(
        "bucket-public-access-blocked",
        "does not enable",
        (t.BUCKET_PUBLIC_ACCESS, ALL_BLOCKED, {**ALL_BLOCKED, "blockPublicPolicy": False}),
    ),
    contradicting_companions_case("bucket-encrypted", "no encryption", (t.BUCKET_ENCRYPTION, ENCRYPTED, {"rules": []})),
    contradicting_companions_case(
        "bucket-tls-only", "plain HTTP", (t.BUCKET_POLICY, {"policy": tls_only()}, {"policy": document()})
    ),
    contradicting_companions_case(
        "bucket-owner-enforced",
        "ObjectWriter",
        (t.BUCKET_OWNERSHIP, OWNED, {"rule": {"objectOwnership": "ObjectWriter"}}),
    ),
    contradicting_companions_case(
        "bucket-originals-versioned",
        "not enabled",
        (t.BUCKET_VERSIONING, VERSIONED, {"versioningConfiguration": {"status": "Suspended"}}),
        UPLOAD_NOTIFICATION,
    ),
    contradicting_companions_case(
        "bucket-objects-expire", "kept for ever", (t.BUCKET_LIFECYCLE, EXPIRING_RULES, {"rules": []})
    ),
    contradicting_companions_case(
        "bucket-old-versions-expire",
        "kept for ever",
        (t.BUCKET_LIFECYCLE, EXPIRING_RULES, {"rules": []}),
        SampleResource(t.BUCKET_VERSIONING, {"bucket": "b", **VERSIONED}, "versioning"),
    ),
    expect_finding(
        "queue-tls-only",
        "plain HTTP",
        QUEUE,
        SampleResource(t.QUEUE_POLICY, {"policy": tls_only(Resource=QUEUE_ARN)}, "p1"),
        SampleResource(t.QUEUE_POLICY, {"policy": POLICY_WITHOUT_TLS}, "p2"),
    ),
    expect_finding(
        "topic-tls-only",
        "plain HTTP",
        SampleResource(t.TOPIC, {"name": "q"}, "q"),
        SampleResource(t.TOPIC_POLICY, {"policy": tls_only(Resource=QUEUE_ARN, Action="sns:Publish")}, "p1"),
        SampleResource(t.TOPIC_POLICY, {"policy": POLICY_WITHOUT_TLS}, "p2"),
    ),
    expect_finding(
        "api-throttled",
        "throttlingRateLimit",
        STAGE,
        stage_settings(**GOOD_STAGE_SETTINGS),
        stage_settings(loggingLevel="ERROR"),
    ),
    expect_finding(
        "api-logged", "loggingLevel", STAGE, stage_settings(**GOOD_STAGE_SETTINGS), stage_settings(loggingLevel="OFF")
    ),
    expect_finding(
        "api-measured",
        "metricsEnabled",
        STAGE,
        stage_settings(**GOOD_STAGE_SETTINGS),
        stage_settings(metricsEnabled=False),
    ),
    expect_finding(
        "async-failure-lands",
        "no failure destination",
        FUNCTION,
        SampleResource(
            t.FUNCTION_ASYNC_CONFIG, {"functionName": "f", "qualifier": "live", **FAILURE_DESTINATION}, "a1"
        ),
        SampleResource(t.FUNCTION_ASYNC_CONFIG, {"functionName": "f", "qualifier": "next"}, "a2"),
    ),
)
CASES: tuple[PolicyCase, ...] = (
    *CONTRADICTING_COMPANIONS,
    # The provider generates the names.
    expect_no_finding(
        ONE_COMPANION, SampleResource(t.ALARM, {"name": UNKNOWN}, "a"), SampleResource(t.ALARM, {"name": UNKNOWN}, "b")
    ),
    expect_finding(
        ONE_COMPANION,
        "The property policy of this resource and the resource sample define the same setting",
        SampleResource(t.QUEUE, {"name": "q", "policy": POLICY_WITHOUT_TLS}, "q"),
        SampleResource(t.QUEUE_POLICY, {"queueUrl": "https://x/q", "policy": POLICY_WITHOUT_TLS}),
    ),
    expect_no_finding(
        ONE_COMPANION,
        SampleResource(t.QUEUE, {"name": "q"}, "q", provider_outputs={"policy": POLICY_WITHOUT_TLS}),
        SampleResource(t.QUEUE_POLICY, {"queueUrl": "https://x/q", "policy": POLICY_WITHOUT_TLS}),
    ),
)

COMPANIONS_OF_LANDING_BUCKET: Mapping[str, tuple[str, Props]] = {
    "public access block": (t.BUCKET_PUBLIC_ACCESS, NOT_BLOCKED),
    "weaker public access block": (t.BUCKET_PUBLIC_ACCESS, {**ALL_BLOCKED, "restrictPublicBuckets": False}),
    "equal public access block": (t.BUCKET_PUBLIC_ACCESS, ALL_BLOCKED),
    "ownership": (t.BUCKET_OWNERSHIP, {"rule": {"objectOwnership": "ObjectWriter"}}),
    "bucket policy": (t.BUCKET_POLICY, {"policy": document()}),
    "encryption": (t.BUCKET_ENCRYPTION, ENCRYPTED),
    "versioning": (t.BUCKET_VERSIONING, {"versioningConfiguration": {"status": "Suspended"}}),
    "lifecycle": (t.BUCKET_LIFECYCLE, EXPIRING_RULES),
    "access log": (t.BUCKET_LOGGING, {"targetBucket": LANDING_BUCKET}),
    "CORS": (t.BUCKET_CORS, {"corsRules": []}),
    "notification": (t.BUCKET_NOTIFICATION, {"queues": []}),
}
SWEEPER = "polyphony-prod-ingestion-sweeper"
"""Name of a function and of its role."""
VIDEO_JOBS_RULE = "polyphony-prod-livestream-video-jobs"
ROLE_POLICY = {"role": SWEEPER, "policy": document()}
"""Properties of an inline policy of a role."""
VARIATIONS: tuple[ProgramVariation, ...] = (
    *found_by(
        ONE_COMPANION,
        *(
            add_resource(f"second {label}", kind, {"bucket": LANDING_BUCKET, **props})
            for label, (kind, props) in COMPANIONS_OF_LANDING_BUCKET.items()
        ),
        add_resource(
            "block by reference", t.BUCKET_PUBLIC_ACCESS, NOT_BLOCKED, references={"bucket": "voice-qa-audio-bucket"}
        ),
        add_resource(
            "block by ARN", t.BUCKET_PUBLIC_ACCESS, {"bucket": f"arn:aws:s3:::{LANDING_BUCKET}", **NOT_BLOCKED}
        ),
        add_resource("role policy of the same name", t.ROLE_POLICY, {**ROLE_POLICY, "name": "grants"}),
        add_resource(
            "role policy by reference",
            t.ROLE_POLICY,
            {"name": "grants", "policy": "{}"},
            references={"role": "ingestion-steps-role"},
        ),
        add_resource(
            "queue policy by URL",
            t.QUEUE_POLICY,
            {
                "queueUrl": f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/polyphony-prod-ingestion-intake",
                "policy": document(),
            },
        ),
        add_resource(
            "queue policy by reference",
            t.QUEUE_POLICY,
            {"policy": document()},
            references={"queueUrl": "ingestion-intake-queue"},
        ),
        add_resource(
            "topic policy by ARN",
            t.TOPIC_POLICY,
            {"arn": f"arn:aws:sns:{REGION}:{ACCOUNT}:polyphony-prod-foundation-alerts", "policy": document()},
        ),
        add_resource(
            "topic policy by reference",
            t.TOPIC_POLICY,
            {"policy": document()},
            references={"arn": "foundation-alerts-topic"},
        ),
        add_resource(
            "settings of a stage",
            t.REST_METHOD_SETTINGS,
            {"stageName": "api", "methodPath": "*/*", "settings": {}},
            references={"restApi": "livestream-api-api"},
        ),
        add_resource("failure destination", t.FUNCTION_ASYNC_CONFIG, {"functionName": SWEEPER, "qualifier": "live"}),
        add_resource(
            "lifecycle of images",
            t.IMAGE_REPOSITORY_LIFECYCLE,
            {"policy": "{}"},
            references={"repository": "meetings-media-images-repository"},
        ),
        add_resource(
            "roles of a pool",
            t.IDENTITY_POOL_ROLES,
            {"roles": {}},
            references={"identityPoolId": "voice-qa-guests-pool"},
        ),
        add_resource("API Gateway's account", t.API_GATEWAY_ACCOUNT, {}),
        add_resource(
            "event target", t.EVENT_TARGET, {"rule": VIDEO_JOBS_RULE, "targetId": "video-jobs", "arn": QUEUE_ARN}
        ),
        change_properties("inline queue policy", "ingestion-intake-queue", {"policy": POLICY_WITHOUT_TLS}),
        change_properties("inline bucket policy", "ingestion-lake-bucket", {"policy": document()}),
        change_properties(
            "inline encryption", "voice-qa-audio-bucket", {"serverSideEncryptionConfiguration": {"rule": {}}}
        ),
        change_properties("inline topic policy", "foundation-alerts-topic", {"policy": POLICY_WITHOUT_TLS}),
        change_properties(
            "inline role policy", "ingestion-steps-role", {"inlinePolicies": [{"name": "x", "policy": json.dumps({})}]}
        ),
        add_resource("bucket of the same name", t.BUCKET, {"bucket": LANDING_BUCKET, "forceDestroy": True}),
        add_resource("queue of the same name", t.QUEUE, {"name": "polyphony-prod-ingestion-intake"}),
        add_resource("topic of the same name", t.TOPIC, {"name": "polyphony-prod-foundation-alerts"}),
        add_resource(
            "alarm of the same name", t.ALARM, {"name": "polyphony-prod-foundation-backup-failed-dlq-critical"}
        ),
        add_resource("second platform", t.PLATFORM, {"account": "999999999999", "environment": "dev"}),
    ),
    # Harmless.
    add_resource("policy of an unknown API", t.REST_POLICY, {"restApiId": UNKNOWN, "policy": "{}"}),
    add_resource("role policy of another name", t.ROLE_POLICY, {**ROLE_POLICY, "name": "polyphony-prod-more"}),
    # The provider generates a unique name.
    add_resource("role policy without a name", t.ROLE_POLICY, ROLE_POLICY),
    add_resource(
        "companion of another bucket", t.BUCKET_CORS, {"bucket": "polyphony-prod-ingestion-lake-123456789012"}
    ),
    add_resource(
        "settings of a method",
        t.REST_METHOD_SETTINGS,
        {"stageName": "api", "methodPath": "x/GET", "settings": {}},
        references={"restApi": "livestream-api-api"},
    ),
    add_resource(
        "second target of a rule",
        t.EVENT_TARGET,
        {"rule": VIDEO_JOBS_RULE, "targetId": "copies", "arn": QUEUE_ARN, "deadLetterConfig": {"arn": QUEUE_ARN}},
    ),
    add_resource(
        "permission of another statement",
        t.FUNCTION_PERMISSION,
        {"function": SWEEPER, "qualifier": "live", "principal": ACCOUNT},
    ),
    add_resource(
        "asynchronous settings of another alias",
        t.FUNCTION_ASYNC_CONFIG,
        {"functionName": SWEEPER, "qualifier": "next", **FAILURE_DESTINATION},
    ),
)
