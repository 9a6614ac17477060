"""Tables."""

from typing import Any

from local.platform.drivers.model import Call, Driver, Known, Made, answered, made


@made("hashKey", "rangeKey")
def key_schema(hash_key: str, range_key: str | None) -> list[dict[str, str]]:
    """The primary key."""
    keys = [{"attributeName": hash_key, "keyType": "HASH"}]
    return keys + ([{"attributeName": range_key, "keyType": "RANGE"}] if range_key else [])


@made("globalSecondaryIndexes")
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


@made("serverSideEncryption")
def encryption(given: dict[str, Any] | None) -> dict[str, Any] | None:
    """A customer key, or the one that DynamoDB owns."""
    if not given:
        return None
    if not given["enabled"]:
        return {"enabled": False}
    return {"enabled": True, "sseType": "KMS", "kmsMasterKeyId": given["kmsKeyArn"]}


def _recovery(known: Known) -> Any:
    return known["pointInTimeRecovery"]["enabled"]


TTL = Call("UpdateTimeToLive", {"TableName": "name", "TimeToLiveSpecification": "ttl"}, when="ttl")
RECOVERY = Call(
    "UpdateContinuousBackups",
    {
        "TableName": "name",
        "PointInTimeRecoverySpecification.PointInTimeRecoveryEnabled": Made(_recovery, ("pointInTimeRecovery",)),
    },
    when="pointInTimeRecovery",
)

DRIVERS = (
    Driver(
        type="aws:dynamodb/table:Table",
        service="dynamodb",
        create=(
            Call(
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
            Call("UpdateTable", {"TableName": "name", "DeletionProtectionEnabled": "deletionProtectionEnabled"}),
            Call("UpdateTable", {"TableName": "name", "SSESpecification": encryption}),
            Call("TagResource", {"ResourceArn": "arn", "Tags": "tags"}),
            TTL,
            RECOVERY,
        ),
        delete=(Call("DeleteTable", {"TableName": "name"}),),
        id="name",
        outputs={"arn": answered("CreateTable", "TableDescription.TableArn")},
    ),
)
