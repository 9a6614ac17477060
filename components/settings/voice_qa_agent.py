"""Settings of the agent that answers questions: how it is reached, where it is, how long it may take."""

from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Annotated

from pydantic import HttpUrl, StringConstraints, model_validator

from components.settings.networks import Cidr, SubnetId, VpcId, Zone, private_network
from components.settings.settings_base import Settings
from handlers.voice_qa.environment import AnswerSeconds, parse_endpoint


class Mode(StrEnum):
    """How the agent is reached."""

    HTTP = "http"
    BEDROCK = "bedrock"
    """As an agent of Bedrock AgentCore Runtime."""


class NatSettings(Settings):
    """A subnet of ours in the agent's network, and a NAT gateway as its way out: about $37 a month."""

    public_subnet_id: SubnetId
    """Where the gateway stands: a subnet that the internet is reached from."""
    subnet_cidr: Cidr
    """Free addresses of the network, for the subnet."""
    zone: Zone
    """The public subnet's: data between zones is paid for."""


class AgentNetworkSettings(Settings):
    """The network that a private agent is in: the worker is attached to it, and needs a way out."""

    vpc_id: VpcId
    cidr: Cidr
    """The network's addresses: those and the agent's port are all that the worker reaches in it."""
    subnet_ids: tuple[SubnetId, ...] = ()
    """Private subnets that have a way out already."""
    nat: NatSettings | None = None
    """Otherwise one is made, and paid for."""

    @model_validator(mode="after")
    def _there_is_one_way_out(self) -> "AgentNetworkSettings":
        network = private_network(self.cidr)
        if bool(self.subnet_ids) == (self.nat is not None):
            raise ValueError("give subnetIds, which have a way out, or nat, to have one made")
        if self.nat is not None and not private_network(self.nat.subnet_cidr).subnet_of(network):
            raise ValueError(f"nat.subnetCidr ({self.nat.subnet_cidr}) must be part of cidr ({self.cidr})")
        return self


class AgentSettings(Settings):
    """The agent that answers."""

    mode: Mode = Mode.HTTP
    endpoint: HttpUrl | None = None
    """Where it is, in mode `http`, without a query or a user; local stacks bring one."""
    network: AgentNetworkSettings | None = None
    """The network it is in, in mode `http`, where its address is a private one."""
    runtime_arn: (
        Annotated[str, StringConstraints(pattern=r"^arn:[a-z-]+:bedrock-agentcore:[a-z0-9-]+:\d{12}:runtime/[\w-]+$")]
        | None
    ) = None
    """Which it is, in mode `bedrock`."""
    qualifier: Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,47}$")] = "DEFAULT"
    answer_seconds: AnswerSeconds = 600
    """How long a whole answer may take."""

    @model_validator(mode="after")
    def _the_runtime_is_named(self) -> "AgentSettings":
        if self.mode is Mode.BEDROCK and self.runtime_arn is None:
            raise ValueError("with mode bedrock, runtimeArn must be given")
        return self

    @model_validator(mode="after")
    def _the_worker_can_call_the_endpoint(self) -> "AgentSettings":
        if self.endpoint is not None:
            parse_endpoint(str(self.endpoint))
        return self

    @model_validator(mode="after")
    def _the_endpoint_can_have_a_certificate(self) -> "AgentSettings":
        if self.endpoint is None or self.endpoint.scheme != "https":
            return self
        if self._address is not None and not self._address.is_global:
            raise ValueError(
                "endpoint is https at a private address, which no public authority gives a certificate for: give a name "
                "that has one, as of an internal load balancer with a certificate of ACM"
            )
        return self

    @model_validator(mode="after")
    def _the_network_has_the_endpoint(self) -> "AgentSettings":
        if self.network is None:
            return self
        if self.mode is not Mode.HTTP or self.endpoint is None:
            raise ValueError("network is for mode http: give endpoint, or leave network out")
        if self._address is not None and self._address not in private_network(self.network.cidr):
            raise ValueError(f"endpoint is not in network.cidr ({self.network.cidr}): the worker could not reach it")
        return self

    @property
    def _address(self) -> IPv4Address | IPv6Address | None:
        """The endpoint's; none where it is a name: where that leads is not known here."""
        host = self.endpoint.host if self.endpoint else None
        try:
            return ip_address((host or "").strip("[]"))
        except ValueError:
            return None

    @property
    def port(self) -> int | None:
        """Where the endpoint listens."""
        return self.endpoint.port if self.endpoint else None
