"""Drivers of S3 buckets, bucket settings and objects: the API calls that create, update, read and delete them.

In Pulumi, a bucket setting such as the versioning is a resource of its own.
"""

from collections.abc import Callable
from typing import Any

from local.platform.driver_model.driver import (
    WHOLE_RESULT,
    ComputedValue,
    ContentDeletion,
    Driver,
    DriverCall,
    ReadCall,
    computed_from,
    constant,
    from_response,
)
from local.preview.property_value_conversion import Asset, Props


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


def _current_queues(configuration: Props) -> list[Props]:
    """Return the notifications to queues in Pulumi's form."""
    queues = []
    for queue in configuration.get("QueueConfigurations", ()):
        rules = queue.get("Filter", {}).get("Key", {}).get("FilterRules", ())
        filters = {rule["Name"].lower(): rule["Value"] for rule in rules}
        queues.append(
            {
                "queueArn": queue["QueueArn"],
                "events": queue["Events"],
                "filterPrefix": filters.get("prefix"),
                "filterSuffix": filters.get("suffix"),
            }
        )
    return queues


def _put_driver(
    kind: str, operation: str, params: dict[str, str | ComputedValue], delete: str | DriverCall, read: ReadCall
) -> Driver:
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
        read=(read,),
    )


def _read_setting(operation: str, path: str = "", **values_in_result: str | Callable[[Any], Any]) -> ReadCall:
    """Return the call that reads a bucket setting.

    The service returns a value only if somebody set it, so the given properties are `returned_only_if_set`.
    """
    return ReadCall(
        operation,
        {"Bucket": "bucket"},
        path,
        values_in_result=values_in_result,
        returned_only_if_set=tuple(values_in_result),
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
        update=(PUT_TAGGING,),
        delete=(DriverCall("DeleteBucket", {"Bucket": "bucket"}),),
        id="bucket",
        ignored={"forceDestroy": "no call has it as a parameter, but `content_deletion` reads it"},
        content_deletion=ContentDeletion("forceDestroy", delete_all_versions),
        # The location is not compared. Its call shows whether the bucket still exists.
        read=(_read_setting("GetBucketLocation"), _read_setting("GetBucketTagging", tags="TagSet")),
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
        _read_setting("GetPublicAccessBlock", "PublicAccessBlockConfiguration"),
    ),
    _put_driver(
        "BucketOwnershipControls",
        "PutBucketOwnershipControls",
        {"OwnershipControls.Rules": "rule"},
        "DeleteBucketOwnershipControls",
        _read_setting("GetBucketOwnershipControls", "OwnershipControls"),
    ),
    _put_driver(
        "BucketServerSideEncryptionConfiguration",
        "PutBucketEncryption",
        {"ServerSideEncryptionConfiguration.Rules": "rules"},
        "DeleteBucketEncryption",
        _read_setting("GetBucketEncryption", "ServerSideEncryptionConfiguration"),
    ),
    _put_driver(
        "BucketLifecycleConfiguration",
        "PutBucketLifecycleConfiguration",
        {"LifecycleConfiguration.Rules": "rules"},
        "DeleteBucketLifecycle",
        _read_setting("GetBucketLifecycleConfiguration"),
    ),
    _put_driver(
        "BucketVersioning",
        "PutBucketVersioning",
        {"VersioningConfiguration": "versioningConfiguration"},
        DriverCall(
            "PutBucketVersioning", {"Bucket": "bucket", "VersioningConfiguration.Status": constant("Suspended")}
        ),
        _read_setting("GetBucketVersioning", versioningConfiguration=WHOLE_RESULT),
    ),
    _put_driver(
        "BucketAccelerateConfiguration",
        "PutBucketAccelerateConfiguration",
        {"AccelerateConfiguration.Status": "status"},
        DriverCall(
            "PutBucketAccelerateConfiguration",
            {"Bucket": "bucket", "AccelerateConfiguration.Status": constant("Suspended")},
        ),
        _read_setting("GetBucketAccelerateConfiguration"),
    ),
    _put_driver(
        "BucketPolicy",
        "PutBucketPolicy",
        {"Policy": "policy"},
        "DeleteBucketPolicy",
        _read_setting("GetBucketPolicy"),
    ),
    _put_driver(
        "BucketCorsConfiguration",
        "PutBucketCors",
        {"CORSConfiguration.CORSRules": "corsRules"},
        "DeleteBucketCors",
        _read_setting("GetBucketCors"),
    ),
    _put_driver(
        "BucketLogging",
        "PutBucketLogging",
        {
            "BucketLoggingStatus.LoggingEnabled.TargetBucket": "targetBucket",
            "BucketLoggingStatus.LoggingEnabled.TargetPrefix": "targetPrefix",
        },
        DriverCall("PutBucketLogging", {"Bucket": "bucket", "BucketLoggingStatus": constant({})}),
        _read_setting("GetBucketLogging", "LoggingEnabled"),
    ),
    _put_driver(
        "BucketNotification",
        "PutBucketNotificationConfiguration",
        {"NotificationConfiguration": notifications},
        DriverCall(
            "PutBucketNotificationConfiguration", {"Bucket": "bucket", "NotificationConfiguration": constant({})}
        ),
        _read_setting(
            "GetBucketNotificationConfiguration",
            queues=_current_queues,
            eventbridge=lambda configuration: "EventBridgeConfiguration" in configuration or None,
        ),
    ),
    Driver(
        type="aws:s3/bucketObjectv2:BucketObjectv2",
        service="s3",
        create=(PUT_OBJECT,),
        update=(PUT_OBJECT,),
        delete=(DriverCall("DeleteObject", {"Bucket": "bucket", "Key": "key"}),),
        id="key",
        outputs={"etag": from_response("PutObject", "ETag")},
        changed_by_update={"etag": "PutObject"},
        read=(
            ReadCall("HeadObject", {"Bucket": "bucket", "Key": "key"}, compared_by_hash={"source": ("etag", "ETag")}),
        ),
    ),
)
