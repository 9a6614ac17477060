"""Networks: what attached functions and jobs stand in."""

from typing import Any

from local.platform.drivers.model import Call, Driver, Known, Made, answered, made, named
from local.preview.property_values import UNKNOWN


def _tagged(kind: str) -> Made:
    """Tags as EC2 takes them when something is created."""

    @made("tags")
    def specification(tags: dict[str, str] | None) -> list[dict[str, Any]]:
        listed = [{"Key": key, "Value": value} for key, value in sorted((tags or {}).items())]
        return [{"ResourceType": kind, "Tags": listed}]

    return specification


@made("fromPort", "toPort", "ipProtocol", "cidrIpv4", "referencedSecurityGroupId")
def permission(low: int | None, high: int | None, protocol: str, cidr: str | None, group: str | None) -> list[Any]:
    """One rule of a security group."""
    rule: dict[str, Any] = {"IpProtocol": protocol}
    if low is not None:
        rule |= {"FromPort": low, "ToPort": high}
    if cidr is not None:
        rule["IpRanges"] = [{"CidrIp": cidr}]
    if group is not None:
        rule["UserIdGroupPairs"] = [{"GroupId": group}]
    return [rule]


def _rule(direction: str) -> Driver:
    add, revoke = f"AuthorizeSecurityGroup{direction}", f"RevokeSecurityGroup{direction}"
    return Driver(
        type=f"aws:vpc/securityGroup{direction}Rule:SecurityGroup{direction}Rule",
        service="ec2",
        create=(
            Call(
                add,
                {
                    "GroupId": "securityGroupId",
                    "IpPermissions": permission,
                    "TagSpecifications": _tagged("security-group-rule"),
                },
            ),
        ),
        delete=(Call(revoke, {"GroupId": "securityGroupId", "IpPermissions": permission}),),
        id=Made(_rule_id),
    )


def _rule_id(known: Known) -> str:
    answers = list(known.answers.values())
    rules = answers[0].get("SecurityGroupRules") if answers else None
    return str(rules[0]["SecurityGroupRuleId"]) if rules else f"{known['securityGroupId']}:{known['ipProtocol']}"


def _default_group(known: Known) -> list[dict[str, Any]]:
    return [{"Name": "vpc-id", "Values": [known["vpcId"]]}, {"Name": "group-name", "Values": ["default"]}]


def _found_group(known: Known) -> Any:
    groups = known.answers.get("DescribeSecurityGroups", {}).get("SecurityGroups")
    return groups[0]["GroupId"] if groups else UNKNOWN


def _route_id(known: Known) -> str:
    return f"{known['routeTableId']}_{known['destinationCidrBlock']}"


def _id_list(known: Known) -> list[str]:
    return [known["id"]]


PUBLIC = {"MapPublicIpOnLaunch.Value": "mapPublicIpOnLaunch"}
GATEWAY = answered("CreateInternetGateway", "InternetGateway.InternetGatewayId")

DRIVERS = (
    Driver(
        type="aws:ec2/vpc:Vpc",
        service="ec2",
        create=(
            Call("CreateVpc", {"CidrBlock": "cidrBlock", "TagSpecifications": _tagged("vpc")}),
            Call(
                "ModifyVpcAttribute",
                {"VpcId": answered("CreateVpc", "Vpc.VpcId"), "EnableDnsSupport.Value": "enableDnsSupport"},
                when="enableDnsSupport",
            ),
            Call(
                "ModifyVpcAttribute",
                {"VpcId": answered("CreateVpc", "Vpc.VpcId"), "EnableDnsHostnames.Value": "enableDnsHostnames"},
                when="enableDnsHostnames",
            ),
        ),
        delete=(Call("DeleteVpc", {"VpcId": "id"}),),
        id=answered("CreateVpc", "Vpc.VpcId"),
    ),
    Driver(
        type="aws:ec2/defaultSecurityGroup:DefaultSecurityGroup",
        service="ec2",
        # Taken over rather than made: the provider finds the network's own group and removes its rules.
        create=(Call("DescribeSecurityGroups", {"Filters": Made(_default_group, ("vpcId",))}),),
        id=Made(_found_group),
        ignored={"tags": "set by the provider when it takes the group over"},
    ),
    Driver(
        type="aws:ec2/subnet:Subnet",
        service="ec2",
        create=(
            Call(
                "CreateSubnet",
                {
                    "VpcId": "vpcId",
                    "CidrBlock": "cidrBlock",
                    "AvailabilityZone": "availabilityZone",
                    "TagSpecifications": _tagged("subnet"),
                },
            ),
            Call(
                "ModifySubnetAttribute",
                {"SubnetId": answered("CreateSubnet", "Subnet.SubnetId"), **PUBLIC},
                when="mapPublicIpOnLaunch",
            ),
        ),
        update=(Call("ModifySubnetAttribute", {"SubnetId": "id", **PUBLIC}),),
        delete=(Call("DeleteSubnet", {"SubnetId": "id"}),),
        id=answered("CreateSubnet", "Subnet.SubnetId"),
    ),
    Driver(
        type="aws:ec2/internetGateway:InternetGateway",
        service="ec2",
        create=(
            Call("CreateInternetGateway", {"TagSpecifications": _tagged("internet-gateway")}),
            Call("AttachInternetGateway", {"InternetGatewayId": GATEWAY, "VpcId": "vpcId"}, when="vpcId"),
        ),
        delete=(
            Call("DetachInternetGateway", {"InternetGatewayId": "id", "VpcId": "vpcId"}),
            Call("DeleteInternetGateway", {"InternetGatewayId": "id"}),
        ),
        id=GATEWAY,
    ),
    Driver(
        type="aws:ec2/routeTable:RouteTable",
        service="ec2",
        create=(Call("CreateRouteTable", {"VpcId": "vpcId", "TagSpecifications": _tagged("route-table")}),),
        delete=(Call("DeleteRouteTable", {"RouteTableId": "id"}),),
        id=answered("CreateRouteTable", "RouteTable.RouteTableId"),
    ),
    Driver(
        type="aws:ec2/routeTableAssociation:RouteTableAssociation",
        service="ec2",
        create=(Call("AssociateRouteTable", {"SubnetId": "subnetId", "RouteTableId": "routeTableId"}),),
        delete=(Call("DisassociateRouteTable", {"AssociationId": "id"}),),
        id=answered("AssociateRouteTable", "AssociationId"),
    ),
    Driver(
        type="aws:ec2/eip:Eip",
        service="ec2",
        create=(Call("AllocateAddress", {"Domain": "domain", "TagSpecifications": _tagged("elastic-ip")}),),
        delete=(Call("ReleaseAddress", {"AllocationId": "id"}),),
        id=answered("AllocateAddress", "AllocationId"),
        outputs={
            "allocationId": answered("AllocateAddress", "AllocationId"),
            "publicIp": answered("AllocateAddress", "PublicIp"),
        },
    ),
    Driver(
        type="aws:ec2/natGateway:NatGateway",
        service="ec2",
        create=(
            Call(
                "CreateNatGateway",
                {
                    "AllocationId": "allocationId",
                    "SubnetId": "subnetId",
                    "ConnectivityType": "connectivityType",
                    "TagSpecifications": _tagged("natgateway"),
                },
            ),
        ),
        delete=(Call("DeleteNatGateway", {"NatGatewayId": "id"}),),
        id=answered("CreateNatGateway", "NatGateway.NatGatewayId"),
    ),
    Driver(
        type="aws:ec2/route:Route",
        service="ec2",
        create=(
            Call(
                "CreateRoute",
                {
                    "RouteTableId": "routeTableId",
                    "DestinationCidrBlock": "destinationCidrBlock",
                    "GatewayId": "gatewayId",
                    "NatGatewayId": "natGatewayId",
                },
            ),
        ),
        delete=(Call("DeleteRoute", {"RouteTableId": "routeTableId", "DestinationCidrBlock": "destinationCidrBlock"}),),
        id=Made(_route_id, ("routeTableId", "destinationCidrBlock")),
    ),
    Driver(
        type="aws:ec2/vpcEndpoint:VpcEndpoint",
        service="ec2",
        create=(
            Call(
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
                    "TagSpecifications": _tagged("vpc-endpoint"),
                },
            ),
        ),
        delete=(Call("DeleteVpcEndpoints", {"VpcEndpointIds": Made(_id_list)}),),
        id=answered("CreateVpcEndpoint", "VpcEndpoint.VpcEndpointId"),
    ),
    Driver(
        type="aws:ec2/securityGroup:SecurityGroup",
        service="ec2",
        create=(
            Call(
                "CreateSecurityGroup",
                {
                    "GroupName": named,
                    "Description": "description",
                    "VpcId": "vpcId",
                    "TagSpecifications": _tagged("security-group"),
                },
            ),
        ),
        delete=(Call("DeleteSecurityGroup", {"GroupId": "id"}),),
        id=answered("CreateSecurityGroup", "GroupId"),
        ignored={"revokeRulesOnDelete": "not a trait of the group: it says what a removal does"},
    ),
    _rule("Ingress"),
    _rule("Egress"),
)
