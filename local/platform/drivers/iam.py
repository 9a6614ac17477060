"""Drivers of IAM roles and their inline policies."""

from local.platform.driver_model.driver import ComputedValue, Driver, DriverCall, ResourceValues, from_response

POLICY = DriverCall("PutRolePolicy", {"RoleName": "role", "PolicyName": "name", "PolicyDocument": "policy"})


def _policy_id(values: ResourceValues) -> str:
    return f"{values['role']}:{values['name']}"


DRIVERS = (
    Driver(
        type="aws:iam/role:Role",
        service="iam",
        create=(
            DriverCall(
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
            DriverCall("UpdateAssumeRolePolicy", {"RoleName": "name", "PolicyDocument": "assumeRolePolicy"}),
            DriverCall("TagRole", {"RoleName": "name", "Tags": "tags"}),
            DriverCall(
                "PutRolePermissionsBoundary",
                {"RoleName": "name", "PermissionsBoundary": "permissionsBoundary"},
                when="permissionsBoundary",
            ),
        ),
        delete=(DriverCall("DeleteRole", {"RoleName": "name"}),),
        id="name",
        outputs={"arn": from_response("CreateRole", "Role.Arn")},
    ),
    Driver(
        type="aws:iam/rolePolicy:RolePolicy",
        service="iam",
        create=(POLICY,),
        update=(POLICY,),
        delete=(DriverCall("DeleteRolePolicy", {"RoleName": "role", "PolicyName": "name"}),),
        id=ComputedValue(_policy_id),
    ),
)
