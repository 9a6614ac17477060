"""Drivers of S3 buckets, and of bucket settings, which are resources of their own.

A driver lists the calls that create, change and delete one resource type on the emulator.
"""

from typing import Any

from local.platform.driver_model.driver import (
    ComputedValue,
    ContentDeletion,
    Driver,
    DriverCall,
    RecordedOnly,
    ResourceValues,
    computed_from,
    constant,
)
from local.preview.property_values import Asset, Props


@computed_from("queues", "eventbridge")
def notifications(queues: list[dict[str, Any]] | None, eventbridge: bool | None) -> dict[str, Any]:
    """Return the notification configuration of a bucket. A bucket has only one."""
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


def _put_driver(kind: str, operation: str, params: dict[str, Any], delete: str | DriverCall) -> Driver:
    """Return the driver of a bucket setting.

    `operation` creates and replaces it; `delete` is an operation or a call.
    """
    put = DriverCall(operation, {"Bucket": "bucket", **params})
    return Driver(
        type=f"aws:s3/{kind[0].lower()}{kind[1:]}:{kind}",
        service="s3",
        create=(put,),
        update=(put,),
        delete=(DriverCall(delete, {"Bucket": "bucket"}) if isinstance(delete, str) else delete,),
        id="bucket",
    )


def _structure_of(*uses: str) -> ComputedValue:
    """Return the named properties as one structure."""

    def structure(values: ResourceValues) -> dict[str, Any]:
        return {name: values[name] for name in uses if values[name] is not None}

    return ComputedValue(structure, uses)


def delete_all_versions(client: Any, params: Props) -> None:
    """Delete every version of every object of a bucket."""
    for page in client.get_paginator("list_object_versions").paginate(Bucket=params["Bucket"]):
        for version in (*page.get("Versions", ()), *page.get("DeleteMarkers", ())):
            client.delete_object(Bucket=params["Bucket"], Key=version["Key"], VersionId=version["VersionId"])


TAGGING = DriverCall("PutBucketTagging", {"Bucket": "bucket", "Tagging.TagSet": "tags"}, when="tags")


@computed_from("source")
def object_content(source: Asset) -> bytes:
    """Return the bytes of an object."""
    return source.read()


OBJECT = DriverCall("PutObject", {"Bucket": "bucket", "Key": "key", "Body": object_content})

DRIVERS = (
    Driver(
        type="aws:s3/bucket:Bucket",
        service="s3",
        create=(
            DriverCall("CreateBucket", {"Bucket": "bucket"}),
            TAGGING,
        ),
        update=(TAGGING,),
        delete=(DriverCall("DeleteBucket", {"Bucket": "bucket"}),),
        id="bucket",
        ignored={"forceDestroy": "no call has it as a parameter, but `content_deletion` reads it"},
        content_deletion=ContentDeletion("forceDestroy", delete_all_versions),
    ),
    _put_driver(
        "BucketPublicAccessBlock",
        "PutPublicAccessBlock",
        {
            "PublicAccessBlockConfiguration": _structure_of(
                "blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets"
            )
        },
        "DeletePublicAccessBlock",
    ),
    _put_driver(
        "BucketOwnershipControls",
        "PutBucketOwnershipControls",
        {"OwnershipControls.Rules": "rule"},
        "DeleteBucketOwnershipControls",
    ),
    _put_driver(
        "BucketServerSideEncryptionConfiguration",
        "PutBucketEncryption",
        {"ServerSideEncryptionConfiguration.Rules": "rules"},
        "DeleteBucketEncryption",
    ),
    _put_driver(
        "BucketLifecycleConfiguration",
        "PutBucketLifecycleConfiguration",
        {"LifecycleConfiguration.Rules": "rules"},
        "DeleteBucketLifecycle",
    ),
    _put_driver(
        "BucketVersioning",
        "PutBucketVersioning",
        {"VersioningConfiguration": "versioningConfiguration"},
        DriverCall(
            "PutBucketVersioning", {"Bucket": "bucket", "VersioningConfiguration.Status": constant("Suspended")}
        ),
    ),
    _put_driver(
        "BucketAccelerateConfiguration",
        "PutBucketAccelerateConfiguration",
        {"AccelerateConfiguration.Status": "status"},
        DriverCall(
            "PutBucketAccelerateConfiguration",
            {"Bucket": "bucket", "AccelerateConfiguration.Status": constant("Suspended")},
        ),
    ),
    _put_driver("BucketPolicy", "PutBucketPolicy", {"Policy": "policy"}, "DeleteBucketPolicy"),
    _put_driver(
        "BucketCorsConfiguration", "PutBucketCors", {"CORSConfiguration.CORSRules": "corsRules"}, "DeleteBucketCors"
    ),
    _put_driver(
        "BucketLogging",
        "PutBucketLogging",
        {
            "BucketLoggingStatus.LoggingEnabled.TargetBucket": "targetBucket",
            "BucketLoggingStatus.LoggingEnabled.TargetPrefix": "targetPrefix",
        },
        DriverCall("PutBucketLogging", {"Bucket": "bucket", "BucketLoggingStatus": constant({})}),
    ),
    _put_driver(
        "BucketNotification",
        "PutBucketNotificationConfiguration",
        {"NotificationConfiguration": notifications},
        DriverCall(
            "PutBucketNotificationConfiguration", {"Bucket": "bucket", "NotificationConfiguration": constant({})}
        ),
    ),
    Driver(
        type="aws:s3/bucketObjectv2:BucketObjectv2",
        service="s3",
        create=(OBJECT,),
        update=(OBJECT,),
        delete=(DriverCall("DeleteObject", {"Bucket": "bucket", "Key": "key"}),),
        id="key",
    ),
)

RECORDED = (
    RecordedOnly(
        type="aws:s3/bucketMetric:BucketMetric",
        service="s3",
        reason="the emulator accepts a bucket's metrics configuration but does not store it",
        create=(
            DriverCall(
                "PutBucketMetricsConfiguration",
                {"Bucket": "bucket", "Id": "name", "MetricsConfiguration.Id": "name"},
            ),
        ),
    ),
)
