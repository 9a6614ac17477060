"""Drivers of S3 buckets and objects, DynamoDB tables, the Glue catalog and Athena workgroups.

In Pulumi, a bucket setting such as the versioning is a resource of its own.
"""

from collections.abc import Mapping
from typing import Any

from local.drivers.model import (
    ContentDeletion,
    Driver,
    DriverCall,
    Source,
    computed_from,
    constant,
    from_response,
    from_template,
)
from local.property_values import Asset, Props


@computed_from("queues", "eventbridge")
def notifications(queues: list[dict[str, Any]] | None, eventbridge: bool | None) -> dict[str, Any]:
    """Return the notification configuration of a bucket in the API's form. It covers queues and EventBridge."""
    configuration: dict[str, Any] = {}
    if queues:
        configuration["QueueConfigurations"] = [
            {
                "QueueArn": queue["queueArn"],
                "Events": queue["events"],
                "Filter": {
                    "Key": {
                        "FilterRules": [
                            {"Name": name, "Value": queue[key]}
                            for name, key in (("prefix", "filterPrefix"), ("suffix", "filterSuffix"))
                            if queue.get(key)
                        ]
                    }
                },
            }
            for queue in queues
        ]
    if eventbridge:
        configuration["EventBridgeConfiguration"] = {}
    return configuration


@computed_from("hashKey", "rangeKey")
def key_schema(hash_key: str, range_key: str | None) -> list[dict[str, str]]:
    """Return a table's primary key in CreateTable's form."""
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


def delete_all_versions(client: Any, params: Props) -> None:
    """Delete every version and every delete marker of a bucket's objects."""
    for page in client.get_paginator("list_object_versions").paginate(Bucket=params["Bucket"]):
        for version in (*page.get("Versions", ()), *page.get("DeleteMarkers", ())):
            client.delete_object(Bucket=params["Bucket"], Key=version["Key"], VersionId=version["VersionId"])


def _setting_driver(
    kind: str,
    operation: str,
    params: Mapping[str, Source] | None = None,
    *,
    inside: str = "",
    delete: str = "",
    reset: Mapping[str, Source] | None = None,
) -> Driver:
    """Return the driver of a bucket setting that is a resource of its own.

    `operation` sets the whole setting, so it creates and updates it. It also deletes it if its parameters are `reset`.
    Otherwise the operation `delete` does.
    """
    put = DriverCall(operation, params or {}, inside=inside)
    return Driver(
        type=f"aws:s3/{kind[0].lower()}{kind[1:]}:{kind}",
        service="s3",
        create=(put,),
        update=(put,),
        delete=(DriverCall(delete) if reset is None else DriverCall(operation, reset, only=("bucket",)),),
        id="bucket",
    )


PUT_OBJECT = DriverCall("PutObject", {"Body": computed_from("source")(Asset.read)})
UPDATE_TTL = DriverCall("UpdateTimeToLive", when="ttl")
UPDATE_RECOVERY = DriverCall("UpdateContinuousBackups", when="pointInTimeRecovery")

DRIVERS = (
    Driver(
        type="aws:s3/bucket:Bucket",
        service="s3",
        create=(
            DriverCall("CreateBucket"),
            DriverCall("PutBucketTagging", {"Tagging.TagSet": "tags"}, when="tags"),
        ),
        delete=(DriverCall("DeleteBucket"),),
        id="bucket",
        ignored={"forceDestroy": "no call has it as a parameter, but `content_deletion` reads it"},
        content_deletion=ContentDeletion("forceDestroy", delete_all_versions),
    ),
    _setting_driver(
        "BucketPublicAccessBlock",
        "PutPublicAccessBlock",
        inside="PublicAccessBlockConfiguration",
        delete="DeletePublicAccessBlock",
    ),
    _setting_driver(
        "BucketServerSideEncryptionConfiguration",
        "PutBucketEncryption",
        inside="ServerSideEncryptionConfiguration",
        delete="DeleteBucketEncryption",
    ),
    _setting_driver(
        "BucketLifecycleConfiguration",
        "PutBucketLifecycleConfiguration",
        inside="LifecycleConfiguration",
        delete="DeleteBucketLifecycle",
    ),
    _setting_driver(
        "BucketVersioning", "PutBucketVersioning", reset={"VersioningConfiguration.Status": constant("Suspended")}
    ),
    _setting_driver(
        "BucketAccelerateConfiguration",
        "PutBucketAccelerateConfiguration",
        inside="AccelerateConfiguration",
        reset={"AccelerateConfiguration.Status": constant("Suspended")},
    ),
    _setting_driver("BucketPolicy", "PutBucketPolicy", delete="DeleteBucketPolicy"),
    _setting_driver("BucketCorsConfiguration", "PutBucketCors", inside="CORSConfiguration", delete="DeleteBucketCors"),
    _setting_driver(
        "BucketLogging",
        "PutBucketLogging",
        inside="BucketLoggingStatus.LoggingEnabled",
        reset={"BucketLoggingStatus": constant({})},
    ),
    _setting_driver(
        "BucketNotification",
        "PutBucketNotificationConfiguration",
        {"NotificationConfiguration": notifications},
        reset={"NotificationConfiguration": constant({})},
    ),
    Driver(
        type="aws:s3/bucketObjectv2:BucketObjectv2",
        service="s3",
        create=(PUT_OBJECT,),
        update=(PUT_OBJECT,),
        delete=(DriverCall("DeleteObject"),),
        id="key",
    ),
    Driver(
        type="aws:dynamodb/table:Table",
        service="dynamodb",
        names={
            "name": ("TableName", "AttributeName"),
            "type": "AttributeType",
            "attributes": "AttributeDefinitions",
            "ttl": "TimeToLiveSpecification",
            "pointInTimeRecovery": "PointInTimeRecoverySpecification",
            "enabled": "PointInTimeRecoveryEnabled",
        },
        create=(
            DriverCall(
                "CreateTable",
                {
                    "KeySchema": key_schema,
                    "GlobalSecondaryIndexes": indexes,
                    "SSESpecification": encryption_specification,
                },
            ),
            UPDATE_TTL,
            UPDATE_RECOVERY,
        ),
        # UpdateTable makes one change at a time.
        update=(
            DriverCall("UpdateTable", only=("name", "deletionProtectionEnabled")),
            DriverCall("UpdateTable", {"SSESpecification": encryption_specification}, only=("name",)),
            DriverCall("UpdateTable", only=("name", "onDemandThroughput"), when="onDemandThroughput"),
            UPDATE_TTL,
            UPDATE_RECOVERY,
        ),
        delete=(DriverCall("DeleteTable"),),
        id="name",
        outputs={"arn": from_response("CreateTable", "TableDescription.TableArn")},
    ),
    Driver(
        type="aws:glue/catalogDatabase:CatalogDatabase",
        service="glue",
        create=(DriverCall("CreateDatabase", inside="DatabaseInput"),),
        delete=(DriverCall("DeleteDatabase"),),
        id="name",
    ),
    Driver(
        type="aws:glue/catalogTable:CatalogTable",
        service="glue",
        create=(DriverCall("CreateTable", inside="TableInput"),),
        update=(DriverCall("UpdateTable", inside="TableInput"),),
        delete=(DriverCall("DeleteTable"),),
        id=from_template("{databaseName}:{name}"),
    ),
    Driver(
        type="aws:athena/workgroup:Workgroup",
        service="athena",
        names={"name": "WorkGroup"},
        create=(DriverCall("CreateWorkGroup"),),
        delete=(DriverCall("DeleteWorkGroup"),),
        id="name",
        ignored={
            "forceDestroy": "it permits the deletion of a workgroup with content, which the emulator always permits"
        },
    ),
)
