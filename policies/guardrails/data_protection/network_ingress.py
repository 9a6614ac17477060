"""Guardrail policy about security groups: no rule lets large parts of the internet in."""

from collections.abc import Iterator, Mapping
from ipaddress import ip_network
from typing import Any, Final

from guardrails.model.resource_types import DEFAULT_SECURITY_GROUP, INGRESS_RULE, SECURITY_GROUP, SECURITY_GROUP_RULE
from guardrails.pack.policy_kinds import MANDATORY_EVERYWHERE, CheckedResource, PolicyGroup, PolicySet, PolicySeverity

POLICIES = PolicySet(PolicyGroup.DATA_PROTECTION)

MIN_PREFIX_LENGTHS: Final = {4: 8, 6: 16}
"""Minimum prefix length of an allowed public range, by IP version. No organization owns a larger range."""
RANGE_PROPERTIES = ("cidrBlocks", "ipv6CidrBlocks", "cidrIpv4", "cidrIpv6")
"""Properties of a rule with IP ranges: lists in a security group, single ranges in a separate rule."""


@POLICIES.resource(
    "network-not-open",
    severity=PolicySeverity.CRITICAL,
    levels=MANDATORY_EVERYWHERE,
    description="No security group allows inbound traffic from the whole internet or a large part of it.",
    remedy="Allow a security group or a small IP range instead. Functions and jobs need no inbound rule.",
    frameworks=("AWS FSBP EC2.18", "AWS FSBP EC2.19"),
    types={DEFAULT_SECURITY_GROUP, INGRESS_RULE, SECURITY_GROUP, SECURITY_GROUP_RULE},
    excusable=False,
)
def _check_network_not_open(resource: CheckedResource) -> Iterator[str]:
    for rule in _list_ingress_rules(resource):
        for key in RANGE_PROPERTIES:
            given = rule.get(key) or ()
            for cidr in [given] if isinstance(given, str) else given:
                if _is_large_public_range(cidr):
                    yield (
                        f"The rule allows inbound traffic from {cidr} (fromPort "
                        f"{float(rule.get('fromPort') or 0):g}). Public ranges must have a prefix of at least "
                        f"/{MIN_PREFIX_LENGTHS[4]} (IPv4) or /{MIN_PREFIX_LENGTHS[6]} (IPv6)."
                    )


def _is_large_public_range(cidr: str) -> bool:
    try:
        network = ip_network(cidr, strict=False)
    except ValueError:
        return False  # EC2 refuses the value as well
    return network.prefixlen < MIN_PREFIX_LENGTHS[network.version] and not network.is_private


def _list_ingress_rules(resource: CheckedResource) -> Iterator[Mapping[str, Any]]:
    if resource.type in {DEFAULT_SECURITY_GROUP, SECURITY_GROUP}:
        yield from resource.props.get("ingress") or ()
    elif resource.type == INGRESS_RULE or resource.props.get("type") == "ingress":
        yield resource.props
