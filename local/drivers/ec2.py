"""Drivers of VPCs, subnets, internet gateways, route tables, routes, endpoints and security groups: the
API calls that create, update and delete them.
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
    name_or_prefixed,
)


def _tags(kind: str) -> dict[str, Source]:
    """Return the parameters for the tags of a new resource. `kind` is EC2's name of the resource type, such as `vpc`."""
    return {"TagSpecifications.ResourceType": constant(kind), "TagSpecifications.Tags": "tags"}


RULE: dict[str, Source] = {
    "GroupId": "securityGroupId",
    "IpPermissions.IpProtocol": "ipProtocol",
    "IpPermissions.FromPort": "fromPort",
    "IpPermissions.ToPort": "toPort",
    "IpPermissions.IpRanges.CidrIp": "cidrIpv4",
    "IpPermissions.UserIdGroupPairs.GroupId": "referencedSecurityGroupId",
}
"""Parameters of the calls that add and revoke a rule of a security group, each with its Pulumi property."""


def _rule_driver(direction: str) -> Driver:
    """Return the driver of security group rules for a direction, `Ingress` or `Egress`."""
    return Driver(
        type=f"aws:vpc/securityGroup{direction}Rule:SecurityGroup{direction}Rule",
        service="ec2",
        create=(DriverCall(f"AuthorizeSecurityGroup{direction}", {**RULE, **_tags("security-group-rule")}),),
        delete=(DriverCall(f"RevokeSecurityGroup{direction}", RULE),),
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
            DriverCall("CreateVpc", {"CidrBlock": "cidrBlock", **_tags("vpc")}),
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
                    **_tags("subnet"),
                },
            ),
            DriverCall(
                "ModifySubnetAttribute",
                {"SubnetId": from_response("CreateSubnet", "Subnet.SubnetId"), **PUBLIC_ADDRESSES},
                when="mapPublicIpOnLaunch",
            ),
        ),
        update=(DriverCall("ModifySubnetAttribute", {"SubnetId": "id", **PUBLIC_ADDRESSES}),),
        delete=(DriverCall("DeleteSubnet", {"SubnetId": "id"}),),
        id=from_response("CreateSubnet", "Subnet.SubnetId"),
    ),
    Driver(
        type="aws:ec2/internetGateway:InternetGateway",
        service="ec2",
        create=(
            DriverCall("CreateInternetGateway", _tags("internet-gateway")),
            DriverCall("AttachInternetGateway", {"InternetGatewayId": GATEWAY_ID, "VpcId": "vpcId"}, when="vpcId"),
        ),
        delete=(
            DriverCall("DetachInternetGateway", {"InternetGatewayId": "id", "VpcId": "vpcId"}),
            DriverCall("DeleteInternetGateway", {"InternetGatewayId": "id"}),
        ),
        id=GATEWAY_ID,
    ),
    Driver(
        type="aws:ec2/routeTable:RouteTable",
        service="ec2",
        create=(DriverCall("CreateRouteTable", {"VpcId": "vpcId", **_tags("route-table")}),),
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
        type="aws:ec2/route:Route",
        service="ec2",
        create=(
            DriverCall(
                "CreateRoute",
                {
                    "RouteTableId": "routeTableId",
                    "DestinationCidrBlock": "destinationCidrBlock",
                    "GatewayId": "gatewayId",
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
                    **_tags("vpc-endpoint"),
                },
            ),
        ),
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
                    **_tags("security-group"),
                },
            ),
        ),
        delete=(DriverCall("DeleteSecurityGroup", {"GroupId": "id"}),),
        id=from_response("CreateSecurityGroup", "GroupId"),
        ignored={"revokeRulesOnDelete": "the emulator deletes a security group together with its rules"},
    ),
    _rule_driver("Ingress"),
    _rule_driver("Egress"),
)
