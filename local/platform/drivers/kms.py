"""Driver of customer-managed KMS keys."""

from local.platform.driver_model.driver import Driver, DriverCall, constant, from_response

ROTATION = DriverCall("EnableKeyRotation", {"KeyId": "id"}, when="enableKeyRotation")

DRIVERS = (
    Driver(
        type="aws:kms/key:Key",
        service="kms",
        create=(
            DriverCall(
                "CreateKey",
                {"Description": "description", "KeyUsage": "keyUsage", "Policy": "policy", "Tags": "tags"},
            ),
            ROTATION,
        ),
        update=(
            DriverCall("UpdateKeyDescription", {"KeyId": "id", "Description": "description"}),
            DriverCall("PutKeyPolicy", {"KeyId": "id", "PolicyName": constant("default"), "Policy": "policy"}),
            DriverCall("TagResource", {"KeyId": "id", "Tags": "tags"}),
            ROTATION,
        ),
        # The waiting period is a parameter of the deletion. A change of it does not affect a key in use.
        delete=(DriverCall("ScheduleKeyDeletion", {"KeyId": "id", "PendingWindowInDays": "deletionWindowInDays"}),),
        id=from_response("CreateKey", "KeyMetadata.KeyId"),
        outputs={
            "arn": from_response("CreateKey", "KeyMetadata.Arn"),
            "keyId": from_response("CreateKey", "KeyMetadata.KeyId"),
        },
        ignored={"deletionWindowInDays": "a parameter of the deletion call"},
    ),
)
