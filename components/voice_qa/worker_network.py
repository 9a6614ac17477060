"""Network access of voice Q&A's query worker to an agent in an existing VPC.

The agent is the external service that answers questions. The query worker is the function that calls the agent and
posts the answer to the client's WebSocket connection. API Gateway has no VPC endpoint for these posts. So a worker that
is attached to a VPC needs subnets with a route to the internet, which the stack names (setting `subnetIds`).
"""

from dataclasses import dataclass

import pulumi
from pulumi_aws import ec2

from components.blocks.block import Block
from components.blocks.compute.function import NetworkAttachment
from components.blocks.naming.physical_names import Kind
from components.blocks.naming.subsystem_scope import Scope
from components.blocks.network.egress_rules_and_endpoints import allow_egress
from components.settings.voice_qa_agent_connection import AgentNetworkSettings


@dataclass(frozen=True)
class AgentNetworkArgs:
    scope: Scope
    settings: AgentNetworkSettings
    """The existing network."""
    port: int
    """Port on which the agent listens."""


class AgentNetwork(Block):
    """The worker's security group in the existing network."""

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
        self.attachment = NetworkAttachment(settings.subnet_ids, [self.group.id])
        self.register_outputs({"groupId": self.group.id})
