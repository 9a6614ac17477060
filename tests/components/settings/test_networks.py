"""Tests of the settings of networks: networks that are built, and the network of a private agent."""

from typing import Any

import pytest

from components.settings import load_settings
from tests.components.settings.stack_config import problems, stack_config

SUBNETS = ["subnet-0a1b", "subnet-0c2d"]


@pytest.mark.parametrize("section", ["foundation", "meetings"])
@pytest.mark.parametrize(
    ("network", "message"),
    [
        ({"cidr": "10.65.1.0/16"}, "10.65.1.0/16 is not a network"),
        ({"cidr": "300.1.0.0/16"}, "300.1.0.0/16 is not a network"),
        ({"cidr": "8.8.0.0/16"}, "8.8.0.0/16 is public"),
        ({"cidr": "127.0.0.0/16"}, "use a private block (within 10/8, 172.16/12 or 192.168/16)"),
        ({"cidr": "10.65.0.0/20"}, "cidr must be a block of size /16"),
        ({"zones": ["a", "a"]}, "list each zone once"),
    ],
)
def test_an_invalid_network_is_refused(section: str, network: dict[str, Any], message: str) -> None:
    [problem] = problems(stack_config({f"{section}.network": network}))
    assert f"{section}.network" in problem
    assert message in problem


AGENT_NETWORK = {"vpcId": "vpc-0a1b2c3d", "cidr": "172.31.0.0/16", "subnetIds": SUBNETS}


def stack_with_private_agent(endpoint: str = "http://172.31.10.9:5000", **changes: Any) -> dict[str, str]:
    """Return a stack with an agent in `AGENT_NETWORK`; `changes` replace settings of the network."""
    return stack_config({"voiceQa.agentcore": {"endpoint": endpoint, "network": {**AGENT_NETWORK, **changes}}})


@pytest.mark.parametrize(
    ("endpoint", "port"),
    [
        ("http://172.31.10.9:5000", 5000),
        ("https://agent.internal:5000", 5000),
        ("https://agent.internal", 443),
        ("http://agent.internal/here", 80),
    ],
)
def test_the_agents_port_is_that_of_its_endpoint(endpoint: str, port: int) -> None:
    assert load_settings(stack_with_private_agent(endpoint), "dev").voice_qa.agentcore.port == port


@pytest.mark.parametrize(
    ("network", "message"),
    [
        ({"subnetIds": []}, "network.subnetIds"),
        ({"cidr": "172.31.0.0/15"}, "network.cidr"),
        ({"cidr": "172.31.0.0/29"}, "network.cidr"),
        ({"cidr": "172.31.5.0/16"}, "172.31.5.0/16 is not a network"),
    ],
)
def test_an_agent_network_that_the_worker_cannot_use_is_refused(network: dict[str, Any], message: str) -> None:
    assert message in "\n".join(problems(stack_with_private_agent(**network)))


def test_a_network_is_refused_for_a_bedrock_runtime() -> None:
    runtime = "arn:aws:bedrock-agentcore:us-east-1:123456789012:runtime/lecturer-a1B2c3"
    agent = {"mode": "bedrock", "runtimeArn": runtime, "network": AGENT_NETWORK}
    assert "network is only for mode http" in "\n".join(problems(stack_config({"voiceQa.agentcore": agent})))
