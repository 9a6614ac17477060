"""Driver of DynamoDB tables.

A driver lists the calls that create, change and delete one resource type on the emulator.
"""

from typing import Any

from local.platform.driver_model.driver import (
    ComputedValue,
    Driver,
    DriverCall,
    ResourceValues,
    computed_from,
    from_response,
)


@computed_from("hashKey", "rangeKey")
def key_schema(hash_key: str, range_key: str | None) -> list[dict[str, str]]:
    """Return the primary key."""
    keys = [{"attributeName": hash_key, "keyType": "HASH"}]
    return keys + ([{"attributeName": range_key, "keyType": "RANGE"}] if range_key else [])


@computed_from("globalSecondaryIndexes")
def indexes(given: list[dict[str, Any]] | None) -> list[dict[str, Any]] | None:
    """Return the global secondary indexes in the form of CreateTable, which has the projection in an object of its
    own.
    """
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
    """Return the encryption with a customer-managed key, or with the key that DynamoDB owns."""
    if not given:
        return None
    if not given["enabled"]:
        return {"enabled": False}
    return {"enabled": True, "sseType": "KMS", "kmsMasterKeyId": given["kmsKeyArn"]}


def _is_recovery_enabled(values: ResourceValues) -> Any:
    return values["pointInTimeRecovery"]["enabled"]


TTL = DriverCall("UpdateTimeToLive", {"TableName": "name", "TimeToLiveSpecification": "ttl"}, when="ttl")
RECOVERY = DriverCall(
    "UpdateContinuousBackups",
    {
        "TableName": "name",
        "PointInTimeRecoverySpecification.PointInTimeRecoveryEnabled": ComputedValue(
            _is_recovery_enabled, ("pointInTimeRecovery",)
        ),
    },
    when="pointInTimeRecovery",
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
                renames={"name": "attributeName", "type": "attributeType"},
            ),
            TTL,
            RECOVERY,
        ),
        update=(
            DriverCall("UpdateTable", {"TableName": "name", "DeletionProtectionEnabled": "deletionProtectionEnabled"}),
            DriverCall("UpdateTable", {"TableName": "name", "SSESpecification": encryption_specification}),
            DriverCall("TagResource", {"ResourceArn": "arn", "Tags": "tags"}),
            TTL,
            RECOVERY,
        ),
        delete=(DriverCall("DeleteTable", {"TableName": "name"}),),
        id="name",
        outputs={"arn": from_response("CreateTable", "TableDescription.TableArn")},
    ),
)
