"""Tests of networks: an existing network is used unchanged, and a built network has only the traffic that it needs."""

from collections.abc import Callable
from typing import Any

from components.blocks.network import JobNetwork, PrivateNetwork
from components.settings.foundation import BuiltNetwork, NetworkSettings
from tests.fake_engine import Engine, scope

SERVICES = {"states": "the builder starts workflows"}


def private_network(**settings: Any) -> Callable[[], PrivateNetwork]:
    network_settings = NetworkSettings.model_validate(settings)
    return lambda: PrivateNetwork(scope(), "network", settings=network_settings, services=SERVICES)


def test_only_the_network_of_jobs_has_a_way_to_the_internet_and_none_has_a_nat_gateway(engine: Engine) -> None:
    networks: list[PrivateNetwork] = []
    private = engine.run(lambda: networks.append(private_network(zones=["a", "c"])()))
    assert networks[0].zone == "us-east-1a", "the zone of the first subnet"
    assert len(networks[0].subnet_ids) == 2, "functions may run in each zone"
    settings = BuiltNetwork.model_validate({"cidr": "10.65.0.0/16"})
    public = engine.run(lambda: JobNetwork(scope(), "jobs", settings=settings))
    for recorded, ways_out in ((private, 0), (public, 1)):
        assert len(recorded.all("ec2.InternetGateway")) == len(recorded.all("ec2.Route")) == ways_out
        assert recorded.all("ec2.NatGateway") == []
        assert len(recorded.all("ec2.RouteTableAssociation")) == len(recorded.all("ec2.Subnet")), "one table for all"
    [job_endpoint] = public.all("ec2.VpcEndpoint")
    assert job_endpoint.inputs["serviceName"].endswith(".s3")
    assert job_endpoint.inputs["vpcEndpointType"] == "Gateway", "an endpoint of this type is free"
    subnets = [subnet.inputs for subnet in private.all("ec2.Subnet")]
    # A zone's block does not depend on the other zones, so that zones can be added and removed.
    assert [(subnet["availabilityZone"], subnet["cidrBlock"]) for subnet in subnets] == [
        ("us-east-1a", "10.64.0.0/24"),
        ("us-east-1c", "10.64.2.0/24"),
    ]


def test_security_groups_allow_only_the_required_traffic(engine: Engine) -> None:
    recorded = engine.run(private_network())
    resources = [resource for resource in recorded.graph if resource.type.startswith("aws:vpc/")]
    rules = {rule.name.removeprefix("ingestion-network-"): rule.inputs for rule in resources}
    assert set(rules) == {"endpoints-in", "functions-out", "glue-out", "glue-in", "glue-across"}
    assert (rules["endpoints-in"]["fromPort"], rules["endpoints-in"]["cidrIpv4"]) == (443, "10.64.0.0/16")
    assert rules["functions-out"]["toPort"] == rules["glue-out"]["toPort"] == 443
    assert "cidrIpv4" not in rules["glue-in"], "only the workers of Glue may send to each other"
    # A group with a fixed name would have to be deleted before its replacement exists, while it is still in use.
    groups = [group.inputs for group in recorded.all("ec2.SecurityGroup")]
    assert all("name" not in group and group["namePrefix"].endswith("-") for group in groups)


def test_an_existing_network_is_used_unchanged(engine: Engine) -> None:
    recorded = engine.run(private_network(vpcId="vpc-1", subnetIds=["subnet-1", "subnet-2"]))
    assert recorded.all("ec2.Vpc") == recorded.all("ec2.Subnet") == recorded.all("ec2.VpcEndpoint") == []
    groups = {group.name: group.inputs["vpcId"] for group in recorded.all("ec2.SecurityGroup")}
    assert groups == {"ingestion-network-functions": "vpc-1", "ingestion-network-glue": "vpc-1"}
