"""Network of the media jobs: public subnets, so that jobs reach the image registry without a NAT gateway, which costs
money.

The security group allows no inbound traffic. Jobs reach S3 and DynamoDB through gateway endpoints, which are free, so
the traffic with recordings stays in the AWS network.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
from pulumi_aws import ec2

from components.blocks.block import Block
from components.blocks.naming.physical_names import Kind
from components.blocks.naming.subsystem_scope import Scope
from components.blocks.network.egress_rules_and_endpoints import ANYWHERE, allow_egress, create_gateway_endpoints
from components.settings.meetings_media import MeetingNetworkSettings


@dataclass(frozen=True)
class JobNetworkArgs:
    scope: Scope
    settings: MeetingNetworkSettings


class JobNetwork(Block):
    """A VPC with public subnets, and a security group without inbound rules."""

    def __init__(self, short_name: str, args: JobNetworkArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("JobNetwork", short_name, args.scope, opts)
        scope, settings = args.scope, args.settings
        self._tags = scope.tags("JobNetwork")
        network = ec2.Vpc(
            self.part_name("vpc"),
            cidr_block=settings.cidr,
            enable_dns_support=True,
            enable_dns_hostnames=True,
            tags=self._tags,
            opts=self.part_options(),
        )
        routes = self._create_routes(network)
        self.subnet_ids = self._create_subnets(network, routes, settings)
        opts = self.part_options()
        create_gateway_endpoints(self.label, scope.context, network.id, routes.id, lambda _: self._tags, opts)
        group = ec2.SecurityGroup(
            self.part_name("group"),
            name_prefix=f"{scope.name(Kind.SECURITY_GROUP, short_name)}-",
            description="Jobs: out by HTTPS, nothing in",
            vpc_id=network.id,
            revoke_rules_on_delete=True,
            tags=self._tags,
            opts=self.part_options(),
        )
        allow_egress(self.part_name("out"), group.id, self._tags, opts)
        self.group_id = group.id
        self.register_outputs({"groupId": group.id})

    def _create_routes(self, network: ec2.Vpc) -> ec2.RouteTable:
        gateway = ec2.InternetGateway(
            self.part_name("gateway"), vpc_id=network.id, tags=self._tags, opts=self.part_options()
        )
        routes = ec2.RouteTable(self.part_name("routes"), vpc_id=network.id, tags=self._tags, opts=self.part_options())
        ec2.Route(
            self.part_name("way-out"),
            route_table_id=routes.id,
            destination_cidr_block=ANYWHERE,
            gateway_id=gateway.id,
            opts=self.part_options(),
        )
        return routes

    def _create_subnets(
        self, network: ec2.Vpc, routes: ec2.RouteTable, settings: MeetingNetworkSettings
    ) -> Sequence[pulumi.Output[str]]:
        """Create one public subnet in each zone, and return their ids."""
        subnet_ids = []
        for zone in settings.zones:
            subnet = ec2.Subnet(
                self.part_name(f"public-{zone}"),
                vpc_id=network.id,
                cidr_block=settings.subnet_cidr(zone),
                availability_zone=f"{self.scope.context.region}{zone}",
                map_public_ip_on_launch=False,  # each job requests a public address itself
                tags=self._tags,
                opts=self.part_options(),
            )
            ec2.RouteTableAssociation(
                self.part_name(f"routed-{zone}"),
                subnet_id=subnet.id,
                route_table_id=routes.id,
                opts=self.part_options(),
            )
            subnet_ids.append(subnet.id)
        return subnet_ids
