"""Settings for calling the external agent that answers the questions of voice Q&A: protocol, address, network, time
limit.

The agent itself is not part of this program. Stack files have these settings in the section `voiceQa.agentcore`,
although they also apply to an agent that is called by HTTP and not through Bedrock AgentCore.
"""

from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Annotated

from pydantic import Field, HttpUrl, StringConstraints, model_validator

from components.settings.networks import Cidr, SubnetId, VpcId, parse_private_network
from components.settings.settings_base import SettingsModel
from handlers.voice_qa.agent_url_validation import parse_agent_url
from handlers.voice_qa.environment import AnswerSeconds


class AgentMode(StrEnum):
    """Protocol for requests to the agent."""

    HTTP = "http"
    """HTTP requests to `endpoint`."""
    BEDROCK = "bedrock"
    """Calls of Bedrock AgentCore Runtime at `runtimeArn`."""


class AgentNetworkSettings(SettingsModel):
    """Network of a private agent. The query worker, which is the function that calls the agent, is attached to it, and
    needs a route to the internet.
    """

    vpc_id: VpcId
    """VPC in which the agent runs."""
    cidr: Cidr
    """CIDR block of the network. In it, the worker can reach only the agent's port."""
    subnet_ids: Annotated[tuple[SubnetId, ...], Field(min_length=1)]
    """Private subnets that already have a route to the internet."""

    @model_validator(mode="after")
    def _check_cidr(self) -> "AgentNetworkSettings":
        parse_private_network(self.cidr)
        return self


class AnswerAgentSettings(SettingsModel):
    """Settings for calling the external agent that answers questions."""

    mode: AgentMode = AgentMode.HTTP
    """Kind of the agent: `http` for an HTTP service at `endpoint`, `bedrock` for Bedrock AgentCore Runtime with
    `runtimeArn`."""
    endpoint: HttpUrl | None = None
    """URL of the agent in mode `http`, without user and query. Local stacks provide one themselves."""
    network: AgentNetworkSettings | None = None
    """Network of the agent in mode `http`, if its address is private."""
    runtime_arn: (
        Annotated[str, StringConstraints(pattern=r"^arn:[a-z-]+:bedrock-agentcore:[a-z0-9-]+:\d{12}:runtime/[\w-]+$")]
        | None
    ) = None
    """ARN of the agent in mode `bedrock`."""
    qualifier: Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,47}$")] = "DEFAULT"
    """Name of the runtime's endpoint, in mode `bedrock`."""
    answer_seconds: AnswerSeconds = 600
    """Maximum time for a complete answer."""

    @model_validator(mode="after")
    def _check_runtime(self) -> "AnswerAgentSettings":
        if self.mode is AgentMode.BEDROCK and self.runtime_arn is None:
            raise ValueError("with mode bedrock, runtimeArn is required")
        return self

    @model_validator(mode="after")
    def _check_endpoint(self) -> "AnswerAgentSettings":
        if self.endpoint is not None:
            parse_agent_url(str(self.endpoint))
        return self

    @model_validator(mode="after")
    def _check_certificate(self) -> "AnswerAgentSettings":
        if self.endpoint is None or self.endpoint.scheme != "https":
            return self
        if self._address is not None and not self._address.is_global:
            raise ValueError(
                "endpoint is https with a private address, for which no public authority issues certificates: give a host "
                "name with a certificate, for example of an internal load balancer with an ACM certificate"
            )
        return self

    @model_validator(mode="after")
    def _check_network(self) -> "AnswerAgentSettings":
        if self.network is None:
            return self
        if self.mode is not AgentMode.HTTP or self.endpoint is None:
            raise ValueError("network is only for mode http: give endpoint, or remove network")
        if self._address is not None and self._address not in parse_private_network(self.network.cidr):
            raise ValueError(f"endpoint is not in network.cidr ({self.network.cidr}), so the worker could not reach it")
        return self

    @property
    def _address(self) -> IPv4Address | IPv6Address | None:
        """IP address of the endpoint. None if there is no endpoint, or if its host is a name, which is not resolved
        here.
        """
        host = self.endpoint.host if self.endpoint else None
        try:
            return ip_address((host or "").strip("[]"))
        except ValueError:
            return None

    @property
    def port(self) -> int | None:
        """Port of the endpoint; None if there is no endpoint."""
        return self.endpoint.port if self.endpoint else None
