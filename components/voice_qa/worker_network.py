"""Network access of voice Q&A's query worker to an agent in an existing VPC.

The agent is the external service that answers questions. The query worker is the function that calls the agent and
posts the answer to the client's WebSocket connection. API Gateway has no VPC endpoint for these posts. So a worker that
is attached to a VPC needs a subnet with a route to the internet. Either the stack names such subnets (setting
`subnetIds`), or this module creates a subnet with a NAT gateway as its route (setting `nat`). From the created subnet,
the worker reaches S3 and DynamoDB through gateway endpoints, which are free.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
from pulumi_aws import ec2

from components.blocks.block import Block
from components.blocks.compute.function import NetworkAttachment
from components.blocks.naming.physical_names import Kind
from components.blocks.naming.subsystem_scope import Scope
from components.blocks.network.egress_rules_and_endpoints import ANYWHERE, allow_egress, create_gateway_endpoints
from components.settings.voice_qa_agent_connection import AgentNetworkSettings, NatSettings

NAT_REASON = "API Gateway connections have no VPC endpoint"


@dataclass(frozen=True)
class AgentNetworkArgs:
    scope: Scope
    settings: AgentNetworkSettings
    """The existing network, and how its subnets reach the internet."""
    port: int
    """Port on which the agent listens."""


class AgentNetwork(Block):
    """The worker's security group, and a subnet with a NAT gateway if the settings ask for it."""

    def __init__(self, name: str, args: AgentNetworkArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("AgentNetwork", name, args.scope, opts)
        settings = args.settings
        group_name = args.scope.name(Kind.SECURITY_GROUP, name)
        self.group = ec2.SecurityGroup(
            self.part_name("group"),
            name_prefix=f"{group_name}-",
            description="Query worker: out to the agent and by HTTPS, nothing in",
            vpc_id=settings.vpc_id,
            revoke_rules_on_delete=True,
            tags=args.scope.tags("AgentNetwork"),
            opts=self.part_options(),
        )
        tags, opts = args.scope.tags("AgentNetwork"), self.part_options()
        allow_egress(self.part_name("agent-out"), self.group.id, tags, opts, cidr=settings.cidr, port=args.port)
        allow_egress(self.part_name("https-out"), self.group.id, tags, opts)
        subnets: Sequence[pulumi.Input[str]] = settings.subnet_ids
        if settings.nat is not None:
            subnets = [self._create_subnet(settings.vpc_id, settings.nat)]
        self.attachment = NetworkAttachment(subnets, [self.group.id])
        self.register_outputs({"groupId": self.group.id})

    def _create_subnet(self, vpc_id: str, nat: NatSettings) -> pulumi.Output[str]:
        """Create a subnet, and a NAT gateway as its route to the internet. Return the subnet's id.

        The returned id also waits for the route, so the worker is attached only after the route exists.
        """
        scope = self.scope
        tags = scope.tags("AgentNetwork", {"Reason": NAT_REASON})
        subnet = ec2.Subnet(
            self.part_name("subnet"),
            vpc_id=vpc_id,
            cidr_block=nat.subnet_cidr,
            availability_zone=f"{scope.context.region}{nat.zone}",
            map_public_ip_on_launch=False,
            tags=tags,
            opts=self.part_options(),
        )
        routes = ec2.RouteTable(self.part_name("routes"), vpc_id=vpc_id, tags=tags, opts=self.part_options())
        address = ec2.Eip(self.part_name("address"), domain="vpc", tags=tags, opts=self.part_options())
        gateway = ec2.NatGateway(
            self.part_name("nat"),
            allocation_id=address.allocation_id,
            subnet_id=nat.public_subnet_id,
            connectivity_type="public",
            tags=tags,
            opts=self.part_options(),
        )
        routing = [
            ec2.Route(
                self.part_name("way-out"),
                route_table_id=routes.id,
                destination_cidr_block=ANYWHERE,
                nat_gateway_id=gateway.id,
                opts=self.part_options(),
            ),
            ec2.RouteTableAssociation(
                self.part_name("routed"), subnet_id=subnet.id, route_table_id=routes.id, opts=self.part_options()
            ),
        ]
        create_gateway_endpoints(self.label, scope.context, vpc_id, routes.id, lambda _: tags, self.part_options())
        return pulumi.Output.all(subnet.id, *(resource.id for resource in routing)).apply(lambda ids: ids[0])
