"""Drivers of Cognito identity pools and of their roles."""

from local.platform.driver_model.driver import (
    ComputedValue,
    Driver,
    DriverCall,
    ResourceValues,
    constant,
    from_response,
)
from local.preview.preview_provider import ACCOUNT, REGION
from local.preview.property_values import UNKNOWN

POOL = {
    "IdentityPoolName": "identityPoolName",
    "AllowUnauthenticatedIdentities": "allowUnauthenticatedIdentities",
    "AllowClassicFlow": "allowClassicFlow",
}
ROLES = DriverCall("SetIdentityPoolRoles", {"IdentityPoolId": "identityPoolId", "Roles": "roles"})


def _arn(values: ResourceValues) -> object:
    return f"arn:aws:cognito-identity:{REGION}:{ACCOUNT}:identitypool/{values['id']}" if values.id else UNKNOWN


DRIVERS = (
    Driver(
        type="aws:cognito/identityPool:IdentityPool",
        service="cognito-identity",
        create=(DriverCall("CreateIdentityPool", {**POOL, "IdentityPoolTags": "tags"}),),
        update=(
            DriverCall("UpdateIdentityPool", {**POOL, "IdentityPoolId": "id"}),
            DriverCall("TagResource", {"ResourceArn": "arn", "Tags": "tags"}),
        ),
        delete=(DriverCall("DeleteIdentityPool", {"IdentityPoolId": "id"}),),
        id=from_response("CreateIdentityPool", "IdentityPoolId"),
        outputs={"arn": ComputedValue(_arn)},
    ),
    Driver(
        type="aws:cognito/identityPoolRoleAttachment:IdentityPoolRoleAttachment",
        service="cognito-identity",
        create=(ROLES,),
        update=(ROLES,),
        # A pool always has this setting, so deleting it means to set no roles.
        delete=(DriverCall("SetIdentityPoolRoles", {"IdentityPoolId": "identityPoolId", "Roles": constant({})}),),
        id="identityPoolId",
    ),
)
