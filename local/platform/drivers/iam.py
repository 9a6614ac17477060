"""Roles and their own policies."""

from local.platform.drivers.model import Call, Driver, Known, Made, answered

POLICY = Call("PutRolePolicy", {"RoleName": "role", "PolicyName": "name", "PolicyDocument": "policy"})


def _policy_id(known: Known) -> str:
    return f"{known['role']}:{known['name']}"


DRIVERS = (
    Driver(
        type="aws:iam/role:Role",
        service="iam",
        create=(
            Call(
                "CreateRole",
                {
                    "RoleName": "name",
                    "AssumeRolePolicyDocument": "assumeRolePolicy",
                    "PermissionsBoundary": "permissionsBoundary",
                    "Tags": "tags",
                },
            ),
        ),
        update=(
            Call("UpdateAssumeRolePolicy", {"RoleName": "name", "PolicyDocument": "assumeRolePolicy"}),
            Call("TagRole", {"RoleName": "name", "Tags": "tags"}),
            Call(
                "PutRolePermissionsBoundary",
                {"RoleName": "name", "PermissionsBoundary": "permissionsBoundary"},
                when="permissionsBoundary",
            ),
        ),
        delete=(Call("DeleteRole", {"RoleName": "name"}),),
        id="name",
        outputs={"arn": answered("CreateRole", "Role.Arn")},
    ),
    Driver(
        type="aws:iam/rolePolicy:RolePolicy",
        service="iam",
        create=(POLICY,),
        update=(POLICY,),
        delete=(Call("DeleteRolePolicy", {"RoleName": "role", "PolicyName": "name"}),),
        id=Made(_policy_id),
    ),
)
