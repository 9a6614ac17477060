"""Egress rules of security groups, and gateway endpoints for S3 and DynamoDB, for all networks of the program."""

from collections.abc import Callable

import pulumi
from pulumi_aws import ec2, vpc

HTTPS = 443
ANYWHERE = "0.0.0.0/0"
GATEWAY_SERVICES = ("s3", "dynamodb")
"""Services that are reached through gateway endpoints, which are free and keep the traffic inside the AWS network."""


def allow_egress(
    resource_name: str,
    group_id: pulumi.Input[str],
    tags: dict[str, str],
    opts: pulumi.ResourceOptions,
    *,
    cidr: str = ANYWHERE,
    port: int = HTTPS,
) -> None:
    """Let the members of a security group open TCP connections to one port of an address range."""
    vpc.SecurityGroupEgressRule(
        resource_name,
        security_group_id=group_id,
        cidr_ipv4=cidr,
        ip_protocol="tcp",
        from_port=port,
        to_port=port,
        tags=tags,
        opts=opts,
    )


def create_gateway_endpoints(
    name_prefix: str,
    region: str,
    vpc_id: pulumi.Input[str],
    route_table_id: pulumi.Input[str],
    tags: Callable[[str], dict[str, str]],
    opts: pulumi.ResourceOptions,
) -> None:
    """Create the gateway endpoints for one route table. `tags` returns the tags of a service's endpoint."""
    for service in GATEWAY_SERVICES:
        ec2.VpcEndpoint(
            f"{name_prefix}-{service}",
            vpc_id=vpc_id,
            service_name=f"com.amazonaws.{region}.{service}",
            vpc_endpoint_type="Gateway",
            route_table_ids=[route_table_id],
            tags=tags(service),
            opts=opts,
        )
