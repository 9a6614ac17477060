"""Drivers of S3 buckets and objects, DynamoDB tables, the Glue catalog and Athena workgroups.

A driver lists a resource type's AWS calls for the local platform. A call passes each property as the parameter of the
same name, or of its name in `api_names`, or as a member of its `parent_parameter`. `only_properties` limits these
properties. The call's dictionary maps other parameters to a property or a computed value. If no `update` call uses a
changed property other than `tags`, the resource is replaced. `model.py` describes all fields.
"""

from collections.abc import Mapping
from typing import Any

from local.drivers.model import Driver, DriverCall, Source, computed_from, constant, from_response, from_template
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
    """Return a table's primary key in CreateTable's form, except for the case of the names."""
    keys = [{"attributeName": hash_key, "keyType": "HASH"}]
    return keys + ([{"attributeName": range_key, "keyType": "RANGE"}] if range_key else [])


@computed_from("globalSecondaryIndexes")
def indexes(given: list[dict[str, Any]] | None) -> list[dict[str, Any]] | None:
    """Return the global secondary indexes in CreateTable's form. None omits the parameter, which must not be empty."""
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


def _bucket_setting_driver(
    kind: str,
    operation: str,
    params: Mapping[str, Source] | None = None,
    *,
    parent_parameter: str = "",
    delete_operation: str = "",
    deletion_params: Mapping[str, Source] | None = None,
) -> Driver:
    """Return the driver of a bucket setting that is a resource of its own.

    `kind` is the last part of its type, for example `BucketVersioning`. `operation` creates and updates the setting
    with the parameters `params`. `delete_operation` deletes it, or else `operation` with the parameters
    `deletion_params`.
    """
    put = DriverCall(operation, params or {}, parent_parameter=parent_parameter)
    return Driver(
        type=f"aws:s3/{kind[0].lower()}{kind[1:]}:{kind}",
        service="s3",
        create=(put,),
        update=(put,),
        delete=(
            DriverCall(delete_operation)
            if deletion_params is None
            else DriverCall(operation, deletion_params, only_properties=("bucket",)),
        ),
        id="bucket",
    )


object_content = computed_from("source")(Asset.read)
"""Bytes of the file or text that becomes the object."""
PUT_OBJECT = DriverCall("PutObject", {"Body": object_content})
UPDATE_TTL = DriverCall("UpdateTimeToLive", if_property="ttl")
UPDATE_RECOVERY = DriverCall("UpdateContinuousBackups", if_property="pointInTimeRecovery")

DRIVERS = (
    Driver(
        type="aws:s3/bucket:Bucket",
        service="s3",
        create=(
            DriverCall("CreateBucket"),
            DriverCall("PutBucketTagging", {"Tagging.TagSet": "tags"}, if_property="tags"),
        ),
        delete=(DriverCall("DeleteBucket"),),
        id="bucket",
        ignored={"forceDestroy": "no call has it as a parameter, but it permits `delete_content`"},
        delete_content=delete_all_versions,
    ),
    _bucket_setting_driver(
        "BucketPublicAccessBlock",
        "PutPublicAccessBlock",
        parent_parameter="PublicAccessBlockConfiguration",
        delete_operation="DeletePublicAccessBlock",
    ),
    _bucket_setting_driver(
        "BucketServerSideEncryptionConfiguration",
        "PutBucketEncryption",
        parent_parameter="ServerSideEncryptionConfiguration",
        delete_operation="DeleteBucketEncryption",
    ),
    _bucket_setting_driver(
        "BucketLifecycleConfiguration",
        "PutBucketLifecycleConfiguration",
        parent_parameter="LifecycleConfiguration",
        delete_operation="DeleteBucketLifecycle",
    ),
    _bucket_setting_driver(
        "BucketVersioning",
        "PutBucketVersioning",
        deletion_params={"VersioningConfiguration.Status": constant("Suspended")},
    ),
    _bucket_setting_driver(
        "BucketAccelerateConfiguration",
        "PutBucketAccelerateConfiguration",
        parent_parameter="AccelerateConfiguration",
        deletion_params={"AccelerateConfiguration.Status": constant("Suspended")},
    ),
    _bucket_setting_driver("BucketPolicy", "PutBucketPolicy", delete_operation="DeleteBucketPolicy"),
    _bucket_setting_driver(
        "BucketCorsConfiguration",
        "PutBucketCors",
        parent_parameter="CORSConfiguration",
        delete_operation="DeleteBucketCors",
    ),
    _bucket_setting_driver(
        "BucketLogging",
        "PutBucketLogging",
        parent_parameter="BucketLoggingStatus.LoggingEnabled",
        deletion_params={"BucketLoggingStatus": constant({})},
    ),
    _bucket_setting_driver(
        "BucketNotification",
        "PutBucketNotificationConfiguration",
        {"NotificationConfiguration": notifications},
        deletion_params={"NotificationConfiguration": constant({})},
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
        api_names={
            "name": ("TableName", "AttributeName"),  # of the table, and of an item in `attributes`
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
            DriverCall("UpdateTable", only_properties=("name", "deletionProtectionEnabled")),
            DriverCall("UpdateTable", {"SSESpecification": encryption_specification}, only_properties=("name",)),
            DriverCall("UpdateTable", only_properties=("name", "onDemandThroughput"), if_property="onDemandThroughput"),
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
        create=(DriverCall("CreateDatabase", parent_parameter="DatabaseInput"),),
        delete=(DriverCall("DeleteDatabase"),),
        id="name",
    ),
    Driver(
        type="aws:glue/catalogTable:CatalogTable",
        service="glue",
        create=(DriverCall("CreateTable", parent_parameter="TableInput"),),
        update=(DriverCall("UpdateTable", parent_parameter="TableInput"),),
        delete=(DriverCall("DeleteTable"),),
        id=from_template("{databaseName}:{name}"),
    ),
    Driver(
        type="aws:athena/workgroup:Workgroup",
        service="athena",
        api_names={"name": "WorkGroup"},
        create=(DriverCall("CreateWorkGroup"),),
        delete=(DriverCall("DeleteWorkGroup"),),
        id="name",
        ignored={
            "forceDestroy": "it permits the deletion of a workgroup with content, which the emulator always permits"
        },
    ),
)
