"""Driver of SSM parameters: the API calls that create, update and delete them."""

from local import ACCOUNT, REGION
from local.drivers.model import (
    ComputedValue,
    Driver,
    DriverCall,
    ResourceValues,
    constant,
    from_response,
)


def _arn(values: ResourceValues) -> str:
    return f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/{values['name'].removeprefix('/')}"


PARAMETER = {
    "Name": "name",
    "Type": "type",
    "Value": "value",
    "Description": "description",
    "KeyId": "keyId",
    "Tier": "tier",
}
"""Request fields of PutParameter, which creates or updates an SSM parameter, each with its Pulumi property."""

DRIVERS = (
    Driver(
        type="aws:ssm/parameter:Parameter",
        service="ssm",
        create=(DriverCall("PutParameter", {**PARAMETER, "Tags": "tags"}),),
        update=(DriverCall("PutParameter", {**PARAMETER, "Overwrite": constant(True)}),),
        delete=(DriverCall("DeleteParameter", {"Name": "name"}),),
        id="name",
        outputs={"arn": ComputedValue(_arn, ("name",)), "version": from_response("PutParameter", "Version")},
        changed_by_update={"version": "PutParameter"},
    ),
)
