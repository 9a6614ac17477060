"""Customer keys."""

from local.platform.drivers.model import Call, Driver, answered, const

ROTATION = Call("EnableKeyRotation", {"KeyId": "id"}, when="enableKeyRotation")

DRIVERS = (
    Driver(
        type="aws:kms/key:Key",
        service="kms",
        create=(
            Call(
                "CreateKey",
                {"Description": "description", "KeyUsage": "keyUsage", "Policy": "policy", "Tags": "tags"},
            ),
            ROTATION,
        ),
        update=(
            Call("UpdateKeyDescription", {"KeyId": "id", "Description": "description"}),
            Call("PutKeyPolicy", {"KeyId": "id", "PolicyName": const("default"), "Policy": "policy"}),
            Call("TagResource", {"KeyId": "id", "Tags": "tags"}),
            ROTATION,
        ),
        # The window is part of what deletes a key: a longer one concerns no key that is in use.
        delete=(Call("ScheduleKeyDeletion", {"KeyId": "id", "PendingWindowInDays": "deletionWindowInDays"}),),
        id=answered("CreateKey", "KeyMetadata.KeyId"),
        outputs={
            "arn": answered("CreateKey", "KeyMetadata.Arn"),
            "keyId": answered("CreateKey", "KeyMetadata.KeyId"),
        },
        ignored={"deletionWindowInDays": "taken by the call that deletes"},
    ),
)
