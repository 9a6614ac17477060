"""Buckets: private, encrypted, TLS only, logged, with a lifecycle."""

import json

import pytest

from components.blocks.messaging.queue import Queue, QueueArgs
from components.blocks.storage.bucket import Bucket, BucketArgs, LifecycleRule, QueueNotification
from tests.fake_engine import Engine, Recorded, foundation_settings, scope

NAME = "polyphony-test-ingestion-landing-123456789012"


def bucket(engine: Engine, **changes: object) -> Recorded:
    args = BucketArgs(**{"scope": scope(), "logical_name": "Landing", **changes})  # type: ignore[arg-type]
    return engine.run(lambda: Bucket("landing", args))


def test_a_bucket_is_private_encrypted_and_owned(engine: Engine) -> None:
    recorded = bucket(engine)
    block = recorded.one("s3.BucketPublicAccessBlock").inputs
    assert all(
        block[key] for key in ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")
    )
    (rule,) = recorded.one("s3.BucketServerSideEncryptionConfiguration").inputs["rules"]
    assert rule["applyServerSideEncryptionByDefault"]["sseAlgorithm"] == "AES256"
    assert recorded.one("s3.BucketOwnershipControls").inputs["rule"]["objectOwnership"] == "BucketOwnerEnforced"


def test_plain_http_is_refused(engine: Engine) -> None:
    (deny,) = json.loads(bucket(engine).one("s3.BucketPolicy").inputs["policy"])["Statement"]
    assert (deny["Effect"], deny["Resource"]) == ("Deny", [f"arn:aws:s3:::{NAME}", f"arn:aws:s3:::{NAME}/*"])
    assert deny["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_every_lifecycle_rule_has_a_filter_and_abandoned_uploads_end(engine: Engine) -> None:
    recorded = bucket(
        engine, lifecycle=[LifecycleRule("old", "incoming/", 90, 30), LifecycleRule("tier", "", None, None, 0)]
    )
    abort, old, tier = recorded.one("s3.BucketLifecycleConfiguration").inputs["rules"]
    assert abort["abortIncompleteMultipartUpload"] == {"daysAfterInitiation": 1}
    assert abort["filter"] == {"prefix": ""}
    assert old["filter"] == {"prefix": "incoming/"}
    assert (old["expiration"], old["noncurrentVersionExpiration"]) == ({"days": 90}, {"noncurrentDays": 30})
    assert tier["transitions"] == [{"days": 0, "storageClass": "INTELLIGENT_TIERING"}]


def test_access_is_logged_below_the_buckets_own_name(engine: Engine) -> None:
    logging = bucket(engine).one("s3.BucketLogging").inputs
    assert logging["targetBucket"] == "polyphony-test-foundation-audit-logs-123456789012"
    assert logging["targetPrefix"] == f"logs/s3-access/{NAME}/"


def test_the_audit_bucket_logs_to_nobody(engine: Engine) -> None:
    assert bucket(engine, access_logged=False).all("s3.BucketLogging") == []


def test_a_notification_waits_for_the_queues_permission(engine: Engine) -> None:
    def program() -> None:
        queue = Queue("intake", QueueArgs(scope(), "Intake", consumer_timeout_seconds=60))
        Bucket(
            "landing", BucketArgs(scope(), "Landing", notify=[QueueNotification(queue, "incoming/")], event_bridge=True)
        )

    recorded = engine.run(program)
    notification = recorded.one("s3.BucketNotification")
    assert recorded.one("sqs.QueuePolicy", "intake-policy") in list(recorded.ancestors(notification))
    assert notification.inputs["eventbridge"] is True
    (to,) = notification.inputs["queues"]
    assert to["events"] == ["s3:ObjectCreated:*"]  # not Put alone: multipart uploads complete by another event
    assert to["filterPrefix"] == "incoming/"


@pytest.mark.parametrize("protected", [True, False])
def test_objects_are_removed_with_the_bucket_only_where_nothing_is_protected(engine: Engine, protected: bool) -> None:
    loose = scope(foundation=foundation_settings(data={"deletionProtection": protected}))
    assert bucket(engine, scope=loose).one("s3.Bucket").inputs["forceDestroy"] is not protected
