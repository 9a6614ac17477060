"""Drivers of S3 buckets, bucket settings and objects: the API calls that create, update and delete them.

In Pulumi, a bucket setting such as the versioning is a resource of its own.
"""

from typing import Any

from local.drivers.model import (
    ComputedValue,
    ContentDeletion,
    Driver,
    DriverCall,
    computed_from,
    constant,
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


def _put_driver(kind: str, operation: str, params: dict[str, str | ComputedValue], delete: str | DriverCall) -> Driver:
    """Return the driver of a bucket setting that is a resource of its own.

    `operation` sets the whole setting, so it creates and updates it. `delete` is an operation with the bucket as its only
    parameter, or a complete call.
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


def delete_all_versions(client: Any, params: Props) -> None:
    """Delete every version and every delete marker of a bucket's objects."""
    for page in client.get_paginator("list_object_versions").paginate(Bucket=params["Bucket"]):
        for version in (*page.get("Versions", ()), *page.get("DeleteMarkers", ())):
            client.delete_object(Bucket=params["Bucket"], Key=version["Key"], VersionId=version["VersionId"])


PUT_TAGGING = DriverCall("PutBucketTagging", {"Bucket": "bucket", "Tagging.TagSet": "tags"}, when="tags")
object_content = computed_from("source")(Asset.read)
PUT_OBJECT = DriverCall("PutObject", {"Bucket": "bucket", "Key": "key", "Body": object_content})

DRIVERS = (
    Driver(
        type="aws:s3/bucket:Bucket",
        service="s3",
        create=(
            DriverCall("CreateBucket", {"Bucket": "bucket"}),
            PUT_TAGGING,
        ),
        delete=(DriverCall("DeleteBucket", {"Bucket": "bucket"}),),
        id="bucket",
        ignored={"forceDestroy": "no call has it as a parameter, but `content_deletion` reads it"},
        content_deletion=ContentDeletion("forceDestroy", delete_all_versions),
    ),
    _put_driver(
        "BucketPublicAccessBlock",
        "PutPublicAccessBlock",
        {
            "PublicAccessBlockConfiguration.BlockPublicAcls": "blockPublicAcls",
            "PublicAccessBlockConfiguration.BlockPublicPolicy": "blockPublicPolicy",
            "PublicAccessBlockConfiguration.IgnorePublicAcls": "ignorePublicAcls",
            "PublicAccessBlockConfiguration.RestrictPublicBuckets": "restrictPublicBuckets",
        },
        "DeletePublicAccessBlock",
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
    _put_driver(
        "BucketPolicy",
        "PutBucketPolicy",
        {"Policy": "policy"},
        "DeleteBucketPolicy",
    ),
    _put_driver(
        "BucketCorsConfiguration",
        "PutBucketCors",
        {"CORSConfiguration.CORSRules": "corsRules"},
        "DeleteBucketCors",
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
        create=(PUT_OBJECT,),
        update=(PUT_OBJECT,),
        delete=(DriverCall("DeleteObject", {"Bucket": "bucket", "Key": "key"}),),
        id="key",
    ),
)
