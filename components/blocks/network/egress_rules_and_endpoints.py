"""Functions with which each network of the program creates egress rules of security groups, gateway endpoints for S3 and
DynamoDB, and policies of VPC endpoints.
"""

import json
from collections.abc import Callable
from typing import Any

import pulumi
from pulumi_aws import ec2, vpc

from components.blocks.naming.context import Context

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
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def create_gateway_endpoints(
    name_prefix: str,
    context: Context,
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
            service_name=f"com.amazonaws.{context.region}.{service}",
            vpc_endpoint_type="Gateway",
            policy=build_endpoint_policy(context, service),
            route_table_ids=[route_table_id],
            tags=tags(service),
            opts=opts,
        )
