"""Drivers of IAM roles and their inline policies: the API calls that create, update and delete them."""

from local.drivers.model import Driver, DriverCall, from_response, from_template

PUT_POLICY = DriverCall("PutRolePolicy", {"RoleName": "role", "PolicyName": "name", "PolicyDocument": "policy"})

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
        create=(PUT_POLICY,),
        update=(PUT_POLICY,),
        delete=(DriverCall("DeleteRolePolicy", {"RoleName": "role", "PolicyName": "name"}),),
        id=from_template("{role}:{name}"),
    ),
)
