"""Driver of DynamoDB tables: the API calls that create, update and delete them."""

from typing import Any

from local.drivers.model import (
    Driver,
    DriverCall,
    computed_from,
    from_response,
)


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
                    "OnDemandThroughput": "onDemandThroughput",
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
            DriverCall(
                "UpdateTable",
                {"TableName": "name", "OnDemandThroughput": "onDemandThroughput"},
                when="onDemandThroughput",
            ),
            UPDATE_TTL,
            UPDATE_RECOVERY,
        ),
        delete=(DriverCall("DeleteTable", {"TableName": "name"}),),
        id="name",
        outputs={"arn": from_response("CreateTable", "TableDescription.TableArn")},
    ),
)
