"""Guardrail policies about networks: no security group lets large parts of the internet in, and no endpoint of a VPC
serves the identities of other accounts.
"""

from collections.abc import Iterable, Iterator, Mapping
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any, Final

from guardrails.model.arn_parser import contains_account, has_name
from guardrails.model.iam_documents import Statement, parse_statements, to_list
from guardrails.model.resource_types import (
    DEFAULT_SECURITY_GROUP,
    INGRESS_RULE,
    PREFIX_LIST,
    PREFIX_LIST_ENTRY,
    SECURITY_GROUP,
    SECURITY_GROUP_RULE,
    VPC_ENDPOINT,
    VPC_ENDPOINT_POLICY,
)
from guardrails.pack.policy_kinds import (
    MANDATORY_EVERYWHERE,
    CheckedResource,
    CheckedStack,
    PolicyGroup,
    PolicySet,
    PolicySeverity,
)

POLICIES = PolicySet(PolicyGroup.DATA_PROTECTION)

IpNetwork = IPv4Network | IPv6Network
MIN_PREFIX_LENGTHS: Final = {4: 16, 6: 32}
"""Minimum prefix length of an allowed public range, by IP version. All public ranges of a group together may have at
most as many addresses as the largest allowed range. Otherwise, a larger range could be allowed in parts.
"""
RANGE_PROPERTIES = ("cidr", "cidrBlocks", "ipv6CidrBlocks", "cidrIpv4", "cidrIpv6")
"""Properties of a rule with IP ranges: lists in a security group, single ranges in a separate rule, and the range of an
entry of a prefix list.
"""
PREFIX_LIST_PROPERTIES = ("prefixListIds", "prefixListId")
GROUP_TYPES = frozenset({DEFAULT_SECURITY_GROUP, SECURITY_GROUP})
RULE_TYPES = {
    INGRESS_RULE: "securityGroupId",
    PREFIX_LIST_ENTRY: "prefixListId",
    SECURITY_GROUP_RULE: "securityGroupId",
}
"""Types of single rules and entries, with the property that names the security group or prefix list of each."""
LIMITING_KEYS = (
    "aws:PrincipalAccount",
    "aws:PrincipalOrgID",
    "aws:ResourceAccount",
    "aws:ResourceOrgID",
)
"""Condition keys with ids. A condition on one of them keeps foreign identities or resources out of an endpoint."""


@POLICIES.resource_in_stack(
    "network-not-open",
    severity=PolicySeverity.CRITICAL,
    levels=MANDATORY_EVERYWHERE,
    description="No security group allows inbound traffic from the whole internet or a large part of it.",
    remedy="Allow a security group or a small IP range instead. Functions and jobs need no inbound rule.",
    frameworks=("AWS FSBP EC2.18", "AWS FSBP EC2.19"),
    types=GROUP_TYPES | set(RULE_TYPES) | {PREFIX_LIST},
    excusable=False,
)
def _check_network_not_open(resource: CheckedResource, stack: CheckedStack) -> Iterator[str]:
    rules = list(_list_ingress_rules(resource, stack))
    for rule in rules:
        for network in filter(_is_large, _list_public_ranges([rule])):
            yield (
                f"The rule allows inbound traffic from {network} (fromPort {float(rule.get('fromPort') or 0):g}). "
                f"{_describe_limit()}"
            )
        if _has_foreign_prefix_list(resource, rule, stack):
            yield "The rule allows inbound traffic from a prefix list that is not a resource of this stack."
    if rules and (resource.type not in RULE_TYPES or _is_first_rule(resource, stack)):
        yield from _find_split_ranges(resource, rules, stack)


def _describe_limit() -> str:
    return f"Public ranges must have a prefix of at least /{MIN_PREFIX_LENGTHS[4]} (IPv4) or /{MIN_PREFIX_LENGTHS[6]} (IPv6)."


def _list_ingress_rules(resource: CheckedResource, stack: CheckedStack) -> Iterator[Mapping[str, Any]]:
    if resource.type in GROUP_TYPES:
        # The provider returns the rules of separate resources here, too. They are checked with those resources.
        yield from (resource.props.get("ingress") or ()) if stack.is_set_by_program(resource, "ingress") else ()
    elif resource.type == PREFIX_LIST:
        yield from (resource.props.get("entries") or ()) if stack.is_set_by_program(resource, "entries") else ()
    elif resource.type != SECURITY_GROUP_RULE or resource.props.get("type") == "ingress":
        yield resource.props


def _list_public_ranges(rules: Iterable[Mapping[str, Any]]) -> Iterator[IpNetwork]:
    for rule in rules:
        for cidr in (cidr for key in RANGE_PROPERTIES for cidr in to_list(rule.get(key) or [])):
            try:
                network = ip_network(str(cidr).strip(), strict=False)
            except ValueError:
                continue  # EC2 refuses the value as well
            if not network.is_private:
                yield network


def _is_large(network: IpNetwork) -> bool:
    return network.prefixlen < MIN_PREFIX_LENGTHS[network.version]


def _has_foreign_prefix_list(resource: CheckedResource, rule: Mapping[str, Any], stack: CheckedStack) -> bool:
    """Return True if a rule names a prefix list of which this stack does not contain the entries, so that its ranges
    cannot be checked.
    """
    if resource.type in {PREFIX_LIST, PREFIX_LIST_ENTRY}:
        return False
    own_lists = stack.list_resources(PREFIX_LIST)
    for key in (*PREFIX_LIST_PROPERTIES, "ingress"):
        if any(prefix_list in resource.references.get(key, ()) for prefix_list in own_lists):
            return False
    return any(to_list(rule.get(key) or []) for key in PREFIX_LIST_PROPERTIES)


def _list_rules_of_owner(resource: CheckedResource, stack: CheckedStack) -> list[CheckedResource]:
    """Return all separate rules of the group, or entries of the prefix list, that a rule belongs to."""
    key = RULE_TYPES[resource.type]

    def get_owner(rule: CheckedResource) -> object:
        return rule.references.get(key) or rule.props.get(key)

    owner = get_owner(resource)
    return [rule for rule in stack.list_resources(resource.type) if get_owner(rule) == owner]


def _is_first_rule(resource: CheckedResource, stack: CheckedStack) -> bool:
    """Return True if a rule is the first of its group, so that the findings about the group appear once."""
    return min(rule.urn for rule in _list_rules_of_owner(resource, stack)) == resource.urn


def _find_split_ranges(
    resource: CheckedResource, rules: Iterable[Mapping[str, Any]], stack: CheckedStack
) -> Iterator[str]:
    """Yield a fault if small ranges together cover a large part of the internet."""
    if resource.type in RULE_TYPES:
        rules = [props for rule in _list_rules_of_owner(resource, stack) for props in _list_ingress_rules(rule, stack)]
    ranges = [network for network in _list_public_ranges(rules) if not _is_large(network)]
    for version, min_length in MIN_PREFIX_LENGTHS.items():
        max_addresses = 2 ** ({4: 32, 6: 128}[version] - min_length)
        distinct = {network for network in ranges if network.version == version}
        if sum(network.num_addresses for network in distinct) > max_addresses:
            yield f"{len(distinct)} ranges together allow inbound traffic from too many addresses. {_describe_limit()}"


@POLICIES.resource_in_stack(
    "endpoint-for-own-account",
    severity=PolicySeverity.HIGH,
    levels=MANDATORY_EVERYWHERE,
    description="Every VPC endpoint has a policy, whose statements name the allowed accounts, identities or resources.",
    remedy=(
        "Set policy, and compare aws:PrincipalAccount or aws:ResourceAccount in each statement with the resource `*`. "
        "Without a policy, an endpoint allows everything."
    ),
    frameworks=("AWS Well-Architected SEC03-BP05",),
    types={VPC_ENDPOINT},
)
def _check_endpoint_for_own_account(endpoint: CheckedResource, stack: CheckedStack) -> Iterator[str]:
    """Yield a violation if an endpoint has no policy, or if its policy allows all identities to use all resources.

    The default policy allows everything (https://docs.aws.amazon.com/vpc/latest/privatelink/vpc-endpoints-access.html).
    """
    holders = [
        policy
        for policy in stack.list_resources(VPC_ENDPOINT_POLICY)
        if endpoint in policy.references.get("vpcEndpointId", ())
    ]
    if stack.is_set_by_program(endpoint, "policy"):
        holders.append(endpoint)
    documents = [holder.props.get("policy") for holder in holders]
    if not any(documents):
        yield "The endpoint has no policy, so it allows every action of every identity on every resource."
    for document in documents:
        for statement in parse_statements(document):
            if statement.is_allow and not _is_limited(statement):
                yield (
                    f"The endpoint's policy allows {', '.join(statement.actions) or 'all other actions'} on every "
                    "resource to every identity."
                )


def _is_limited(statement: Statement) -> bool:
    """Return True if a statement names its resources or its principals, or compares an account."""
    if any(statement.is_pinned_by(key) for key in LIMITING_KEYS):
        return True
    # The name of an identity may be a pattern, but not its account, because a role in any account can have the name.
    arns = statement.condition_values("aws:PrincipalArn")
    if statement.is_narrowed_by("aws:PrincipalArn") and all(map(contains_account, arns)):
        return True
    if statement.not_elements:
        return False
    names_principals = bool(statement.principals) and all(value != "*" for _, value in statement.principals)
    return names_principals or (bool(statement.resources) and all(map(has_name, statement.resources)))
