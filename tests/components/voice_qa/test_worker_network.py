"""Tests of the network for a private agent: the worker runs in subnets of the agent's VPC.

The agent is the external service that answers questions. The worker (the function `query-worker`) calls it.
"""

from tests.components.voice_qa.recorded_deployment import PREFIX, previewed
from tests.fake_engine import Recorded

VPC, SUBNETS = "vpc-0a1b2c3d", ["subnet-0a1b", "subnet-0c2d"]
NETWORK = {"vpcId": VPC, "cidr": "172.31.0.0/16", "subnetIds": SUBNETS}


def recorded_with_subnets() -> Recorded:
    return previewed(agentcore={"endpoint": "http://172.31.10.9:5000", "network": NETWORK})


def test_only_the_worker_is_attached_to_the_network() -> None:
    functions = recorded_with_subnets().all("lambda.Function")
    [worker] = [function for function in functions if function.inputs.get("vpcConfig")]
    assert worker.name == "voice-qa-query-worker-function"
    assert worker.inputs["vpcConfig"]["subnetIds"] == SUBNETS
    assert not [function for function in previewed().all("lambda.Function") if function.inputs.get("vpcConfig")]


def test_the_worker_can_reach_the_agents_port_and_https_and_accepts_no_connections() -> None:
    recorded = recorded_with_subnets()
    vpc_resources = [resource for resource in recorded.graph if resource.type.startswith("aws:vpc/")]
    assert {resource.kind for resource in vpc_resources} == {"SecurityGroupEgressRule"}
    rules = [resource.inputs for resource in vpc_resources]
    targets = {(rule["cidrIpv4"], rule["ipProtocol"], rule["fromPort"], rule["toPort"]) for rule in rules}
    assert targets == {("172.31.0.0/16", "tcp", 5000, 5000), ("0.0.0.0/0", "tcp", 443, 443)}
    group = recorded.one("ec2.SecurityGroup").inputs
    assert (group["namePrefix"], group["vpcId"]) == (f"{PREFIX}-agent-network-", VPC)
    assert "ingress" not in group


def test_existing_subnets_are_used_without_new_network_resources() -> None:
    resources = recorded_with_subnets().graph
    kinds = {resource.kind for resource in resources if resource.type.startswith(("aws:ec2/", "aws:vpc/"))}
    assert kinds == {"SecurityGroup", "SecurityGroupEgressRule"}
