"""A private agent's network on the emulator: what is made in a network that was there, and what is left of it."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from components.blocks.context import Subsystem
from components.settings.voice_qa_agent import AgentNetworkSettings
from components.voice_qa.agent_network import AgentNetwork, AgentNetworkArgs
from tests.end_to_end.small_stack import SmallStack, small_stack
from tests.engine import scope

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("network")]

CIDR, OURS = "172.31.0.0/16", "172.31.200.0/24"
GROUP = "voice-qa-agent-network-group"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallStack]:
    with small_stack(tmp_path_factory.mktemp("network")) as made:
        yield made


@pytest.fixture(scope="module")
def theirs(stack: SmallStack) -> Mapping[str, str]:
    """What the agent's owner has: a network, a public subnet and a private one."""
    ec2 = stack.clients("ec2")
    vpc = ec2.create_vpc(CidrBlock=CIDR)["Vpc"]["VpcId"]
    subnets = [ec2.create_subnet(VpcId=vpc, CidrBlock=f"172.31.{place}.0/24")["Subnet"]["SubnetId"] for place in (0, 1)]
    return {"vpc": vpc, "public": subnets[0], "private": subnets[1]}


@pytest.fixture(autouse=True)
def _nothing_refused() -> None:
    """Not the platform's: this network has an emulator of its own."""


def network(theirs: Mapping[str, str], **how: Any) -> Callable[[], AgentNetwork]:
    settings = AgentNetworkSettings.model_validate({"vpcId": theirs["vpc"], "cidr": CIDR, **how})
    args = AgentNetworkArgs(scope(subsystem=Subsystem.VOICE_QA), settings, 5000)
    return lambda: AgentNetwork("agent-network", args)


def rules_of(stack: SmallStack) -> set[tuple[str, int]]:
    (group,) = stack.clients("ec2").describe_security_groups(GroupIds=[stack.ids[GROUP]])["SecurityGroups"]
    assert group["IpPermissions"] == []
    return {
        (span["CidrIp"], rule["FromPort"])
        for rule in group["IpPermissionsEgress"]
        if rule["IpProtocol"] == "tcp"
        for span in rule["IpRanges"]
    }


def test_a_way_out_is_made_in_a_network_that_was_there_and_goes_without_it(
    stack: SmallStack, theirs: Mapping[str, str]
) -> None:
    ec2 = stack.clients("ec2")
    nat = {"publicSubnetId": theirs["public"], "subnetCidr": OURS, "zone": "a"}
    stack.up(network(theirs, nat=nat))
    assert rules_of(stack) == {(CIDR, 5000), ("0.0.0.0/0", 443)}
    ids = {name.removeprefix("voice-qa-agent-network-"): one for name, one in stack.ids.items()}
    (gateway,) = ec2.describe_nat_gateways(NatGatewayIds=[ids["nat"]])["NatGateways"]
    assert (gateway["SubnetId"], gateway["VpcId"]) == (theirs["public"], theirs["vpc"])
    assert [one["AllocationId"] for one in ec2.describe_addresses()["Addresses"]] == [ids["address"]]
    (table,) = ec2.describe_route_tables(RouteTableIds=[ids["routes"]])["RouteTables"]
    assert ids["nat"] in {route.get("NatGatewayId") for route in table["Routes"]}
    assert ids["subnet"] in {one.get("SubnetId") for one in table["Associations"]}

    stack.up(network(theirs, subnetIds=[theirs["private"]]))
    assert {name for name in stack.ids if "network" in name} >= {GROUP}
    left = ec2.describe_nat_gateways()["NatGateways"]
    assert {one["State"] for one in left} <= {"deleted", "deleting"}
    assert ec2.describe_addresses()["Addresses"] == []
    assert {one["SubnetId"] for one in ec2.describe_subnets(Filters=_in(theirs))["Subnets"]} == {
        theirs["public"],
        theirs["private"],
    }
    assert rules_of(stack) == {(CIDR, 5000), ("0.0.0.0/0", 443)}


def _in(theirs: Mapping[str, str]) -> list[dict[str, Any]]:
    return [{"Name": "vpc-id", "Values": [theirs["vpc"]]}]


def test_down_leaves_what_was_there(stack: SmallStack, theirs: Mapping[str, str]) -> None:
    stack.up(lambda: None)
    assert stack.ids == {}
    groups = stack.clients("ec2").describe_security_groups(Filters=_in(theirs))["SecurityGroups"]
    assert [one["GroupName"] for one in groups] == ["default"]
