"""Drivers of Cognito identity pools, and of the attachments of IAM roles to these pools: the API calls that create,
update and delete them.
"""

from local import ACCOUNT, REGION
from local.drivers.model import (
    Driver,
    DriverCall,
    constant,
    from_response,
    from_template,
)

POOL = {
    "IdentityPoolName": "identityPoolName",
    "AllowUnauthenticatedIdentities": "allowUnauthenticatedIdentities",
    "AllowClassicFlow": "allowClassicFlow",
}
"""Parameters of the calls that create and update an identity pool, each with its Pulumi property."""
SET_ROLES = DriverCall("SetIdentityPoolRoles", {"IdentityPoolId": "identityPoolId", "Roles": "roles"})


DRIVERS = (
    Driver(
        type="aws:cognito/identityPool:IdentityPool",
        service="cognito-identity",
        create=(DriverCall("CreateIdentityPool", {**POOL, "IdentityPoolTags": "tags"}),),
        update=(DriverCall("UpdateIdentityPool", {**POOL, "IdentityPoolId": "id"}),),
        delete=(DriverCall("DeleteIdentityPool", {"IdentityPoolId": "id"}),),
        id=from_response("CreateIdentityPool", "IdentityPoolId"),
        outputs={"arn": from_template(f"arn:aws:cognito-identity:{REGION}:{ACCOUNT}:identitypool/{{id}}")},
    ),
    Driver(
        type="aws:cognito/identityPoolRoleAttachment:IdentityPoolRoleAttachment",
        service="cognito-identity",
        create=(SET_ROLES,),
        update=(SET_ROLES,),
        # The API has no operation that removes the roles, so an empty map replaces them.
        delete=(DriverCall("SetIdentityPoolRoles", {"IdentityPoolId": "identityPoolId", "Roles": constant({})}),),
        id="identityPoolId",
    ),
)
