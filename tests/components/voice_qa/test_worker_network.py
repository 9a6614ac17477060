"""Tests of network access to a private agent: the worker is attached to the agent's VPC, and has a route to the internet."""

from typing import Any

import pytest

from components.voice_qa import monthly_usage
from guardrails.pricing.cost_estimate import estimate_cost
from local.preview.cost import to_priced_resource
from tests.components.voice_qa.recorded_deployment import PREFIX, VOICE_QA, complete, plain, voice_qa
from tests.fake_engine import Recorded

VPC, PUBLIC, SUBNETS = "vpc-0a1b2c3d", "subnet-0e3f", ["subnet-0a1b", "subnet-0c2d"]
NETWORK = {"vpcId": VPC, "cidr": "172.31.0.0/16"}
NAT = {"publicSubnetId": PUBLIC, "subnetCidr": "172.31.200.0/24", "zone": "b"}


def agent(**network: Any) -> dict[str, Any]:
    return {"endpoint": "http://172.31.10.9:5000", "network": {**NETWORK, **network}}


def deploy_attached() -> Recorded:
    return voice_qa(agentcore=agent(subnetIds=SUBNETS))


def deploy_routed() -> Recorded:
    return complete(agentcore=agent(nat=NAT))


def test_only_the_worker_is_attached_to_the_network() -> None:
    functions = {
        item.name: item.inputs["vpcConfig"]
        for item in deploy_attached().all("lambda.Function")
        if "vpcConfig" in item.inputs
    }
    assert list(functions) == ["voice-qa-query-worker-function"]
    assert functions["voice-qa-query-worker-function"]["subnetIds"] == SUBNETS
    assert not [item for item in plain().all("lambda.Function") if item.inputs.get("vpcConfig")]


@pytest.mark.parametrize("recorded", [deploy_attached, deploy_routed])
def test_the_worker_can_reach_the_agents_port_and_https_and_accepts_no_connections(recorded: Any) -> None:
    rules = {resource.name: resource.inputs for resource in recorded().graph if resource.type.startswith("aws:vpc/")}
    reached = {(value["cidrIpv4"], value["ipProtocol"], value["fromPort"], value["toPort"]) for value in rules.values()}
    assert reached == {("172.31.0.0/16", "tcp", 5000, 5000), ("0.0.0.0/0", "tcp", 443, 443)}
    assert {resource.kind for resource in recorded().graph if resource.type.startswith("aws:vpc/")} == {
        "SecurityGroupEgressRule"
    }
    group = recorded().one("ec2.SecurityGroup").inputs
    assert (group["namePrefix"], group["vpcId"]) == (f"{PREFIX}-agent-network-", VPC)
    assert "ingress" not in group


def test_subnets_with_a_route_to_the_internet_are_used_unchanged() -> None:
    made = {resource.kind for resource in deploy_attached().graph if resource.type.startswith(("aws:ec2/", "aws:vpc/"))}
    assert made == {"SecurityGroup", "SecurityGroupEgressRule"}


def test_the_route_to_the_internet_exists_before_the_attachment() -> None:
    recorded = deploy_routed()
    nat, subnet = recorded.one("ec2.NatGateway").inputs, recorded.one("ec2.Subnet").inputs
    assert (nat["subnetId"], nat["connectivityType"]) == (PUBLIC, "public")
    assert "no VPC endpoint" in nat["tags"]["Reason"]
    assert (subnet["cidrBlock"], subnet["availabilityZone"], subnet["mapPublicIpOnLaunch"]) == (
        "172.31.200.0/24",
        "us-east-1b",
        False,
    )
    assert recorded.one("ec2.Route").inputs["destinationCidrBlock"] == "0.0.0.0/0"
    worker = recorded.one("lambda.Function", "query-worker").inputs["vpcConfig"]
    assert worker["subnetIds"] == [recorded.one("ec2.Subnet").id]
    assert worker["securityGroupIds"] == [recorded.one("ec2.SecurityGroup").id]
    before = {resource.kind for resource in recorded.ancestors(recorded.one("lambda.Function", "query-worker"))}
    assert {"NatGateway", "Route", "RouteTableAssociation", "Subnet"} <= before


def test_audio_and_conversations_bypass_the_nat_gateway() -> None:
    endpoints = deploy_routed().all("ec2.VpcEndpoint")
    assert {endpoint.inputs["serviceName"].rpartition(".")[2] for endpoint in endpoints} == {"s3", "dynamodb"}
    assert {endpoint.inputs["vpcEndpointType"] for endpoint in endpoints} == {"Gateway"}


def test_the_nat_gateway_is_priced_by_hour_and_traffic() -> None:
    def cost(recorded: Recorded, **changes: Any) -> float:
        usage = monthly_usage(VOICE_QA.settings(agentcore=agent(**changes)))
        return estimate_cost([to_priced_resource(resource, recorded.graph) for resource in recorded.graph], usage).total

    theirs = monthly_usage(VOICE_QA.settings(agentcore=agent(subnetIds=SUBNETS)))
    assert "voice-qa-agent-network" not in theirs, "an existing route costs nothing here"
    dearer = cost(deploy_routed(), nat=NAT) - cost(deploy_attached(), subnetIds=SUBNETS)
    assert dearer == pytest.approx(730 * (0.045 + 0.005) + 200 * 30 * 0.5 * 4 / 3 / 1024 * 0.045, rel=0.01)
