"""Drivers of IAM roles and their policies, Cognito identity pools, and AgentCore memories.

A driver lists a resource type's AWS calls for the local platform. A call passes each property as the parameter of the
same name, or of its name in `api_names`, or as a member of its `parent_parameter`. `only_properties` limits these
properties. The call's dictionary maps other parameters to a property or a computed value. If no `update` call uses a
changed property other than `tags`, the resource is replaced. `model.py` describes all fields.

A strategy of a memory has no operations of its own: UpdateMemory adds, changes and deletes the strategies of a memory.
"""

from typing import Any

from local import ACCOUNT, REGION
from local.drivers.model import (
    ComputedValue,
    Driver,
    DriverCall,
    ResourceValues,
    computed_from,
    constant,
    from_response,
    from_template,
)
from local.property_values import UNKNOWN

STRATEGY_MEMBERS = {"SEMANTIC": "semanticMemoryStrategy", "SUMMARIZATION": "summaryMemoryStrategy"}
"""Member of an item of `addMemoryStrategies` that describes a strategy, by the strategy's type."""


@computed_from("type", "name", "namespaceTemplates")
def added_strategies(kind: str, name: str, namespaces: list[str]) -> list[Any]:
    """Return the strategy to add, in UpdateMemory's form: a list with one item."""
    return [{STRATEGY_MEMBERS[kind]: {"name": name, "namespaceTemplates": namespaces}}]


def _strategy_id(values: ResourceValues) -> Any:
    """Return the id of the strategy with this name in UpdateMemory's response, or UNKNOWN before that call."""
    strategies = values.responses.get("UpdateMemory", {}).get("memory", {}).get("strategies", [])
    return next((strategy["strategyId"] for strategy in strategies if strategy["name"] == values["name"]), UNKNOWN)


PUT_POLICY = DriverCall("PutRolePolicy")
SET_ROLES = DriverCall("SetIdentityPoolRoles")

DRIVERS = (
    Driver(
        type="aws:iam/role:Role",
        service="iam",
        api_names={
            "name": "RoleName",
            "assumeRolePolicy": ("AssumeRolePolicyDocument", "PolicyDocument"),  # in CreateRole, and in the update
        },
        create=(DriverCall("CreateRole"),),
        update=(
            DriverCall("UpdateAssumeRolePolicy"),
            DriverCall("PutRolePermissionsBoundary", if_property="permissionsBoundary"),
        ),
        delete=(DriverCall("DeleteRole"),),
        id="name",
        outputs={"arn": from_response("CreateRole", "Role.Arn")},
    ),
    Driver(
        type="aws:iam/rolePolicy:RolePolicy",
        service="iam",
        api_names={"role": "RoleName", "name": "PolicyName", "policy": "PolicyDocument"},
        create=(PUT_POLICY,),
        update=(PUT_POLICY,),
        delete=(DriverCall("DeleteRolePolicy"),),
        id=from_template("{role}:{name}"),
    ),
    Driver(
        type="aws:cognito/identityPool:IdentityPool",
        service="cognito-identity",
        api_names={"id": "IdentityPoolId", "tags": "IdentityPoolTags"},
        create=(DriverCall("CreateIdentityPool"),),
        update=(DriverCall("UpdateIdentityPool"),),
        delete=(DriverCall("DeleteIdentityPool"),),
        id=from_response("CreateIdentityPool", "IdentityPoolId"),
        outputs={"arn": from_template(f"arn:aws:cognito-identity:{REGION}:{ACCOUNT}:identitypool/{{id}}")},
    ),
    Driver(
        type="aws:cognito/identityPoolRoleAttachment:IdentityPoolRoleAttachment",
        service="cognito-identity",
        create=(SET_ROLES,),
        update=(SET_ROLES,),
        # The API has no operation that removes the roles, so an empty map replaces them.
        delete=(DriverCall("SetIdentityPoolRoles", {"Roles": constant({})}, only_properties=("identityPoolId",)),),
        id="identityPoolId",
    ),
    Driver(
        type="aws:bedrock/agentcoreMemory:AgentcoreMemory",
        service="bedrock-agentcore-control",
        api_names={"id": "memoryId"},
        create=(DriverCall("CreateMemory"),),
        update=(DriverCall("UpdateMemory"),),
        delete=(DriverCall("DeleteMemory"),),
        id=from_response("CreateMemory", "memory.id"),
        outputs={"arn": from_response("CreateMemory", "memory.arn")},
    ),
    Driver(
        type="aws:bedrock/agentcoreMemoryStrategy:AgentcoreMemoryStrategy",
        service="bedrock-agentcore-control",
        api_names={"id": "memoryStrategyId"},
        create=(DriverCall("UpdateMemory", {"memoryStrategies.addMemoryStrategies": added_strategies}),),
        update=(DriverCall("UpdateMemory", parent_parameter="memoryStrategies.modifyMemoryStrategies"),),
        delete=(
            DriverCall(
                "UpdateMemory",
                parent_parameter="memoryStrategies.deleteMemoryStrategies",
                # Otherwise, a description of the strategy would become the description of the memory.
                only_properties=("id", "memoryId"),
            ),
        ),
        id=ComputedValue(_strategy_id),
        outputs={"memoryStrategyId": ComputedValue(_strategy_id)},
    ),
)
