"""Identity pools and the roles of their identities."""

from local.platform.drivers.model import Call, Driver, Known, Made, answered, const
from local.preview.preview_provider import ACCOUNT, REGION
from local.preview.property_values import UNKNOWN

POOL = {
    "IdentityPoolName": "identityPoolName",
    "AllowUnauthenticatedIdentities": "allowUnauthenticatedIdentities",
    "AllowClassicFlow": "allowClassicFlow",
}
ROLES = Call("SetIdentityPoolRoles", {"IdentityPoolId": "identityPoolId", "Roles": "roles"})


def _arn(known: Known) -> object:
    return f"arn:aws:cognito-identity:{REGION}:{ACCOUNT}:identitypool/{known['id']}" if known.id else UNKNOWN


DRIVERS = (
    Driver(
        type="aws:cognito/identityPool:IdentityPool",
        service="cognito-identity",
        create=(Call("CreateIdentityPool", {**POOL, "IdentityPoolTags": "tags"}),),
        update=(
            Call("UpdateIdentityPool", {**POOL, "IdentityPoolId": "id"}),
            Call("TagResource", {"ResourceArn": "arn", "Tags": "tags"}),
        ),
        delete=(Call("DeleteIdentityPool", {"IdentityPoolId": "id"}),),
        id=answered("CreateIdentityPool", "IdentityPoolId"),
        outputs={"arn": Made(_arn)},
    ),
    Driver(
        type="aws:cognito/identityPoolRoleAttachment:IdentityPoolRoleAttachment",
        service="cognito-identity",
        create=(ROLES,),
        update=(ROLES,),
        # A pool always has its roles' setting; taking it away is setting none.
        delete=(Call("SetIdentityPoolRoles", {"IdentityPoolId": "identityPoolId", "Roles": const({})}),),
        id="identityPoolId",
    ),
)
