"""Tables: on demand, expiring, protected and backed up as the settings say."""

import json

import pytest

from components.blocks.iam.grant import Grant, policy_documents
from components.blocks.storage.table import SecondaryIndex, Table, TableArgs
from local.preview.property_values import Props
from tests.fake_engine import Engine, foundation_settings, scope

INDEXES = (
    SecondaryIndex("GSI1", "gsi1pk", "gsi1sk"),
    SecondaryIndex("open", "shard", projected_attributes=["status"]),
    SecondaryIndex("keys", "shard", projected_attributes=[]),
)


def inputs(engine: Engine, args: TableArgs) -> Props:
    return engine.run(lambda: Table("files", args)).one("dynamodb.Table").inputs


def args(**changes: object) -> TableArgs:
    return TableArgs(**{"scope": scope(), "logical_name": "Files", "hash_key": "pk", **changes})  # type: ignore[arg-type]


def test_every_key_is_declared_once_and_nothing_else_is(engine: Engine) -> None:
    found = inputs(engine, args(range_key="gsi1pk", indexes=INDEXES, number_keys=["gsi1sk"]))
    assert found["attributes"] == [
        {"name": "pk", "type": "S"},
        {"name": "gsi1pk", "type": "S"},
        {"name": "gsi1sk", "type": "N"},
        {"name": "shard", "type": "S"},
    ]


def test_an_index_copies_all_some_or_no_attributes(engine: Engine) -> None:
    found = inputs(engine, args(indexes=INDEXES))["globalSecondaryIndexes"]
    assert [one["projectionType"] for one in found] == ["ALL", "INCLUDE", "KEYS_ONLY"]
    assert [len(one["keySchemas"]) for one in found] == [2, 1, 1], "a range only where it is given one"
    assert found[1]["nonKeyAttributes"] == ["status"]


def test_a_table_is_paid_by_use_and_protected_by_default(engine: Engine) -> None:
    found = inputs(engine, args(ttl_attribute="ttl"))
    assert found["billingMode"] == "PAY_PER_REQUEST"
    assert found["deletionProtectionEnabled"] is True
    assert found["pointInTimeRecovery"] == {"enabled": True}
    assert found["ttl"] == {"attributeName": "ttl", "enabled": True}
    assert "ttl" not in inputs(engine, args())
    assert found["serverSideEncryption"] == {"enabled": False}, "left out, a customer key that was there would stay"


def test_a_stack_may_give_up_protection(engine: Engine) -> None:
    loose = scope(foundation=foundation_settings(data={"deletionProtection": False, "pointInTimeRecovery": False}))
    found = inputs(engine, args(scope=loose))
    assert found["deletionProtectionEnabled"] is False
    assert found["pointInTimeRecovery"] == {"enabled": False}


def test_a_table_is_tagged_for_its_own_stacks_backups_unless_it_says_why_not(engine: Engine) -> None:
    assert inputs(engine, args())["tags"]["Backup"] == "polyphony-test-daily"
    assert inputs(engine, args(no_backup_reason="it can be made again"))["tags"]["Backup"] == "none"


def test_a_grant_names_the_table_or_one_of_its_indexes(engine: Engine) -> None:
    grants: list[str] = []

    def program() -> None:
        table = Table("files", args(indexes=INDEXES))
        grants.append(str(table.grant("PutItem").resources[0]))
        grants.append(str(table.grant("Query", index="GSI1").resources[0]))
        with pytest.raises(ValueError, match="has no index 'GSI9'"):
            table.grant("Query", index="GSI9")

    engine.run(program)
    arn = "arn:aws:dynamodb:us-east-1:123456789012:table/polyphony-test-ingestion-files"
    assert grants == [arn, f"{arn}/index/GSI1"]


def test_whoever_may_use_a_table_may_use_its_key_through_it_and_no_more(engine: Engine) -> None:
    key = "arn:aws:kms:us-east-1:123456789012:key/0f3c1a5e-7d42-4b8e-9a61-2c5d8e7f9b10"
    found: dict[str, Grant] = {}

    def program() -> None:
        table = Table("files", args(indexes=INDEXES, kms_key_arn=key))
        found["read"] = table.grant("GetItem").with_conditions({"Null": {"dynamodb:LeadingKeys": "false"}})
        found["list"] = table.grant("Query", index="GSI1")
        found["write"] = table.grant("GetItem", "PutItem")
        found["open"] = Table("open", args()).grant("PutItem")

    engine.run(program)
    assert found["open"].companions == (), "the key that DynamoDB owns asks nobody"
    uses = {name: set(one.companions[0].actions) for name, one in found.items() if one.companions}
    assert uses["read"] == uses["list"] == {"kms:Decrypt", "kms:DescribeKey"}
    assert uses["write"] > uses["read"]
    assert {"kms:Encrypt", "kms:GenerateDataKey"} < uses["write"]
    for name in uses:
        [text] = policy_documents([found[name]])
        statements = json.loads(str(text))["Statement"]
        [about_key] = [one for one in statements if one["Resource"] == [key]]
        assert about_key["Condition"] == {"StringEquals": {"kms:ViaService": "dynamodb.us-east-1.amazonaws.com"}}
