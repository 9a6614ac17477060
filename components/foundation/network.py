"""Network to which functions and Glue jobs are attached: an existing VPC, or a VPC that is built here.

The built subnets are private and have no route to the internet, and there is no NAT gateway. S3 and DynamoDB are
reached through gateway endpoints, which are free. Other services are reached through interface endpoints, which are
billed per hour and zone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
from pulumi_aws import ec2, vpc

from components.blocks.naming.subsystem_scope import Scope
from components.blocks.network.egress_rules_and_endpoints import (
    HTTPS,
    allow_egress,
    build_endpoint_policy,
    create_gateway_endpoints,
)
from components.settings.foundation import NetworkSettings


@dataclass(frozen=True)
class NetworkArgs:
    scope: Scope
    settings: NetworkSettings
    services: Mapping[str, str]
    """Services that need an endpoint in the network, in addition to S3 and DynamoDB: name of the service in its
    endpoint (`glue`) → reason. In a VPC that is built here, each service gets an interface endpoint with the reason as
    a tag."""


class Network(pulumi.ComponentResource):
    """Subnets and security groups for functions and Glue jobs."""

    def __init__(self, name: str, args: NetworkArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("polyphony:foundation:Network", name, None, opts)
        self._scope, self._settings = args.scope, args.settings
        self._child = pulumi.ResourceOptions(parent=self)
        self.subnet_ids: Sequence[pulumi.Input[str]]
        self.vpc_id: pulumi.Input[str]
        if args.settings.vpc_id is not None:
            self.vpc_id, self.subnet_ids = args.settings.vpc_id, args.settings.subnet_ids
        else:
            self.vpc_id, self.subnet_ids = self._build_vpc(args.services)
        self.vpc_arn = pulumi.Output.concat(self._scope.context.arn("ec2", "vpc/"), self.vpc_id)
        self.functions = self._create_group("functions", "Functions: out by HTTPS, nothing in")
        """Security group of functions."""
        allow_egress("foundation-network-functions-out", self.functions.id, self._tags("functions"), self._child)
        self.glue = self._create_group("glue", "Glue: its workers among themselves, out by HTTPS")
        """Security group of Glue jobs."""
        self._allow_within_group("glue", self.glue)
        allow_egress("foundation-network-glue-out", self.glue.id, self._tags("glue"), self._child)
        self.zone = f"{self._scope.context.region}{args.settings.zones[0]}"
        """Availability zone of the first subnet: the region and the first letter of the setting `network.zones`."""
        self.register_outputs({"vpcId": self.vpc_id})

    def _tags(self, name: str, reason: str | None = None) -> dict[str, str]:
        return self._scope.tags(f"{self._scope.context.stack_label}-{name}", {"Reason": reason})

    def _build_vpc(self, services: Mapping[str, str]) -> tuple[pulumi.Input[str], Sequence[pulumi.Input[str]]]:
        """Create the VPC with its subnets and endpoints. Return the ids of the VPC and of the subnets."""
        settings, region = self._settings, self._scope.context.region
        built = ec2.Vpc(
            "foundation-network-vpc",
            cidr_block=settings.cidr,
            enable_dns_support=True,
            enable_dns_hostnames=True,  # required for private DNS names of interface endpoints
            tags=self._tags("vpc"),
            opts=self._child,
        )
        routes = ec2.RouteTable(
            "foundation-network-routes", vpc_id=built.id, tags=self._tags("private"), opts=self._child
        )
        subnets = []
        for zone in settings.zones:
            subnet = ec2.Subnet(
                f"foundation-network-private-{zone}",
                vpc_id=built.id,
                cidr_block=settings.subnet_cidr(zone),
                availability_zone=f"{region}{zone}",
                map_public_ip_on_launch=False,
                tags=self._tags(f"private-{zone}"),
                opts=self._child,
            )
            ec2.RouteTableAssociation(
                f"foundation-network-routes-{zone}", subnet_id=subnet.id, route_table_id=routes.id, opts=self._child
            )
            subnets.append(subnet)
        create_gateway_endpoints(
            "foundation-network", self._scope.context, built.id, routes.id, self._tags, self._child
        )
        self.vpc_id = built.id
        self._create_interface_endpoints([subnet.id for subnet in subnets], services)
        return built.id, [subnet.id for subnet in subnets]

    def _create_interface_endpoints(self, subnets: Sequence[pulumi.Input[str]], services: Mapping[str, str]) -> None:
        if not services:
            return
        group = self._create_group("endpoints", "Endpoints: in by HTTPS from the network")
        vpc.SecurityGroupIngressRule(
            "foundation-network-endpoints-in",
            security_group_id=group.id,
            cidr_ipv4=self._settings.cidr,
            ip_protocol="tcp",
            from_port=HTTPS,
            to_port=HTTPS,
            tags=self._tags("endpoints"),
            opts=self._child,
        )
        for service, reason in sorted(services.items()):
            ec2.VpcEndpoint(
                f"foundation-network-{service}",
                vpc_id=self.vpc_id,
                service_name=f"com.amazonaws.{self._scope.context.region}.{service}",
                vpc_endpoint_type="Interface",
                policy=build_endpoint_policy(self._scope.context, service),
                private_dns_enabled=True,
                subnet_ids=list(subnets),
                security_group_ids=[group.id],
                tags=self._tags(service, reason),
                opts=self._child,
            )

    # The annotations of the next two functions are in quotes, so that importing this module does not load `ec2`. That
    # import is slow, and most stacks build no network.
    def _create_group(self, name: str, description: str) -> "ec2.SecurityGroup":
        return ec2.SecurityGroup(
            f"foundation-network-{name}-group",
            name_prefix=f"{self._scope.context.stack_label}-{name}-",
            description=description,
            vpc_id=self.vpc_id,
            revoke_rules_on_delete=True,
            tags=self._tags(name),
            opts=self._child,
        )

    def _allow_within_group(self, name: str, group: "ec2.SecurityGroup") -> None:
        """Allow all traffic between the members of a group. Glue requires this for its workers, on every port."""
        for rule, direction in ((vpc.SecurityGroupIngressRule, "in"), (vpc.SecurityGroupEgressRule, "across")):
            rule(
                f"foundation-network-{name}-{direction}",
                security_group_id=group.id,
                referenced_security_group_id=group.id,
                ip_protocol="-1",
                tags=self._tags(name),
                opts=self._child,
            )
