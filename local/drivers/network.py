"""Drivers of VPCs, subnets, internet gateways, route tables, routes, endpoints and security groups.

A driver lists a resource type's AWS calls for the local platform. A call passes each property as the parameter of the
same name, or of its name in `api_names`, or as a member of its `parent_parameter`. `only_properties` limits these
properties. The call's dictionary maps other parameters to a property or a computed value. If no `update` call uses a
changed property other than `tags`, the resource is replaced. `model.py` describes all fields.
"""

from local.drivers.model import (
    ComputedValue,
    Driver,
    DriverCall,
    ResourceValues,
    Source,
    constant,
    from_response,
    from_template,
    prefixed_name,
)


def _tags(kind: str) -> dict[str, Source]:
    """Return the parameters for the tags of a new resource. `kind` is the resource type in EC2, such as `vpc`."""
    return {"TagSpecifications.ResourceType": constant(kind), "TagSpecifications.Tags": "tags"}


RULE_SOURCES: dict[str, Source] = {
    "IpPermissions.IpRanges.CidrIp": "cidrIpv4",
    "IpPermissions.UserIdGroupPairs.GroupId": "referencedSecurityGroupId",
}
"""Parameters of the calls that add and revoke a rule of a security group, each with its Pulumi property. The rule's
other properties become members of `IpPermissions`, the calls' `parent_parameter`."""


def _rule_driver(direction: str) -> Driver:
    """Return the driver of security group rules for a direction, `Ingress` or `Egress`."""
    authorize, revoke = f"AuthorizeSecurityGroup{direction}", f"RevokeSecurityGroup{direction}"
    return Driver(
        type=f"aws:vpc/securityGroup{direction}Rule:SecurityGroup{direction}Rule",
        service="ec2",
        api_names={"securityGroupId": "GroupId"},
        create=(DriverCall(authorize, RULE_SOURCES | _tags("security-group-rule"), parent_parameter="IpPermissions"),),
        delete=(DriverCall(revoke, RULE_SOURCES, parent_parameter="IpPermissions"),),
        id=ComputedValue(_rule_id),
    )


def _rule_id(values: ResourceValues) -> str:
    """Return the rule's id in the response to its creation. Without one, return group and protocol as its id."""
    responses = list(values.responses.values())
    rules = responses[0].get("SecurityGroupRules") if responses else None
    return str(rules[0]["SecurityGroupRuleId"]) if rules else f"{values['securityGroupId']}:{values['ipProtocol']}"


DRIVERS = (
    Driver(
        type="aws:ec2/vpc:Vpc",
        service="ec2",
        api_names={"id": "VpcId"},
        create=(
            DriverCall("CreateVpc", _tags("vpc")),
            *(
                # EC2 changes only one attribute at a time.
                DriverCall(
                    "ModifyVpcAttribute", {f"{attribute}.Value": name}, only_properties=("id",), if_property=name
                )
                for attribute, name in (
                    ("EnableDnsSupport", "enableDnsSupport"),
                    ("EnableDnsHostnames", "enableDnsHostnames"),
                )
            ),
        ),
        delete=(DriverCall("DeleteVpc"),),
        id=from_response("CreateVpc", "Vpc.VpcId"),
    ),
    Driver(
        type="aws:ec2/subnet:Subnet",
        service="ec2",
        api_names={"id": "SubnetId"},
        create=(DriverCall("CreateSubnet", _tags("subnet")),),
        delete=(DriverCall("DeleteSubnet"),),
        id=from_response("CreateSubnet", "Subnet.SubnetId"),
        ignored={"mapPublicIpOnLaunch": "it is always false, which is also EC2's default"},
    ),
    Driver(
        type="aws:ec2/internetGateway:InternetGateway",
        service="ec2",
        api_names={"id": "InternetGatewayId"},
        create=(
            DriverCall("CreateInternetGateway", _tags("internet-gateway")),
            DriverCall("AttachInternetGateway", if_property="vpcId"),
        ),
        delete=(DriverCall("DetachInternetGateway"), DriverCall("DeleteInternetGateway")),
        id=from_response("CreateInternetGateway", "InternetGateway.InternetGatewayId"),
    ),
    Driver(
        type="aws:ec2/routeTable:RouteTable",
        service="ec2",
        api_names={"id": "RouteTableId"},
        create=(DriverCall("CreateRouteTable", _tags("route-table")),),
        delete=(DriverCall("DeleteRouteTable"),),
        id=from_response("CreateRouteTable", "RouteTable.RouteTableId"),
    ),
    Driver(
        type="aws:ec2/routeTableAssociation:RouteTableAssociation",
        service="ec2",
        api_names={"id": "AssociationId"},
        create=(DriverCall("AssociateRouteTable"),),
        delete=(DriverCall("DisassociateRouteTable"),),
        id=from_response("AssociateRouteTable", "AssociationId"),
    ),
    Driver(
        type="aws:ec2/route:Route",
        service="ec2",
        create=(DriverCall("CreateRoute"),),
        delete=(DriverCall("DeleteRoute"),),
        id=from_template("{routeTableId}_{destinationCidrBlock}"),
    ),
    Driver(
        type="aws:ec2/vpcEndpoint:VpcEndpoint",
        service="ec2",
        api_names={"id": "VpcEndpointId", "policy": "PolicyDocument"},
        create=(DriverCall("CreateVpcEndpoint", _tags("vpc-endpoint")),),
        delete=(DriverCall("DeleteVpcEndpoints"),),
        id=from_response("CreateVpcEndpoint", "VpcEndpoint.VpcEndpointId"),
    ),
    Driver(
        type="aws:ec2/securityGroup:SecurityGroup",
        service="ec2",
        api_names={"id": "GroupId"},
        create=(DriverCall("CreateSecurityGroup", {"GroupName": prefixed_name, **_tags("security-group")}),),
        delete=(DriverCall("DeleteSecurityGroup"),),
        id=from_response("CreateSecurityGroup", "GroupId"),
        ignored={"revokeRulesOnDelete": "the emulator deletes a security group together with its rules"},
    ),
    _rule_driver("Ingress"),
    _rule_driver("Egress"),
)
