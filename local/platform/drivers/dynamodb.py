"""Tables."""

from typing import Any

from local.platform.drivers.model import ComputedValue, Driver, DriverCall, ResourceValues, computed_from, from_response


@computed_from("hashKey", "rangeKey")
def key_schema(hash_key: str, range_key: str | None) -> list[dict[str, str]]:
    """The primary key."""
    keys = [{"attributeName": hash_key, "keyType": "HASH"}]
    return keys + ([{"attributeName": range_key, "keyType": "RANGE"}] if range_key else [])


@computed_from("globalSecondaryIndexes")
def indexes(given: list[dict[str, Any]] | None) -> list[dict[str, Any]] | None:
    """The indexes, with their projections in a block of their own."""
    return [
        {
            "indexName": one["name"],
            "keySchema": one["keySchemas"],
            "projection": {
                "projectionType": one["projectionType"],
                **({"nonKeyAttributes": one["nonKeyAttributes"]} if one.get("nonKeyAttributes") else {}),
            },
        }
        for one in given or ()
    ] or None


@computed_from("serverSideEncryption")
def encryption(given: dict[str, Any] | None) -> dict[str, Any] | None:
    """A customer key, or the one that DynamoDB owns."""
    if not given:
        return None
    if not given["enabled"]:
        return {"enabled": False}
    return {"enabled": True, "sseType": "KMS", "kmsMasterKeyId": given["kmsKeyArn"]}


def _recovery(known: ResourceValues) -> Any:
    return known["pointInTimeRecovery"]["enabled"]


TTL = DriverCall("UpdateTimeToLive", {"TableName": "name", "TimeToLiveSpecification": "ttl"}, when="ttl")
RECOVERY = DriverCall(
    "UpdateContinuousBackups",
    {
        "TableName": "name",
        "PointInTimeRecoverySpecification.PointInTimeRecoveryEnabled": ComputedValue(
            _recovery, ("pointInTimeRecovery",)
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
                    "SSESpecification": encryption,
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
            DriverCall("UpdateTable", {"TableName": "name", "SSESpecification": encryption}),
            DriverCall("TagResource", {"ResourceArn": "arn", "Tags": "tags"}),
            TTL,
            RECOVERY,
        ),
        delete=(DriverCall("DeleteTable", {"TableName": "name"}),),
        id="name",
        outputs={"arn": from_response("CreateTable", "TableDescription.TableArn")},
    ),
)
