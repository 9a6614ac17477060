"""Parameters; a secret one is a SecureString, and its value is in no file."""

from local.platform.drivers.model import Call, Driver, Known, Made, answered, const
from local.preview.preview_provider import ACCOUNT, REGION


def _arn(known: Known) -> str:
    return f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/{known['name'].removeprefix('/')}"


PARAMETER = {
    "Name": "name",
    "Type": "type",
    "Value": "value",
    "Description": "description",
    "KeyId": "keyId",
    "Tier": "tier",
}

DRIVERS = (
    Driver(
        type="aws:ssm/parameter:Parameter",
        service="ssm",
        create=(Call("PutParameter", {**PARAMETER, "Tags": "tags"}),),
        update=(
            Call("PutParameter", {**PARAMETER, "Overwrite": const(True)}),
            Call("AddTagsToResource", {"ResourceType": const("Parameter"), "ResourceId": "name", "Tags": "tags"}),
        ),
        delete=(Call("DeleteParameter", {"Name": "name"}),),
        id="name",
        outputs={"arn": Made(_arn, ("name",)), "version": answered("PutParameter", "Version")},
        renewed=("version",),
    ),
)
