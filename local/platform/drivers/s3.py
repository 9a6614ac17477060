"""Buckets, each of whose traits is a resource of its own."""

from typing import Any

from local import ROOT
from local.platform.drivers.model import (
    ComputedValue,
    ContentDeletion,
    Driver,
    DriverCall,
    RecordedOnly,
    ResourceValues,
    computed_from,
    constant,
)
from local.preview.property_values import Archive, Props


@computed_from("queues", "eventbridge")
def notifications(queues: list[dict[str, Any]] | None, eventbridge: bool | None) -> dict[str, Any]:
    """The one notification configuration of a bucket."""
    configuration: dict[str, Any] = {}
    if queues:
        configuration["QueueConfigurations"] = [
            {
                "QueueArn": one["queueArn"],
                "Events": one["events"],
                "Filter": {
                    "Key": {
                        "FilterRules": [
                            {"Name": name, "Value": one[key]}
                            for name, key in (("prefix", "filterPrefix"), ("suffix", "filterSuffix"))
                            if one.get(key)
                        ]
                    }
                },
            }
            for one in queues
        ]
    if eventbridge:
        configuration["EventBridgeConfiguration"] = {}
    return configuration


def _put(kind: str, operation: str, params: dict[str, Any], delete: str | DriverCall) -> Driver:
    """A trait that is put as a whole, and put again when it changes."""
    put = DriverCall(operation, {"Bucket": "bucket", **params})
    return Driver(
        type=f"aws:s3/{kind[0].lower()}{kind[1:]}:{kind}",
        service="s3",
        create=(put,),
        update=(put,),
        delete=(DriverCall(delete, {"Bucket": "bucket"}) if isinstance(delete, str) else delete,),
        id="bucket",
    )


def _whole(*uses: str) -> ComputedValue:
    """The named properties as one block."""

    def block(known: ResourceValues) -> dict[str, Any]:
        return {name: known[name] for name in uses if known[name] is not None}

    return ComputedValue(block, uses)


def empty(client: Any, params: Props) -> None:
    """Deletes every version of every object."""
    for page in client.get_paginator("list_object_versions").paginate(Bucket=params["Bucket"]):
        for one in (*page.get("Versions", ()), *page.get("DeleteMarkers", ())):
            client.delete_object(Bucket=params["Bucket"], Key=one["Key"], VersionId=one["VersionId"])


TAGGING = DriverCall("PutBucketTagging", {"Bucket": "bucket", "Tagging.TagSet": "tags"}, when="tags")


@computed_from("source")
def content(source: Archive) -> bytes:
    """The bytes of the file that an object is made of."""
    return (ROOT / str(source.path)).read_bytes()


OBJECT = DriverCall("PutObject", {"Bucket": "bucket", "Key": "key", "Body": content})

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
        ignored={"forceDestroy": "not a trait of the bucket: it says whether its objects are deleted with it"},
        content_deletion=ContentDeletion("forceDestroy", empty),
    ),
    _put(
        "BucketPublicAccessBlock",
        "PutPublicAccessBlock",
        {
            "PublicAccessBlockConfiguration": _whole(
                "blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets"
            )
        },
        "DeletePublicAccessBlock",
    ),
    _put(
        "BucketOwnershipControls",
        "PutBucketOwnershipControls",
        {"OwnershipControls.Rules": "rule"},
        "DeleteBucketOwnershipControls",
    ),
    _put(
        "BucketServerSideEncryptionConfiguration",
        "PutBucketEncryption",
        {"ServerSideEncryptionConfiguration.Rules": "rules"},
        "DeleteBucketEncryption",
    ),
    _put(
        "BucketLifecycleConfiguration",
        "PutBucketLifecycleConfiguration",
        {"LifecycleConfiguration.Rules": "rules"},
        "DeleteBucketLifecycle",
    ),
    _put(
        "BucketVersioning",
        "PutBucketVersioning",
        {"VersioningConfiguration": "versioningConfiguration"},
        DriverCall(
            "PutBucketVersioning", {"Bucket": "bucket", "VersioningConfiguration.Status": constant("Suspended")}
        ),
    ),
    _put(
        "BucketAccelerateConfiguration",
        "PutBucketAccelerateConfiguration",
        {"AccelerateConfiguration.Status": "status"},
        DriverCall(
            "PutBucketAccelerateConfiguration",
            {"Bucket": "bucket", "AccelerateConfiguration.Status": constant("Suspended")},
        ),
    ),
    _put("BucketPolicy", "PutBucketPolicy", {"Policy": "policy"}, "DeleteBucketPolicy"),
    _put("BucketCorsConfiguration", "PutBucketCors", {"CORSConfiguration.CORSRules": "corsRules"}, "DeleteBucketCors"),
    _put(
        "BucketLogging",
        "PutBucketLogging",
        {
            "BucketLoggingStatus.LoggingEnabled.TargetBucket": "targetBucket",
            "BucketLoggingStatus.LoggingEnabled.TargetPrefix": "targetPrefix",
        },
        DriverCall("PutBucketLogging", {"Bucket": "bucket", "BucketLoggingStatus": constant({})}),
    ),
    _put(
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
        reason="the emulator takes a bucket's metrics configuration and forgets it",
        create=(
            DriverCall(
                "PutBucketMetricsConfiguration",
                {"Bucket": "bucket", "Id": "name", "MetricsConfiguration.Id": "name"},
            ),
        ),
    ),
    RecordedOnly(
        type="aws:s3/bucketIntelligentTieringConfiguration:BucketIntelligentTieringConfiguration",
        service="s3",
        reason="the emulator takes a bucket's tiering configuration and forgets it",
        create=(
            DriverCall(
                "PutBucketIntelligentTieringConfiguration",
                {
                    "Bucket": "bucket",
                    "Id": "name",
                    "IntelligentTieringConfiguration.Id": "name",
                    "IntelligentTieringConfiguration.Status": "status",
                    "IntelligentTieringConfiguration.Filter": "filter",
                    "IntelligentTieringConfiguration.Tierings": "tierings",
                },
            ),
        ),
    ),
)
