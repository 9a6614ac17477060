"""How networks are named that somebody else made, addresses within them, and pages."""

from ipaddress import IPv4Network
from typing import Annotated, Literal

from pydantic import StringConstraints

VpcId = Annotated[str, StringConstraints(pattern=r"^vpc-[0-9a-f]+$")]
SubnetId = Annotated[str, StringConstraints(pattern=r"^subnet-[0-9a-f]+$")]
Zone = Literal["a", "b", "c", "d", "e", "f"]
"""An availability zone: the letter behind the region's name."""
Cidr = Annotated[str, StringConstraints(pattern=r"^([0-9]{1,3}\.){3}[0-9]{1,3}/(1[6-9]|2[0-8])$")]
"""Addresses of a network or subnet, as AWS takes them: between /16 and /28."""

HOST = r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?"
Origin = Annotated[str, StringConstraints(pattern=rf"^(\*|https?://{HOST}(:[0-9]{{1,5}})?)$")]
"""A page that may call from a browser, or any."""


def private_network(cidr: str) -> IPv4Network:
    """The addresses of a private network; raises ValueError where they are none."""
    try:
        found = IPv4Network(cidr)
    except ValueError:
        raise ValueError(f"{cidr} is no network: the addresses begin at a multiple of their number") from None
    if not found.is_private:
        raise ValueError(f"{cidr} is public: a network's own addresses are private (10/8, 172.16/12, 192.168/16)")
    return found
