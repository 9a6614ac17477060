"""Networks: of ingestion's builder and Spark job (`PrivateNetwork`), of meetings' media jobs (`JobNetwork`), and of voice
Q&A's query worker (`AgentNetwork`).

No security group allows traffic from outside its network. A network that is built here has a gateway endpoint for S3,
and one for DynamoDB if its functions use tables. These endpoints are free and keep the traffic inside the AWS network.
There is no NAT gateway, because it costs money.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import pulumi
from pulumi_aws import ec2, lambda_, vpc

from components.blocks.iam import json_document
from components.core import Block, Context, Kind, Scope
from components.settings.foundation import BuiltNetwork, NetworkSettings
from components.settings.voice_qa import AgentNetworkSettings

HTTPS = 443
ANYWHERE = "0.0.0.0/0"


class PrivateNetwork(Block):
    """Network to which functions and Glue jobs are attached: an existing VPC, or a VPC that is built here.

    The built subnets have no route to the internet. Services other than S3 and DynamoDB are reached through interface
    endpoints, which are billed per hour and zone.
    """

    subnet_ids: Sequence[pulumi.Input[str]]

    def __init__(
        self, scope: Scope, short_name: str, *, settings: NetworkSettings, services: Mapping[str, str]
    ) -> None:
        """Create the network.

        `services` are the services that need an endpoint in a network that is built here, in addition to S3 and
        DynamoDB: name of the service in its endpoint (`glue`) → reason, which becomes a tag of the endpoint.
        """
        super().__init__("PrivateNetwork", scope, short_name, "PrivateNetwork")
        self.vpc_id: pulumi.Input[str]
        if settings.vpc_id is not None:
            self.vpc_id, self.subnet_ids = settings.vpc_id, settings.subnet_ids
        else:
            self.vpc_id, self.subnet_ids = _build_vpc(self, settings, public=False, gateway_services=("s3", "dynamodb"))
            self._create_interface_endpoints(settings, services)
        self.vpc_arn = pulumi.Output.concat(scope.context.arn("ec2", "vpc/"), self.vpc_id)
        functions = _create_group(self, "functions", self.vpc_id, "Functions: out by HTTPS, nothing in")
        _allow_egress(self, "functions-out", functions)
        self.attachment: lambda_.FunctionVpcConfigArgsDict = {
            "subnet_ids": self.subnet_ids,
            "security_group_ids": [functions.id],
        }
        """Attachment of a function."""
        self.glue = _create_group(self, "glue", self.vpc_id, "Glue: its workers among themselves, out by HTTPS")
        """Security group of Glue jobs."""
        _allow_egress(self, "glue-out", self.glue)
        # Glue requires that all members of the group may reach each other on every port, because its workers do so.
        for rule, direction in ((vpc.SecurityGroupIngressRule, "in"), (vpc.SecurityGroupEgressRule, "across")):
            rule(
                self.part_name(f"glue-{direction}"),
                security_group_id=self.glue.id,
                referenced_security_group_id=self.glue.id,
                ip_protocol="-1",
                tags=self.tags,
                opts=self.scope.options(),
            )
        self.zone = f"{scope.context.region}{settings.zones[0]}"
        """Availability zone for a Glue connection, whose API requires it although the subnet implies it. It is the zone of
        the first subnet of a network that is built here: the region and the first letter of `network.zones`."""
        self.register_outputs({"vpcId": self.vpc_id})

    def _create_interface_endpoints(self, settings: NetworkSettings, services: Mapping[str, str]) -> None:
        group = _create_group(self, "endpoints", self.vpc_id, "Endpoints: in by HTTPS from the network")
        vpc.SecurityGroupIngressRule(
            self.part_name("endpoints-in"),
            security_group_id=group.id,
            cidr_ipv4=settings.cidr,
            ip_protocol="tcp",
            from_port=HTTPS,
            to_port=HTTPS,
            tags=self.tags,
            opts=self.scope.options(),
        )
        for service, reason in sorted(services.items()):
            ec2.VpcEndpoint(
                self.part_name(service),
                vpc_id=self.vpc_id,
                service_name=f"com.amazonaws.{self.scope.context.region}.{service}",
                vpc_endpoint_type="Interface",
                policy=build_endpoint_policy(self.scope.context, service),
                private_dns_enabled=True,
                subnet_ids=list(self.subnet_ids),
                security_group_ids=[group.id],
                tags=self.scope.tags(self.display_name, {"Reason": reason}),
                opts=self.scope.options(),
            )


class JobNetwork(Block):
    """Network of container jobs: public subnets, so that jobs reach the image registry without a NAT gateway, and a
    security group without inbound rules. The jobs use no table, so there is no endpoint of DynamoDB.
    """

    def __init__(self, scope: Scope, short_name: str, *, settings: BuiltNetwork) -> None:
        super().__init__("JobNetwork", scope, short_name, "JobNetwork")
        vpc_id, self.subnet_ids = _build_vpc(self, settings, public=True, gateway_services=("s3",))
        group = _create_group(self, "group", vpc_id, "Jobs: out by HTTPS, nothing in")
        _allow_egress(self, "out", group)
        self.group_id = group.id
        self.register_outputs({"groupId": group.id})


class AgentNetwork(Block):
    """Access of a function to an agent in an existing network.

    The function also posts to WebSocket connections, for which API Gateway has no VPC endpoint. So the subnets need a
    route to the internet.
    """

    def __init__(self, scope: Scope, short_name: str, *, settings: AgentNetworkSettings, port: int) -> None:
        """Create the function's security group. `port` is the port on which the agent listens."""
        super().__init__("AgentNetwork", scope, short_name, "AgentNetwork")
        description = "Query worker: out to the agent and by HTTPS, nothing in"
        group = _create_group(self, "group", settings.vpc_id, description)
        _allow_egress(self, "agent-out", group, cidr=settings.cidr, port=port)
        _allow_egress(self, "https-out", group)
        self.attachment: lambda_.FunctionVpcConfigArgsDict = {
            "subnet_ids": list(settings.subnet_ids),
            "security_group_ids": [group.id],
        }
        self.register_outputs({"groupId": group.id})


def build_endpoint_policy(context: Context, service: str) -> str:
    """Return the policy of a VPC endpoint, through which only identities of this account may call the service.

    Without a policy, foreign credentials could copy data out through the endpoint
    (https://docs.aws.amazon.com/vpc/latest/privatelink/vpc-endpoints-access.html). The endpoint of S3 also admits
    downloads from ECR's bucket of image layers. ECR signs the URLs of these downloads itself, so the requests do not
    come from an identity of this account
    (https://docs.aws.amazon.com/AmazonECR/latest/userguide/vpc-endpoints.html).
    """
    own_account = {"StringEquals": {"aws:PrincipalAccount": context.account}}
    statements: list[dict[str, Any]] = [
        {"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*", "Condition": own_account}
    ]
    if service == "s3":
        layers = f"arn:{context.partition}:s3:::prod-{context.region}-starport-layer-bucket/*"
        statements.append({"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": layers})
    return json_document(statements)


def _build_vpc(
    block: Block, settings: BuiltNetwork, *, public: bool, gateway_services: Sequence[str]
) -> tuple[pulumi.Output[str], list[pulumi.Output[str]]]:
    """Create a VPC with one subnet in each zone and the gateway endpoints. Return the ids of the VPC and the subnets."""
    tags, options, context = block.tags, block.scope.options, block.scope.context
    network = ec2.Vpc(
        block.part_name("vpc"),
        cidr_block=settings.cidr,
        enable_dns_support=True,
        enable_dns_hostnames=True,  # required for private DNS names of interface endpoints
        tags=tags,
        opts=options(),
    )
    routes = ec2.RouteTable(block.part_name("routes"), vpc_id=network.id, tags=tags, opts=options())
    if public:
        gateway = ec2.InternetGateway(block.part_name("gateway"), vpc_id=network.id, tags=tags, opts=options())
        ec2.Route(
            block.part_name("way-out"),
            route_table_id=routes.id,
            destination_cidr_block=ANYWHERE,
            gateway_id=gateway.id,
            opts=options(),
        )
    subnet_ids = []
    for zone in settings.zones:
        subnet = ec2.Subnet(
            block.part_name(f"{'public' if public else 'private'}-{zone}"),
            vpc_id=network.id,
            cidr_block=settings.subnet_cidr(zone),
            availability_zone=f"{context.region}{zone}",
            map_public_ip_on_launch=False,  # each job requests a public address itself
            tags=tags,
            opts=options(),
        )
        ec2.RouteTableAssociation(
            block.part_name(f"routed-{zone}"), subnet_id=subnet.id, route_table_id=routes.id, opts=options()
        )
        subnet_ids.append(subnet.id)
    for service in gateway_services:
        ec2.VpcEndpoint(
            block.part_name(service),
            vpc_id=network.id,
            service_name=f"com.amazonaws.{context.region}.{service}",
            vpc_endpoint_type="Gateway",
            policy=build_endpoint_policy(context, service),
            route_table_ids=[routes.id],
            tags=tags,
            opts=options(),
        )
    return network.id, subnet_ids


def _create_group(block: Block, part: str, vpc_id: pulumi.Input[str], description: str) -> ec2.SecurityGroup:
    name = block.short_name if part == "group" else f"{block.short_name}-{part}"
    return ec2.SecurityGroup(
        block.part_name(part),
        name_prefix=f"{block.scope.name(Kind.SECURITY_GROUP, name)}-",
        description=description,
        vpc_id=vpc_id,
        revoke_rules_on_delete=True,
        tags=block.tags,
        opts=block.scope.options(),
    )


def _allow_egress(
    block: Block, part: str, group: ec2.SecurityGroup, *, cidr: str = ANYWHERE, port: int = HTTPS
) -> None:
    """Let the members of a security group open TCP connections to one port of an address range."""
    vpc.SecurityGroupEgressRule(
        block.part_name(part),
        security_group_id=group.id,
        cidr_ipv4=cidr,
        ip_protocol="tcp",
        from_port=port,
        to_port=port,
        tags=block.tags,
        opts=block.scope.options(),
    )
