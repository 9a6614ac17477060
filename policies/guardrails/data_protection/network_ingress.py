"""Nothing in the network listens to the world."""

from collections.abc import Iterator, Mapping
from ipaddress import ip_network
from typing import Any, Final

from guardrails.model.resource_types import DEFAULT_SECURITY_GROUP, INGRESS_RULE, SECURITY_GROUP, SECURITY_GROUP_RULE
from guardrails.pack.policy_kinds import MANDATORY_EVERYWHERE, CheckedResource, PolicyGroup, PolicySet, PolicySeverity

POLICIES = PolicySet(PolicyGroup.DATA_PROTECTION)

LARGEST: Final = {4: 8, 6: 16}
"""Length of the shortest prefix that anybody has for himself, by IP's version: what is wider is the internet, or much of it."""
RANGES = ("cidrBlocks", "ipv6CidrBlocks", "cidrIpv4", "cidrIpv6")


@POLICIES.resource(
    "network-not-open",
    severity=PolicySeverity.CRITICAL,
    levels=MANDATORY_EVERYWHERE,
    description="No security group lets the whole internet in, or much of it.",
    remedy="Name the security group or the range that calls; functions and jobs need no rule inwards.",
    frameworks=("AWS FSBP EC2.18", "AWS FSBP EC2.19"),
    types={DEFAULT_SECURITY_GROUP, INGRESS_RULE, SECURITY_GROUP, SECURITY_GROUP_RULE},
)
def _check_network_not_open(resource: CheckedResource) -> Iterator[str]:
    for rule in _rules(resource):
        for key in RANGES:
            given = rule.get(key) or ()
            for block in [given] if isinstance(given, str) else given:
                if _is_much_of_the_internet(block):
                    yield f"It lets {block} in, from port {float(rule.get('fromPort') or 0):g}."


def _is_much_of_the_internet(block: str) -> bool:
    try:
        network = ip_network(block, strict=False)
    except ValueError:
        return False  # EC2 takes it no more than this
    return network.prefixlen < LARGEST[network.version] and not network.is_private


def _rules(resource: CheckedResource) -> Iterator[Mapping[str, Any]]:
    if resource.type in {DEFAULT_SECURITY_GROUP, SECURITY_GROUP}:
        yield from resource.props.get("ingress") or ()
    elif resource.type == INGRESS_RULE or resource.props.get("type") == "ingress":
        yield resource.props
