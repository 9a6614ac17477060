"""Tests of buckets: their protection settings, lifecycle rules, logs and notifications."""

import json

import pytest

from components.blocks.messaging.queue import Queue, QueueArgs
from components.blocks.storage.bucket import Bucket, BucketArgs, LifecycleRule, QueueNotification
from tests.fake_engine import Engine, Recorded, foundation_settings, scope

NAME = "polyphony-test-ingestion-landing-123456789012"


def register_bucket(engine: Engine, **changes: object) -> Recorded:
    args = BucketArgs(**{"scope": scope(), "display_name": "Landing", **changes})  # type: ignore[arg-type]
    return engine.run(lambda: Bucket("landing", args))


def test_a_bucket_is_private_and_encrypted_and_owns_its_objects(engine: Engine) -> None:
    recorded = register_bucket(engine)
    block = recorded.one("s3.BucketPublicAccessBlock").inputs
    assert all(
        block[key] for key in ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")
    )
    (rule,) = recorded.one("s3.BucketServerSideEncryptionConfiguration").inputs["rules"]
    assert rule["applyServerSideEncryptionByDefault"]["sseAlgorithm"] == "AES256"
    assert recorded.one("s3.BucketOwnershipControls").inputs["rule"]["objectOwnership"] == "BucketOwnerEnforced"


def test_plain_http_is_refused(engine: Engine) -> None:
    (deny,) = json.loads(register_bucket(engine).one("s3.BucketPolicy").inputs["policy"])["Statement"]
    assert (deny["Effect"], deny["Resource"]) == ("Deny", [f"arn:aws:s3:::{NAME}", f"arn:aws:s3:::{NAME}/*"])
    assert deny["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_uploads_by_users_may_not_name_a_kms_key(engine: Engine) -> None:
    policy = json.loads(register_bucket(engine, upload_prefix="incoming/").one("s3.BucketPolicy").inputs["policy"])
    _, deny = policy["Statement"]
    assert (deny["Effect"], deny["Principal"], deny["Resource"]) == ("Deny", "*", f"arn:aws:s3:::{NAME}/incoming/*")
    assert set(deny["Action"]) == {"s3:PutObject", "s3:ReplicateObject", "s3:UpdateObjectEncryption"}
    # The condition key exists only if the request names a KMS key, so other requests are not affected.
    assert deny["Condition"] == {"Null": {"s3:x-amz-server-side-encryption-aws-kms-key-id": "false"}}


def test_every_lifecycle_rule_has_a_filter_and_incomplete_uploads_are_aborted(engine: Engine) -> None:
    rules = [
        LifecycleRule("old", "incoming/", expire_days=90, old_version_days=30),
        LifecycleRule("tier", intelligent_tiering_days=0),
    ]
    recorded = register_bucket(engine, lifecycle=rules)
    abort, old, tier = recorded.one("s3.BucketLifecycleConfiguration").inputs["rules"]
    assert abort["abortIncompleteMultipartUpload"] == {"daysAfterInitiation": 1}
    assert abort["filter"] == {"prefix": ""}
    assert old["filter"] == {"prefix": "incoming/"}
    assert (old["expiration"], old["noncurrentVersionExpiration"]) == ({"days": 90}, {"noncurrentDays": 30})
    assert tier["transitions"] == [{"days": 0, "storageClass": "INTELLIGENT_TIERING"}]


def test_access_logs_are_stored_below_the_buckets_name(engine: Engine) -> None:
    logging = register_bucket(engine).one("s3.BucketLogging").inputs
    assert logging["targetBucket"] == "polyphony-test-foundation-audit-logs-123456789012"
    assert logging["targetPrefix"] == f"logs/s3-access/{NAME}/"


def test_access_logs_can_be_disabled_for_the_bucket_that_stores_them(engine: Engine) -> None:
    assert register_bucket(engine, access_logged=False).all("s3.BucketLogging") == []


def test_a_notification_is_created_after_the_queue_policy(engine: Engine) -> None:
    def program() -> None:
        queue = Queue("intake", QueueArgs(scope(), "Intake", consumer_timeout_seconds=60))
        Bucket(
            "landing", BucketArgs(scope(), "Landing", notify=[QueueNotification(queue, "incoming/")], event_bridge=True)
        )

    recorded = engine.run(program)
    notification = recorded.one("s3.BucketNotification")
    assert recorded.one("sqs.QueuePolicy", "intake-policy") in list(recorded.ancestors(notification))
    assert notification.inputs["eventbridge"] is True
    (queue_notification,) = notification.inputs["queues"]
    # Not only `Put`, because multipart uploads complete with another event.
    assert queue_notification["events"] == ["s3:ObjectCreated:*"]
    assert queue_notification["filterPrefix"] == "incoming/"


@pytest.mark.parametrize("protected", [True, False])
def test_objects_are_deleted_with_the_bucket_only_without_deletion_protection(engine: Engine, protected: bool) -> None:
    bucket_scope = scope(foundation=foundation_settings(data={"deletionProtection": protected}))
    assert register_bucket(engine, scope=bucket_scope).one("s3.Bucket").inputs["forceDestroy"] is not protected
