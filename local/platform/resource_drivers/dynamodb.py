"""Driver of DynamoDB tables: the API calls that create, update, read and delete them."""

from collections.abc import Callable
from typing import Any

from local.platform.driver_model.driver import (
    Driver,
    DriverCall,
    ReadCall,
    computed_from,
    from_response,
    read_tags,
)
from local.preview.property_value_conversion import Props


@computed_from("hashKey", "rangeKey")
def key_schema(hash_key: str, range_key: str | None) -> list[dict[str, str]]:
    """Return the table's primary key in CreateTable's form."""
    keys = [{"attributeName": hash_key, "keyType": "HASH"}]
    return keys + ([{"attributeName": range_key, "keyType": "RANGE"}] if range_key else [])


@computed_from("globalSecondaryIndexes")
def indexes(given: list[dict[str, Any]] | None) -> list[dict[str, Any]] | None:
    """Return the global secondary indexes in CreateTable's form, in which the projection is an object."""
    return [
        {
            "indexName": index["name"],
            "keySchema": index["keySchemas"],
            "projection": {
                "projectionType": index["projectionType"],
                **({"nonKeyAttributes": index["nonKeyAttributes"]} if index.get("nonKeyAttributes") else {}),
            },
        }
        for index in given or ()
    ] or None


@computed_from("serverSideEncryption")
def encryption_specification(given: dict[str, Any] | None) -> dict[str, Any] | None:
    """Return the encryption in CreateTable's form. If it is not enabled, DynamoDB encrypts with a key that it owns."""
    if not given:
        return None
    if not given["enabled"]:
        return {"enabled": False}
    return {"enabled": True, "sseType": "KMS", "kmsMasterKeyId": given["kmsKeyArn"]}


def _key_of_type(key_type: str) -> Callable[[Props], str | None]:
    """Return a function that returns the name of a table's `HASH` or `RANGE` key."""
    return lambda table: next((key["AttributeName"] for key in table["KeySchema"] if key["KeyType"] == key_type), None)


def _current_indexes(table: Props) -> list[Props]:
    """Return the global secondary indexes in Pulumi's form."""
    return [
        {
            "name": index["IndexName"],
            "keySchemas": [
                {"attributeName": key["AttributeName"], "keyType": key["KeyType"]} for key in index["KeySchema"]
            ],
            "projectionType": index["Projection"]["ProjectionType"],
            "nonKeyAttributes": index["Projection"].get("NonKeyAttributes", []),
        }
        for index in table.get("GlobalSecondaryIndexes", ())
    ]


def _current_encryption(table: Props) -> Props:
    """Return the encryption in Pulumi's form. If DynamoDB owns the key, the encryption counts as not enabled."""
    description = table.get("SSEDescription", {})
    if description.get("Status") not in {"ENABLED", "ENABLING", "UPDATING"}:
        return {"enabled": False}
    return {"enabled": True, "kmsKeyArn": description.get("KMSMasterKeyArn")}


def _current_expiry(description: Props) -> Props:
    """Return the time to live (TTL) in Pulumi's form. The service omits the attribute's name if TTL is disabled."""
    enabled = description.get("TimeToLiveStatus") in {"ENABLED", "ENABLING"}
    return {"enabled": enabled, "attributeName": description.get("AttributeName")}


def _current_recovery(description: Props) -> Props:
    """Return the point-in-time recovery in Pulumi's form."""
    return {"enabled": description.get("PointInTimeRecoveryStatus") in {"ENABLED", "ENABLING"}}


UPDATE_TTL = DriverCall("UpdateTimeToLive", {"TableName": "name", "TimeToLiveSpecification": "ttl"}, when="ttl")
UPDATE_RECOVERY = DriverCall(
    "UpdateContinuousBackups",
    {"TableName": "name", "PointInTimeRecoverySpecification": "pointInTimeRecovery"},
    when="pointInTimeRecovery",
    nested_renames={"enabled": "PointInTimeRecoveryEnabled"},
)

DRIVERS = (
    Driver(
        type="aws:dynamodb/table:Table",
        service="dynamodb",
        create=(
            DriverCall(
                "CreateTable",
                {
                    "TableName": "name",
                    "KeySchema": key_schema,
                    "AttributeDefinitions": "attributes",
                    "BillingMode": "billingMode",
                    "GlobalSecondaryIndexes": indexes,
                    "SSESpecification": encryption_specification,
                    "DeletionProtectionEnabled": "deletionProtectionEnabled",
                    "Tags": "tags",
                },
                nested_renames={"name": "attributeName", "type": "attributeType"},
            ),
            UPDATE_TTL,
            UPDATE_RECOVERY,
        ),
        update=(
            DriverCall("UpdateTable", {"TableName": "name", "DeletionProtectionEnabled": "deletionProtectionEnabled"}),
            DriverCall("UpdateTable", {"TableName": "name", "SSESpecification": encryption_specification}),
            DriverCall("TagResource", {"ResourceArn": "arn", "Tags": "tags"}),
            UPDATE_TTL,
            UPDATE_RECOVERY,
        ),
        delete=(DriverCall("DeleteTable", {"TableName": "name"}),),
        id="name",
        outputs={"arn": from_response("CreateTable", "TableDescription.TableArn")},
        read=(
            ReadCall(
                "DescribeTable",
                {"TableName": "name"},
                "Table",
                values_in_result={
                    "hashKey": _key_of_type("HASH"),
                    "rangeKey": _key_of_type("RANGE"),
                    "billingMode": "BillingModeSummary.BillingMode",
                    "globalSecondaryIndexes": _current_indexes,
                    "serverSideEncryption": _current_encryption,
                },
                returned_only_if_set=("globalSecondaryIndexes",),
            ),
            ReadCall(
                "DescribeTimeToLive",
                {"TableName": "name"},
                "TimeToLiveDescription",
                values_in_result={"ttl": _current_expiry},
            ),
            ReadCall(
                "DescribeContinuousBackups",
                {"TableName": "name"},
                "ContinuousBackupsDescription.PointInTimeRecoveryDescription",
                values_in_result={"pointInTimeRecovery": _current_recovery},
            ),
            read_tags("ListTagsOfResource", {"ResourceArn": "arn"}),
        ),
    ),
)
