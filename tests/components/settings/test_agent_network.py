"""Where a private agent is: its network, and a way out of it for the worker."""

from typing import Any

import pytest

from components.settings import load
from tests.components.settings.test_loader import problems
from tests.components.settings.test_voice_qa import RUNTIME, stack

SUBNETS = ["subnet-0a1b", "subnet-0c2d"]
NAT = {"publicSubnetId": "subnet-0e3f", "subnetCidr": "172.31.200.0/24", "zone": "b"}


def private(endpoint: str = "http://172.31.10.9:5000", **network: Any) -> dict[str, str]:
    """A stack whose agent is in the network that the requirement has."""
    given = {"vpcId": "vpc-0a1b2c3d", "cidr": "172.31.0.0/16", "subnetIds": SUBNETS, **network}
    return stack({"agentcore": {"endpoint": endpoint, "network": given}})


@pytest.mark.parametrize(
    ("endpoint", "port"),
    [
        ("http://172.31.10.9:5000", 5000),
        ("https://agent.internal:5000", 5000),
        ("https://agent.internal", 443),
        ("http://agent.internal/here", 80),
    ],
)
def test_the_agents_port_is_the_endpoints(endpoint: str, port: int) -> None:
    assert load(private(endpoint), "dev").voice_qa.agentcore.port == port


def test_a_way_out_is_there_or_is_made() -> None:
    made = load(private(subnetIds=[], nat=NAT), "dev").voice_qa.agentcore.network
    assert made is not None
    assert made.nat is not None
    assert (made.subnet_ids, made.nat.zone) == ((), "b")


@pytest.mark.parametrize("network", [{"subnetIds": []}, {"nat": NAT}])
def test_there_is_one_way_out_and_not_two(network: dict[str, Any]) -> None:
    [problem] = problems(private(**network))
    assert "give subnetIds, which have a way out, or nat, to have one made" in problem


@pytest.mark.parametrize(
    ("network", "key"),
    [
        ({"vpcId": "172.31.0.0"}, "vpcId"),
        ({"subnetIds": ["vpc-1"]}, "subnetIds"),
        ({"cidr": "172.31.0.0"}, "cidr"),
        ({"cidr": "172.31.0.0/15"}, "cidr"),
        ({"cidr": "172.31.0.0/29"}, "cidr"),
        ({"subnetIds": [], "nat": {**NAT, "zone": "us-east-1b"}}, "nat.zone"),
        ({"subnetIds": [], "nat": {**NAT, "publicSubnetId": "igw-1"}}, "nat.publicSubnetId"),
    ],
)
def test_names_are_held_to_their_form(network: dict[str, Any], key: str) -> None:
    found = problems(private(**network))
    assert [one for one in found if one.startswith(f"voiceQa.agentcore.network.{key}")], found


@pytest.mark.parametrize(
    ("network", "says"),
    [
        ({"cidr": "172.31.5.0/16"}, "172.31.5.0/16 is no network"),
        ({"cidr": "300.1.0.0/16"}, "300.1.0.0/16 is no network"),
        ({"cidr": "8.8.0.0/16"}, "8.8.0.0/16 is public"),
        (
            {"subnetIds": [], "nat": {**NAT, "subnetCidr": "10.0.0.0/24"}},
            "nat.subnetCidr (10.0.0.0/24) must be part of cidr (172.31.0.0/16)",
        ),
    ],
)
def test_addresses_are_private_and_of_the_network(network: dict[str, Any], says: str) -> None:
    [problem] = problems(private(**network))
    assert says in problem


def test_an_address_outside_of_its_network_could_not_be_reached() -> None:
    [problem] = problems(private("http://10.0.0.5:5000"))
    assert "endpoint is not in network.cidr (172.31.0.0/16)" in problem


def test_a_runtime_is_in_no_network_of_ours() -> None:
    network = {"vpcId": "vpc-0a1b2c3d", "cidr": "172.31.0.0/16", "subnetIds": SUBNETS}
    found = problems(stack({"agentcore": {"mode": "bedrock", "runtimeArn": RUNTIME, "network": network}}))
    assert [one for one in found if "network is for mode http" in one]
