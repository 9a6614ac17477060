"""Tests of the network for a private agent: the worker runs in the agent's VPC, and has a route to the internet.

The agent is the external service that answers questions. The worker (the function `query-worker`) calls it.
"""

from typing import Any

import pytest

from components.voice_qa import monthly_usage
from guardrails.pricing.cost_estimate import estimate_cost
from local.preview.cost import to_priced_resource
from tests.components.voice_qa.recorded_deployment import PREFIX, VOICE_QA, deployed, previewed
from tests.fake_engine import Recorded

VPC, PUBLIC_SUBNET, SUBNETS = "vpc-0a1b2c3d", "subnet-0e3f", ["subnet-0a1b", "subnet-0c2d"]
NETWORK = {"vpcId": VPC, "cidr": "172.31.0.0/16"}
NAT = {"publicSubnetId": PUBLIC_SUBNET, "subnetCidr": "172.31.200.0/24", "zone": "b"}


def agent_settings(**network: Any) -> dict[str, Any]:
    return {"endpoint": "http://172.31.10.9:5000", "network": {**NETWORK, **network}}


def recorded_with_subnets() -> Recorded:
    return previewed(agentcore=agent_settings(subnetIds=SUBNETS))


def recorded_with_nat() -> Recorded:
    return deployed(agentcore=agent_settings(nat=NAT))


def test_only_the_worker_is_attached_to_the_network() -> None:
    functions = recorded_with_subnets().all("lambda.Function")
    [worker] = [function for function in functions if function.inputs.get("vpcConfig")]
    assert worker.name == "voice-qa-query-worker-function"
    assert worker.inputs["vpcConfig"]["subnetIds"] == SUBNETS
    assert not [function for function in previewed().all("lambda.Function") if function.inputs.get("vpcConfig")]


@pytest.mark.parametrize("record", [recorded_with_subnets, recorded_with_nat])
def test_the_worker_can_reach_the_agents_port_and_https_and_accepts_no_connections(record: Any) -> None:
    vpc_resources = [resource for resource in record().graph if resource.type.startswith("aws:vpc/")]
    assert {resource.kind for resource in vpc_resources} == {"SecurityGroupEgressRule"}
    rules = [resource.inputs for resource in vpc_resources]
    targets = {(rule["cidrIpv4"], rule["ipProtocol"], rule["fromPort"], rule["toPort"]) for rule in rules}
    assert targets == {("172.31.0.0/16", "tcp", 5000, 5000), ("0.0.0.0/0", "tcp", 443, 443)}
    group = record().one("ec2.SecurityGroup").inputs
    assert (group["namePrefix"], group["vpcId"]) == (f"{PREFIX}-agent-network-", VPC)
    assert "ingress" not in group


def test_existing_subnets_are_used_without_new_network_resources() -> None:
    resources = recorded_with_subnets().graph
    kinds = {resource.kind for resource in resources if resource.type.startswith(("aws:ec2/", "aws:vpc/"))}
    assert kinds == {"SecurityGroup", "SecurityGroupEgressRule"}


def test_a_nat_gateway_and_its_route_exist_before_the_worker_is_attached() -> None:
    recorded = recorded_with_nat()
    nat, subnet = recorded.one("ec2.NatGateway").inputs, recorded.one("ec2.Subnet").inputs
    assert (nat["subnetId"], nat["connectivityType"]) == (PUBLIC_SUBNET, "public")
    assert "no VPC endpoint" in nat["tags"]["Reason"]
    assert (subnet["cidrBlock"], subnet["availabilityZone"]) == ("172.31.200.0/24", "us-east-1b")
    assert subnet["mapPublicIpOnLaunch"] is False
    assert recorded.one("ec2.Route").inputs["destinationCidrBlock"] == "0.0.0.0/0"
    worker = recorded.one("lambda.Function", "query-worker").inputs["vpcConfig"]
    assert worker["subnetIds"] == [recorded.one("ec2.Subnet").id]
    assert worker["securityGroupIds"] == [recorded.one("ec2.SecurityGroup").id]
    earlier_kinds = {resource.kind for resource in recorded.ancestors(recorded.one("lambda.Function", "query-worker"))}
    assert {"NatGateway", "Route", "RouteTableAssociation", "Subnet"} <= earlier_kinds


def test_audio_and_conversations_bypass_the_nat_gateway() -> None:
    endpoints = recorded_with_nat().all("ec2.VpcEndpoint")
    assert {endpoint.inputs["serviceName"].rpartition(".")[2] for endpoint in endpoints} == {"s3", "dynamodb"}
    assert {endpoint.inputs["vpcEndpointType"] for endpoint in endpoints} == {"Gateway"}


def test_the_nat_gateway_is_priced_by_hour_and_traffic() -> None:
    def cost(recorded: Recorded, **changes: Any) -> float:
        usage = monthly_usage(VOICE_QA.settings(agentcore=agent_settings(**changes)))
        return estimate_cost([to_priced_resource(resource, recorded.graph) for resource in recorded.graph], usage).total

    usage_with_subnets = monthly_usage(VOICE_QA.settings(agentcore=agent_settings(subnetIds=SUBNETS)))
    assert "voice-qa-agent-network" not in usage_with_subnets, "the owner of an existing route pays for it"
    dollars_per_hour = 0.045 + 0.005  # the gateway and its public IPv4 address
    posted_gigabytes = 200 * 30 * 0.5 * 4 / 3 / 1024  # 200 answers a day with 0.5 MB of audio, as base64
    difference = cost(recorded_with_nat(), nat=NAT) - cost(recorded_with_subnets(), subnetIds=SUBNETS)
    assert difference == pytest.approx(730 * dollars_per_hour + posted_gigabytes * 0.045, rel=0.01)
