"""Types of settings for networks: ids of existing networks, CIDR blocks, zones, and networks to build."""

from ipaddress import IPv4Network
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from components.settings.settings_base import SettingsModel

VpcId = Annotated[str, StringConstraints(pattern=r"^vpc-[0-9a-f]+$")]
SubnetId = Annotated[str, StringConstraints(pattern=r"^subnet-[0-9a-f]+$")]
Zone = Literal["a", "b", "c", "d", "e", "f"]
"""Availability zone: the letter after the region's name."""
Cidr = Annotated[str, StringConstraints(pattern=r"^([0-9]{1,3}\.){3}[0-9]{1,3}/(1[6-9]|2[0-8])$")]
"""CIDR block of a network or subnet. AWS accepts sizes between /16 and /28."""

PRIVATE_RANGES = (IPv4Network("10.0.0.0/8"), IPv4Network("172.16.0.0/12"), IPv4Network("192.168.0.0/16"))
"""The private IPv4 ranges of RFC 1918."""
BUILT_NETWORK_BITS = 16
"""Prefix length of a network that this program builds."""


def parse_private_network(cidr: str) -> IPv4Network:
    """Return the network of a CIDR block. Raise ValueError if the block is invalid or not private."""
    try:
        network = IPv4Network(cidr)
    except ValueError:
        raise ValueError(f"{cidr} is not a network: the first address must be a multiple of the block's size") from None
    if not any(network.subnet_of(private_range) for private_range in PRIVATE_RANGES):
        raise ValueError(f"{cidr} is public: use a private block (within 10/8, 172.16/12 or 192.168/16)")
    return network


class BuiltNetwork(SettingsModel):
    """Network that this program builds, with one subnet in each zone."""

    cidr: Cidr
    """CIDR block of the network: a /16 block. Each zone's subnet is a /24 block of it."""
    zones: Annotated[tuple[Zone, ...], Field(min_length=1, max_length=3)] = ("a", "b")
    """Availability zones of the network. Interface endpoints cost money in each zone."""

    @model_validator(mode="after")
    def _check_subnets(self) -> Self:
        if parse_private_network(self.cidr).prefixlen != BUILT_NETWORK_BITS:
            raise ValueError(f"cidr must be a block of size /{BUILT_NETWORK_BITS}: each zone gets a /24 of it")
        if len(set(self.zones)) < len(self.zones):
            raise ValueError("zones contains a zone more than once: list each zone once")
        return self

    def subnet_cidr(self, zone: str) -> str:
        """Return the CIDR block of a zone's subnet. It depends only on the zone's letter, so adding or removing a zone
        changes no other subnet.
        """
        first, second, *_ = self.cidr.split(".")
        return f"{first}.{second}.{ord(zone) - ord('a')}.0/24"
