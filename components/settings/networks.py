"""Networks: those that are built, how those are named that somebody else made, addresses within them, and pages."""

from ipaddress import IPv4Network
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from components.settings.settings_base import SettingsModel

VpcId = Annotated[str, StringConstraints(pattern=r"^vpc-[0-9a-f]+$")]
SubnetId = Annotated[str, StringConstraints(pattern=r"^subnet-[0-9a-f]+$")]
Zone = Literal["a", "b", "c", "d", "e", "f"]
"""An availability zone: the letter behind the region's name."""
Cidr = Annotated[str, StringConstraints(pattern=r"^([0-9]{1,3}\.){3}[0-9]{1,3}/(1[6-9]|2[0-8])$")]
"""Addresses of a network or subnet, as AWS takes them: between /16 and /28."""

PRIVATE = (IPv4Network("10.0.0.0/8"), IPv4Network("172.16.0.0/12"), IPv4Network("192.168.0.0/16"))
BUILT_BITS = 16

HOST = r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?"
Origin = Annotated[str, StringConstraints(pattern=rf"^(\*|https?://{HOST}(:[0-9]{{1,5}})?)$")]
"""A page that may call from a browser, or any."""


def private_network(cidr: str) -> IPv4Network:
    """The addresses of a private network; raises ValueError where they are none."""
    try:
        found = IPv4Network(cidr)
    except ValueError:
        raise ValueError(f"{cidr} is no network: the addresses begin at a multiple of their number") from None
    if not any(found.subnet_of(one) for one in PRIVATE):
        raise ValueError(f"{cidr} is public: a network's own addresses are private (10/8, 172.16/12, 192.168/16)")
    return found


class BuiltNetwork(SettingsModel):
    """A network that this program builds, with a subnet in each of its zones."""

    cidr: Cidr
    """Its addresses; each zone gets a 256th of them."""
    zones: Annotated[tuple[Zone, ...], Field(min_length=1, max_length=3)] = ("a", "b")
    """Its availability zones; interface endpoints are paid for each."""

    @model_validator(mode="after")
    def _is_cut_into_subnets(self) -> Self:
        if private_network(self.cidr).prefixlen != BUILT_BITS:
            raise ValueError(f"cidr is a network of /{BUILT_BITS}: each zone has a /24 of it")
        if len(set(self.zones)) < len(self.zones):
            raise ValueError("zones names each zone once")
        return self

    def subnet_cidr(self, zone: str) -> str:
        """The addresses of one subnet: the same whichever other zones there are, or none could come or go."""
        first, second, *_ = self.cidr.split(".")
        return f"{first}.{second}.{ord(zone) - ord('a')}.0/24"
