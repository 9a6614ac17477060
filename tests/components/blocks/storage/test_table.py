"""Tests of tables: keys, indexes, protection, backup tags and grants."""

import json

import pytest

from components.blocks.iam.grant import Grant, policy_documents
from components.blocks.storage.table import SecondaryIndex, Table, TableArgs
from local.preview.property_value_conversion import Props
from tests.fake_engine import Engine, foundation_settings, scope

INDEXES = (
    SecondaryIndex("GSI1", "gsi1pk", "gsi1sk"),
    SecondaryIndex("open", "shard", projected_attributes=["status"]),
    SecondaryIndex("keys", "shard", projected_attributes=[]),
)


def table_inputs(engine: Engine, args: TableArgs) -> Props:
    return engine.run(lambda: Table("files", args)).one("dynamodb.Table").inputs


def args(**changes: object) -> TableArgs:
    return TableArgs(**{"scope": scope(), "display_name": "Files", "hash_key": "pk", **changes})  # type: ignore[arg-type]


def test_exactly_the_key_attributes_are_declared_once(engine: Engine) -> None:
    table = table_inputs(engine, args(range_key="gsi1pk", indexes=INDEXES))
    assert table["attributes"] == [
        {"name": "pk", "type": "S"},
        {"name": "gsi1pk", "type": "S"},
        {"name": "gsi1sk", "type": "S"},
        {"name": "shard", "type": "S"},
    ]


def test_an_index_copies_all_some_or_no_attributes(engine: Engine) -> None:
    indexes = table_inputs(engine, args(indexes=INDEXES))["globalSecondaryIndexes"]
    assert [index["projectionType"] for index in indexes] == ["ALL", "INCLUDE", "KEYS_ONLY"]
    assert [len(index["keySchemas"]) for index in indexes] == [2, 1, 1], "only an index with a range key has two keys"
    assert indexes[1]["nonKeyAttributes"] == ["status"]


def test_a_table_has_on_demand_billing_and_protection_by_default(engine: Engine) -> None:
    table = table_inputs(engine, args(ttl_attribute="ttl"))
    assert table["billingMode"] == "PAY_PER_REQUEST"
    assert table["deletionProtectionEnabled"] is True
    assert table["pointInTimeRecovery"] == {"enabled": True}
    assert table["ttl"] == {"attributeName": "ttl", "enabled": True}
    assert "ttl" not in table_inputs(engine, args())
    assert table["serverSideEncryption"] == {"enabled": False}, (
        "without the block, the provider would keep a customer managed key"
    )


def test_a_stack_may_disable_protection(engine: Engine) -> None:
    unprotected_scope = scope(
        foundation=foundation_settings(data={"deletionProtection": False, "pointInTimeRecovery": False})
    )
    table = table_inputs(engine, args(scope=unprotected_scope))
    assert table["deletionProtectionEnabled"] is False
    assert table["pointInTimeRecovery"] == {"enabled": False}


def test_a_table_has_its_stacks_backup_tag_unless_it_has_a_reason_for_no_backup(engine: Engine) -> None:
    assert table_inputs(engine, args())["tags"]["Backup"] == "polyphony-test-daily"
    assert table_inputs(engine, args(no_backup_reason="it can be rebuilt"))["tags"]["Backup"] == "none"


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


def test_a_grant_on_a_table_includes_its_kms_key_for_use_through_dynamodb_only(engine: Engine) -> None:
    key = "arn:aws:kms:us-east-1:123456789012:key/0f3c1a5e-7d42-4b8e-9a61-2c5d8e7f9b10"
    grants: dict[str, Grant] = {}

    def program() -> None:
        table = Table("files", args(indexes=INDEXES, kms_key_arn=key))
        grants["read"] = table.grant("GetItem").with_conditions({"Null": {"dynamodb:LeadingKeys": "false"}})
        grants["list"] = table.grant("Query", index="GSI1")
        grants["write"] = table.grant("GetItem", "PutItem")
        grants["without key"] = Table("other", args()).grant("PutItem")

    engine.run(program)
    assert grants["without key"].companions == (), "the key that DynamoDB owns needs no grant"
    key_actions = {name: set(grant.companions[0].actions) for name, grant in grants.items() if grant.companions}
    assert key_actions["read"] == key_actions["list"] == {"kms:Decrypt", "kms:DescribeKey"}
    assert key_actions["write"] > {*key_actions["read"], "kms:Encrypt", "kms:GenerateDataKey"}
    for name in key_actions:
        [text] = policy_documents([grants[name]])
        statements = json.loads(str(text))["Statement"]
        [key_statement] = [statement for statement in statements if statement["Resource"] == [key]]
        assert key_statement["Condition"] == {"StringEquals": {"kms:ViaService": "dynamodb.us-east-1.amazonaws.com"}}
