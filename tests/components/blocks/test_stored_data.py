"""Tests of buckets and tables: logic of their policies, indexes, keys and notifications."""

import json
from functools import partial
from typing import Any

from components.blocks.bucket import Bucket, QueueNotification
from components.blocks.iam import Grant, policy_documents
from components.blocks.queue import Queue
from components.blocks.table import SecondaryIndex, Table
from tests.fake_engine import Engine, scope

INDEXES = (
    SecondaryIndex("GSI1", "gsi1pk", "gsi1sk"),
    SecondaryIndex("open", "shard", "since", projected_attributes=["status"]),
)


def test_uploads_by_users_may_be_accelerated_and_may_not_name_a_kms_key(engine: Engine) -> None:
    recorded = engine.run(
        lambda: Bucket(scope(), "landing", display_name="Landing", upload_prefix="incoming/", accelerated=True)
    )
    assert recorded.one("s3.BucketAccelerateConfiguration").inputs["status"] == "Enabled"
    _, deny = json.loads(recorded.one("s3.BucketPolicy").inputs["policy"])["Statement"]
    objects = "arn:aws:s3:::polyphony-test-ingestion-landing-123456789012/incoming/*"
    assert (deny["Effect"], deny["Principal"], deny["Resource"]) == ("Deny", "*", objects)
    assert set(deny["Action"]) == {"s3:PutObject", "s3:ReplicateObject", "s3:UpdateObjectEncryption"}
    # The condition key exists only if the request names a KMS key, so other requests are not affected.
    assert deny["Condition"] == {"Null": {"s3:x-amz-server-side-encryption-aws-kms-key-id": "false"}}


def test_a_notification_is_created_after_the_queue_policy(engine: Engine) -> None:
    def program() -> None:
        queue = Queue(scope(), "intake", display_name="Intake", consumer_timeout=60)
        Bucket(scope(), "landing", display_name="Landing", notify=QueueNotification(queue, "incoming/"))

    recorded = engine.run(program)
    notification = recorded.one("s3.BucketNotification")
    assert recorded.one("sqs.QueuePolicy", "intake-policy") in list(recorded.ancestors(notification))
    [to_queue] = notification.inputs["queues"]
    assert to_queue["events"] == ["s3:ObjectCreated:*"], "multipart uploads complete without the event `Put`"
    assert to_queue["filterPrefix"] == "incoming/"


def create_table(**changes: Any) -> Table:
    return Table(scope(), "files", display_name="Files", hash_key="pk", ttl_attribute="ttl", **changes)


def test_a_table_declares_its_key_attributes_once_and_copies_all_or_some_others(engine: Engine) -> None:
    program = partial(create_table, range_key="gsi1pk", indexes=INDEXES)
    table = engine.run(program).one("dynamodb.Table").inputs
    assert table["attributes"] == [{"name": name, "type": "S"} for name in ("pk", "gsi1pk", "gsi1sk", "shard", "since")]
    indexes = table["globalSecondaryIndexes"]
    assert [index["projectionType"] for index in indexes] == ["ALL", "INCLUDE"]
    assert indexes[1]["nonKeyAttributes"] == ["status"]
    assert table["serverSideEncryption"] == {"enabled": False}, "without it, the provider would keep an earlier key"
    assert table["ttl"] == {"attributeName": "ttl", "enabled": True}
    assert "Backup" not in table["tags"]


def test_a_grant_on_a_table_includes_its_kms_key_for_use_through_dynamodb_only(engine: Engine) -> None:
    key = "arn:aws:kms:us-east-1:123456789012:key/0f3c1a5e-7d42-4b8e-9a61-2c5d8e7f9b10"
    grants: list[Grant] = []

    def program() -> None:
        table = create_table(kms_key_arn=key)
        limited = table.grant("GetItem").with_conditions({"Null": {"dynamodb:LeadingKeys": "false"}})
        grants.extend([limited, table.grant("GetItem", "PutItem")])

    engine.run(program)
    read, write = (set(grant.companions[0].actions) for grant in grants)
    assert read == {"kms:Decrypt", "kms:DescribeKey"}
    assert write > {*read, "kms:Encrypt", "kms:GenerateDataKey"}
    for grant in grants:
        [text] = policy_documents([grant])
        [statement] = [part for part in json.loads(str(text))["Statement"] if part["Resource"] == [key]]
        assert statement["Condition"] == {"StringEquals": {"kms:ViaService": "dynamodb.us-east-1.amazonaws.com"}}
