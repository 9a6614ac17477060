"""Networks: what attached functions and jobs stand in."""

from typing import Any

from local.platform.drivers.model import (
    ComputedValue,
    Driver,
    DriverCall,
    ResourceValues,
    computed_from,
    from_response,
    name_or_prefixed,
)
from local.preview.property_values import UNKNOWN


def _tagged(kind: str) -> ComputedValue:
    """Tags as EC2 takes them when something is created."""

    @computed_from("tags")
    def specification(tags: dict[str, str] | None) -> list[dict[str, Any]]:
        listed = [{"Key": key, "Value": value} for key, value in sorted((tags or {}).items())]
        return [{"ResourceType": kind, "Tags": listed}]

    return specification


@computed_from("fromPort", "toPort", "ipProtocol", "cidrIpv4", "referencedSecurityGroupId")
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
            DriverCall(
                add,
                {
                    "GroupId": "securityGroupId",
                    "IpPermissions": permission,
                    "TagSpecifications": _tagged("security-group-rule"),
                },
            ),
        ),
        delete=(DriverCall(revoke, {"GroupId": "securityGroupId", "IpPermissions": permission}),),
        id=ComputedValue(_rule_id),
    )


def _rule_id(known: ResourceValues) -> str:
    answers = list(known.answers.values())
    rules = answers[0].get("SecurityGroupRules") if answers else None
    return str(rules[0]["SecurityGroupRuleId"]) if rules else f"{known['securityGroupId']}:{known['ipProtocol']}"


def _default_group(known: ResourceValues) -> list[dict[str, Any]]:
    return [{"Name": "vpc-id", "Values": [known["vpcId"]]}, {"Name": "group-name", "Values": ["default"]}]


def _found_group(known: ResourceValues) -> Any:
    groups = known.answers.get("DescribeSecurityGroups", {}).get("SecurityGroups")
    return groups[0]["GroupId"] if groups else UNKNOWN


def _route_id(known: ResourceValues) -> str:
    return f"{known['routeTableId']}_{known['destinationCidrBlock']}"


def _id_list(known: ResourceValues) -> list[str]:
    return [known["id"]]


PUBLIC = {"MapPublicIpOnLaunch.Value": "mapPublicIpOnLaunch"}
GATEWAY = from_response("CreateInternetGateway", "InternetGateway.InternetGatewayId")

DRIVERS = (
    Driver(
        type="aws:ec2/vpc:Vpc",
        service="ec2",
        create=(
            DriverCall("CreateVpc", {"CidrBlock": "cidrBlock", "TagSpecifications": _tagged("vpc")}),
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
        type="aws:ec2/defaultSecurityGroup:DefaultSecurityGroup",
        service="ec2",
        # Taken over rather than made: the provider finds the network's own group and removes its rules.
        create=(DriverCall("DescribeSecurityGroups", {"Filters": ComputedValue(_default_group, ("vpcId",))}),),
        id=ComputedValue(_found_group),
        ignored={"tags": "set by the provider when it takes the group over"},
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
                    "TagSpecifications": _tagged("subnet"),
                },
            ),
            DriverCall(
                "ModifySubnetAttribute",
                {"SubnetId": from_response("CreateSubnet", "Subnet.SubnetId"), **PUBLIC},
                when="mapPublicIpOnLaunch",
            ),
        ),
        update=(DriverCall("ModifySubnetAttribute", {"SubnetId": "id", **PUBLIC}),),
        delete=(DriverCall("DeleteSubnet", {"SubnetId": "id"}),),
        id=from_response("CreateSubnet", "Subnet.SubnetId"),
    ),
    Driver(
        type="aws:ec2/internetGateway:InternetGateway",
        service="ec2",
        create=(
            DriverCall("CreateInternetGateway", {"TagSpecifications": _tagged("internet-gateway")}),
            DriverCall("AttachInternetGateway", {"InternetGatewayId": GATEWAY, "VpcId": "vpcId"}, when="vpcId"),
        ),
        delete=(
            DriverCall("DetachInternetGateway", {"InternetGatewayId": "id", "VpcId": "vpcId"}),
            DriverCall("DeleteInternetGateway", {"InternetGatewayId": "id"}),
        ),
        id=GATEWAY,
    ),
    Driver(
        type="aws:ec2/routeTable:RouteTable",
        service="ec2",
        create=(DriverCall("CreateRouteTable", {"VpcId": "vpcId", "TagSpecifications": _tagged("route-table")}),),
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
        create=(DriverCall("AllocateAddress", {"Domain": "domain", "TagSpecifications": _tagged("elastic-ip")}),),
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
                    "TagSpecifications": _tagged("natgateway"),
                },
            ),
        ),
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
        id=ComputedValue(_route_id, ("routeTableId", "destinationCidrBlock")),
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
                    "TagSpecifications": _tagged("vpc-endpoint"),
                },
            ),
        ),
        delete=(DriverCall("DeleteVpcEndpoints", {"VpcEndpointIds": ComputedValue(_id_list)}),),
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
                    "TagSpecifications": _tagged("security-group"),
                },
            ),
        ),
        delete=(DriverCall("DeleteSecurityGroup", {"GroupId": "id"}),),
        id=from_response("CreateSecurityGroup", "GroupId"),
        ignored={"revokeRulesOnDelete": "not a trait of the group: it says what a removal does"},
    ),
    _rule("Ingress"),
    _rule("Egress"),
)
