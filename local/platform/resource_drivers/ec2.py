"""Drivers of VPCs and their parts: subnets, gateways, routes, endpoints and security groups."""

from typing import Any

from local.platform.driver_model.driver import (
    ComputedValue,
    Driver,
    DriverCall,
    ResourceValues,
    computed_from,
    from_response,
    from_template,
    name_or_prefixed,
)


def _tag_specifications(kind: str) -> ComputedValue:
    """Return the tags in the form of EC2's create operations. `kind` is EC2's name of the resource type, such as `vpc`."""

    @computed_from("tags")
    def specification(tags: dict[str, str] | None) -> list[dict[str, Any]]:
        listed = [{"Key": key, "Value": value} for key, value in sorted((tags or {}).items())]
        return [{"ResourceType": kind, "Tags": listed}]

    return specification


TAG = DriverCall("CreateTags", {"Resources": "id", "Tags": "tags"})


@computed_from("fromPort", "toPort", "ipProtocol", "cidrIpv4", "referencedSecurityGroupId")
def rule_permissions(
    low: int | None, high: int | None, protocol: str, cidr: str | None, group: str | None
) -> list[Any]:
    """Return a rule of a security group in EC2's form: a list with one item."""
    rule: dict[str, Any] = {"IpProtocol": protocol}
    if low is not None:
        rule |= {"FromPort": low, "ToPort": high}
    if cidr is not None:
        rule["IpRanges"] = [{"CidrIp": cidr}]
    if group is not None:
        rule["UserIdGroupPairs"] = [{"GroupId": group}]
    return [rule]


def _rule_driver(direction: str) -> Driver:
    """Return the driver of security group rules for a direction, `Ingress` or `Egress`."""
    add, revoke = f"AuthorizeSecurityGroup{direction}", f"RevokeSecurityGroup{direction}"
    return Driver(
        type=f"aws:vpc/securityGroup{direction}Rule:SecurityGroup{direction}Rule",
        service="ec2",
        create=(
            DriverCall(
                add,
                {
                    "GroupId": "securityGroupId",
                    "IpPermissions": rule_permissions,
                    "TagSpecifications": _tag_specifications("security-group-rule"),
                },
            ),
        ),
        update=(TAG,),
        delete=(DriverCall(revoke, {"GroupId": "securityGroupId", "IpPermissions": rule_permissions}),),
        id=ComputedValue(_rule_id),
    )


def _rule_id(values: ResourceValues) -> str:
    """Return the rule's id. If the response to the rule's creation lacks it, return a text made of group and protocol."""
    responses = list(values.responses.values())
    rules = responses[0].get("SecurityGroupRules") if responses else None
    return str(rules[0]["SecurityGroupRuleId"]) if rules else f"{values['securityGroupId']}:{values['ipProtocol']}"


PUBLIC_ADDRESSES = {"MapPublicIpOnLaunch.Value": "mapPublicIpOnLaunch"}
"""Parameter that gives instances in a subnet public IP addresses."""
GATEWAY_ID = from_response("CreateInternetGateway", "InternetGateway.InternetGatewayId")

DRIVERS = (
    Driver(
        type="aws:ec2/vpc:Vpc",
        service="ec2",
        create=(
            DriverCall("CreateVpc", {"CidrBlock": "cidrBlock", "TagSpecifications": _tag_specifications("vpc")}),
            DriverCall(
                "ModifyVpcAttribute",
                {"VpcId": from_response("CreateVpc", "Vpc.VpcId"), "EnableDnsSupport.Value": "enableDnsSupport"},
                when="enableDnsSupport",
            ),
            DriverCall(
                "ModifyVpcAttribute",
                {"VpcId": from_response("CreateVpc", "Vpc.VpcId"), "EnableDnsHostnames.Value": "enableDnsHostnames"},
                when="enableDnsHostnames",
            ),
        ),
        update=(TAG,),
        delete=(DriverCall("DeleteVpc", {"VpcId": "id"}),),
        id=from_response("CreateVpc", "Vpc.VpcId"),
    ),
    Driver(
        type="aws:ec2/subnet:Subnet",
        service="ec2",
        create=(
            DriverCall(
                "CreateSubnet",
                {
                    "VpcId": "vpcId",
                    "CidrBlock": "cidrBlock",
                    "AvailabilityZone": "availabilityZone",
                    "TagSpecifications": _tag_specifications("subnet"),
                },
            ),
            DriverCall(
                "ModifySubnetAttribute",
                {"SubnetId": from_response("CreateSubnet", "Subnet.SubnetId"), **PUBLIC_ADDRESSES},
                when="mapPublicIpOnLaunch",
            ),
        ),
        update=(DriverCall("ModifySubnetAttribute", {"SubnetId": "id", **PUBLIC_ADDRESSES}), TAG),
        delete=(DriverCall("DeleteSubnet", {"SubnetId": "id"}),),
        id=from_response("CreateSubnet", "Subnet.SubnetId"),
    ),
    Driver(
        type="aws:ec2/internetGateway:InternetGateway",
        service="ec2",
        create=(
            DriverCall("CreateInternetGateway", {"TagSpecifications": _tag_specifications("internet-gateway")}),
            DriverCall("AttachInternetGateway", {"InternetGatewayId": GATEWAY_ID, "VpcId": "vpcId"}, when="vpcId"),
        ),
        update=(TAG,),
        delete=(
            DriverCall("DetachInternetGateway", {"InternetGatewayId": "id", "VpcId": "vpcId"}),
            DriverCall("DeleteInternetGateway", {"InternetGatewayId": "id"}),
        ),
        id=GATEWAY_ID,
    ),
    Driver(
        type="aws:ec2/routeTable:RouteTable",
        service="ec2",
        create=(
            DriverCall("CreateRouteTable", {"VpcId": "vpcId", "TagSpecifications": _tag_specifications("route-table")}),
        ),
        update=(TAG,),
        delete=(DriverCall("DeleteRouteTable", {"RouteTableId": "id"}),),
        id=from_response("CreateRouteTable", "RouteTable.RouteTableId"),
    ),
    Driver(
        type="aws:ec2/routeTableAssociation:RouteTableAssociation",
        service="ec2",
        create=(DriverCall("AssociateRouteTable", {"SubnetId": "subnetId", "RouteTableId": "routeTableId"}),),
        delete=(DriverCall("DisassociateRouteTable", {"AssociationId": "id"}),),
        id=from_response("AssociateRouteTable", "AssociationId"),
    ),
    Driver(
        type="aws:ec2/eip:Eip",
        service="ec2",
        create=(
            DriverCall("AllocateAddress", {"Domain": "domain", "TagSpecifications": _tag_specifications("elastic-ip")}),
        ),
        update=(TAG,),
        delete=(DriverCall("ReleaseAddress", {"AllocationId": "id"}),),
        id=from_response("AllocateAddress", "AllocationId"),
        outputs={
            "allocationId": from_response("AllocateAddress", "AllocationId"),
            "publicIp": from_response("AllocateAddress", "PublicIp"),
        },
    ),
    Driver(
        type="aws:ec2/natGateway:NatGateway",
        service="ec2",
        create=(
            DriverCall(
                "CreateNatGateway",
                {
                    "AllocationId": "allocationId",
                    "SubnetId": "subnetId",
                    "ConnectivityType": "connectivityType",
                    "TagSpecifications": _tag_specifications("natgateway"),
                },
            ),
        ),
        update=(TAG,),
        delete=(DriverCall("DeleteNatGateway", {"NatGatewayId": "id"}),),
        id=from_response("CreateNatGateway", "NatGateway.NatGatewayId"),
    ),
    Driver(
        type="aws:ec2/route:Route",
        service="ec2",
        create=(
            DriverCall(
                "CreateRoute",
                {
                    "RouteTableId": "routeTableId",
                    "DestinationCidrBlock": "destinationCidrBlock",
                    "GatewayId": "gatewayId",
                    "NatGatewayId": "natGatewayId",
                },
            ),
        ),
        delete=(
            DriverCall("DeleteRoute", {"RouteTableId": "routeTableId", "DestinationCidrBlock": "destinationCidrBlock"}),
        ),
        id=from_template("{routeTableId}_{destinationCidrBlock}"),
    ),
    Driver(
        type="aws:ec2/vpcEndpoint:VpcEndpoint",
        service="ec2",
        create=(
            DriverCall(
                "CreateVpcEndpoint",
                {
                    "VpcId": "vpcId",
                    "ServiceName": "serviceName",
                    "VpcEndpointType": "vpcEndpointType",
                    "PolicyDocument": "policy",
                    "RouteTableIds": "routeTableIds",
                    "SubnetIds": "subnetIds",
                    "SecurityGroupIds": "securityGroupIds",
                    "PrivateDnsEnabled": "privateDnsEnabled",
                    "TagSpecifications": _tag_specifications("vpc-endpoint"),
                },
            ),
        ),
        update=(TAG,),
        delete=(DriverCall("DeleteVpcEndpoints", {"VpcEndpointIds": "id"}),),
        id=from_response("CreateVpcEndpoint", "VpcEndpoint.VpcEndpointId"),
    ),
    Driver(
        type="aws:ec2/securityGroup:SecurityGroup",
        service="ec2",
        create=(
            DriverCall(
                "CreateSecurityGroup",
                {
                    "GroupName": name_or_prefixed,
                    "Description": "description",
                    "VpcId": "vpcId",
                    "TagSpecifications": _tag_specifications("security-group"),
                },
            ),
        ),
        update=(TAG,),
        delete=(DriverCall("DeleteSecurityGroup", {"GroupId": "id"}),),
        id=from_response("CreateSecurityGroup", "GroupId"),
        ignored={"revokeRulesOnDelete": "the emulator deletes a security group together with its rules"},
    ),
    _rule_driver("Ingress"),
    _rule_driver("Egress"),
)
