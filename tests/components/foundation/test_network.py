"""Tests of the network: it is created only if a subsystem is attached to it, and it has no route to the internet."""

import json
from typing import Any

import pytest

from components.foundation.network import Network, NetworkArgs
from components.ingestion import list_endpoint_services
from components.platform import Platform
from components.settings import IngestionSettings, load_settings
from components.settings.foundation import NetworkSettings
from tests.components.settings.stack_config import stack_config
from tests.fake_engine import Engine, Recorded, context, scope


def network(engine: Engine, services: dict[str, str] | None = None, **changes: Any) -> Recorded:
    """Register a network. `services` maps each service that needs an interface endpoint to the reason."""
    args = NetworkArgs(scope(), NetworkSettings.model_validate(changes), services or {})
    return engine.run(lambda: Network("foundation-network", args))


@pytest.mark.parametrize("is_attached", [True, False])
def test_the_network_is_created_only_if_a_subsystem_is_attached(engine: Engine, is_attached: bool) -> None:
    only_ingestion = {f"{name}.enabled": False for name in ("transcription", "voiceQa", "livestream", "meetings")}
    settings = load_settings(stack_config({**only_ingestion, "ingestion.networkAttached": is_attached}), "dev")
    recorded = engine.run(lambda: Platform("platform", context(), settings))
    names = {"foundation-network-vpc", "foundation-network-s3", "ingestion-spark-connection"}
    assert names & {resource.name for resource in recorded.graph} == (names if is_attached else set())
    assert ("vpcConfig" in recorded.one("lambda.Function", "manifest-builder").inputs) is is_attached


@pytest.mark.parametrize("key", ["arn:aws:kms:us-east-1:123456789012:key/k", None])
def test_an_attached_job_with_a_key_has_a_kms_endpoint(key: str | None) -> None:
    settings = IngestionSettings.model_validate({"spark": {"encryptionKeyArn": key}})
    assert ("kms" in list_endpoint_services(settings)) is (key is not None)


def test_tables_and_buckets_have_gateway_endpoints_which_are_free(engine: Engine) -> None:
    endpoints = {resource.inputs["serviceName"]: resource.inputs for resource in network(engine).all("ec2.VpcEndpoint")}
    assert set(endpoints) == {"com.amazonaws.us-east-1.s3", "com.amazonaws.us-east-1.dynamodb"}
    assert {endpoint["vpcEndpointType"] for endpoint in endpoints.values()} == {"Gateway"}


def test_an_endpoint_serves_only_identities_of_the_account_and_s3_also_the_layers_of_ecr_images(engine: Engine) -> None:
    policies = {
        resource.inputs["serviceName"].rpartition(".")[2]: json.loads(resource.inputs["policy"])["Statement"]
        for resource in network(engine, {"states": "the builder starts workflows"}).all("ec2.VpcEndpoint")
    }
    layers = policies["s3"].pop()
    assert (layers["Action"], layers["Resource"]) == (
        "s3:GetObject",
        "arn:aws:s3:::prod-us-east-1-starport-layer-bucket/*",
    )
    assert set(policies) == {"s3", "dynamodb", "states"}
    for [statement] in policies.values():
        assert statement["Condition"] == {"StringEquals": {"aws:PrincipalAccount": "123456789012"}}


def test_an_interface_endpoint_has_a_tag_with_its_reason(engine: Engine) -> None:
    (endpoint,) = [
        resource
        for resource in network(engine, {"states": "the builder starts workflows"}).all("ec2.VpcEndpoint")
        if resource.inputs["vpcEndpointType"] == "Interface"
    ]
    assert endpoint.inputs["tags"]["Reason"] == "the builder starts workflows"
    assert endpoint.inputs["privateDnsEnabled"] is True


def test_subnets_are_private_without_a_route_to_the_internet(engine: Engine) -> None:
    recorded = network(engine, zones=["a", "c"])
    subnets = [resource.inputs for resource in recorded.all("ec2.Subnet")]
    assert [(subnet["availabilityZone"], subnet["cidrBlock"]) for subnet in subnets] == [
        ("us-east-1a", "10.64.0.0/24"),
        ("us-east-1c", "10.64.2.0/24"),  # does not depend on the other zones, so that zones can be added and removed
    ]
    assert all(subnet["mapPublicIpOnLaunch"] is False for subnet in subnets)
    assert [resource for resource in recorded.graph if resource.kind in {"NatGateway", "InternetGateway"}] == []


def test_security_groups_allow_only_the_required_traffic(engine: Engine) -> None:
    recorded = network(engine, {"states": "x"})
    rules = {
        resource.name.removeprefix("foundation-network-"): resource.inputs
        for resource in recorded.graph
        if resource.type.startswith("aws:vpc/")
    }
    assert (rules["endpoints-in"]["fromPort"], rules["endpoints-in"]["cidrIpv4"]) == (443, "10.64.0.0/16")
    assert rules["functions-out"]["toPort"] == 443
    assert rules["glue-in"]["ipProtocol"] == rules["glue-across"]["ipProtocol"] == "-1"
    assert "cidrIpv4" not in rules["glue-in"], "only the workers of Glue may send to each other"
    assert "functions-in" not in rules


def test_a_replaced_security_group_exists_until_nothing_uses_it(engine: Engine) -> None:
    """A group with a fixed name would have to be deleted before its replacement exists, while it is still in use."""
    groups = [resource.inputs for resource in network(engine, {"states": "x"}).all("ec2.SecurityGroup")]
    assert len(groups) == 3
    assert all("name" not in group and group["namePrefix"].endswith("-") for group in groups)


def test_an_existing_network_is_used_unchanged(engine: Engine) -> None:
    recorded = network(engine, {"states": "x"}, vpcId="vpc-1", subnetIds=["subnet-1", "subnet-2"])
    assert recorded.all("ec2.Vpc") == recorded.all("ec2.Subnet") == recorded.all("ec2.VpcEndpoint") == []
    assert {resource.inputs["vpcId"] for resource in recorded.all("ec2.SecurityGroup")} == {"vpc-1"}
