"""Policies that deny new facts, and permissions, names and provider settings that no table could allow.

A fact is a line about a resource (`facts.py`), for example a permission. The tables in this folder contain all facts of the
program that a reviewer has accepted (`tables.py`). A new fact is in no table.
"""

import re
import threading
from collections.abc import Iterable, Iterator, Mapping

from guardrails.iam_documents import Statement, parse_statements
from guardrails.records import (
    EVERY_TYPE,
    MANDATORY_EVERYWHERE,
    CheckedResource,
    CheckedStack,
    Finding,
    Group,
    PolicySet,
    Severity,
)
from guardrails.resource_types import COMPONENTS, PLATFORM, ROLE, VPC_ENDPOINT
from guardrails.surface.facts import list_facts
from guardrails.surface.grants import describe_trust
from guardrails.surface.property_walk import get_known, walk
from guardrails.surface.tables import FOLDER_FROM_ROOT, Fact, Table, find_new

POLICIES = PolicySet(Group.LEAST_PRIVILEGE, levels=MANDATORY_EVERYWHERE, exceptions_allowed=False)

REMEDY_START = (
    "Use a block of components/blocks, or propose the line: `make surface` writes the tables, and a reviewer of"
)
AWS_PROVIDER = "pulumi:providers:aws"
ENGINE_TYPES = frozenset({"pulumi:pulumi:Stack", AWS_PROVIDER})
IMAGE_REPOSITORY = "meetings-media-images"
"""End of the name of the repository that the bootstrap template creates, because images are pushed before a deployment."""
WILDCARD = re.compile(r"[*?]|\$\{")
"""A wildcard, or the beginning of a policy variable, which may have any value."""
HARMLESS_PROVIDER_SETTINGS = frozenset(
    {"allowedAccountIds", "defaultTags", "region", "version"}
    | {"skipCredentialsValidation", "skipMetadataApiCheck", "skipRegionValidation"}
)
_FACTS_LOCK = threading.Lock()
"""Lock of the `SeenStack`, because the SDK checks several resources at once."""


def _list_new(resource: CheckedResource, table: Table) -> list[Fact]:
    """Return the new facts of a resource for one table. The first call for a resource finds those for all tables."""
    seen = resource.context.seen
    with _FACTS_LOCK:
        if resource.urn not in seen.new_facts:
            seen.current_urn = resource.urn
            seen.new_facts[resource.urn] = find_new(list_resource_facts(resource))
    return [fact for fact in seen.new_facts[resource.urn] if fact.table is table]


def list_resource_facts(resource: CheckedResource) -> Iterable[Fact]:
    """Return the facts of a resource. Store in the `SeenStack` the values on which the facts of later resources depend,
    for example of the policy of a role. `make surface` writes these facts into the tables.
    """
    seen = resource.context.seen
    if resource.type == PLATFORM:
        seen.account = str(resource.get("account"))
    if resource.type == ROLE:
        trust_policy = get_known(resource.props, "assumeRolePolicy")
        seen.roles[str(resource.props.get("name"))] = describe_trust(trust_policy)
    if resource.type.startswith(COMPONENTS) or resource.type in ENGINE_TYPES:
        return ()
    seen.define_names(resource.type, resource.props)
    return list_facts(resource.type, resource.name, resource.props, seen)


def _deny_new(table: Table, name: str, *, description: str, what: str, severity: Severity = Severity.CRITICAL) -> None:
    """Register the policy that denies facts which a table does not contain. `what` is the word for such a fact."""

    def check(resource: CheckedResource) -> Iterator[str]:
        for fact in _list_new(resource, table):
            if table is Table.VALUES:
                # The value may be a secret of the stack, which a policy pack cannot recognise.
                yield f"New {what} of {resource.type} {fact.path}."
            else:
                yield f"New {what}: {fact.line}" + (f" (property {fact.path})." if fact.path else ".")

    POLICIES.resource_policy(
        name,
        severity=severity,
        description=description,
        remedy=f"{REMEDY_START} {FOLDER_FROM_ROOT}/{table}.txt decides.",
        types={EVERY_TYPE},
    )(check)


_deny_new(Table.TYPES, "type-allowed", description="Every type of resource is in the table.", what="type of resource")
_deny_new(
    Table.PROPERTIES,
    "property-allowed",
    severity=Severity.HIGH,
    description="Every property that is set, also inside of JSON, and every variable that SDKs read is in the table.",
    what="property",
)
_deny_new(
    Table.VALUES,
    "value-allowed",
    description="Every text and truth value of a property, and every ARN and address in another text, is in the table.",
    what="value",
)
_deny_new(
    Table.GRANTS,
    "grant-allowed",
    description="Every action that a policy document allows is in the table, with its caller, resource and condition.",
    what="permission",
)


@POLICIES.resource_policy(
    "grant-exact",
    severity=Severity.CRITICAL,
    description="No Allow has a wildcard action or NotAction, NotResource or NotPrincipal, and none allows all callers.",
    remedy="List the actions, resources and principals. No table can allow these.",
    types={EVERY_TYPE},
)
def _check_grant_exact(resource: CheckedResource) -> Iterator[str]:
    for path, value in walk(resource.props) if not resource.type.startswith(COMPONENTS) else ():
        for statement in parse_statements(value) if isinstance(value, Mapping) else ():
            if not statement.is_allow or (resource.type == VPC_ENDPOINT and _is_endpoint_default(statement)):
                continue
            where = ".".join(path)
            if statement.not_elements:
                yield f"{where} has {', '.join(statement.not_elements)} in an Allow."
            yield from (f"{where} allows {action}." for action in statement.actions if WILDCARD.search(action))
            if any(value == "*" for _, value in statement.principals):
                yield f"{where} allows {', '.join(statement.actions)} to all callers."


def _is_endpoint_default(statement: Statement) -> bool:
    """Return True if an endpoint's statement may allow all callers, and any action: it is for the callers of one account, or
    for the S3 bucket of AWS from which ECR serves the layers of images.
    """
    return statement.restricts_exactly("aws:PrincipalAccount") or (
        statement.actions == ("s3:GetObject",) and all("starport-layer-bucket/" in arn for arn in statement.resources)
    )


@POLICIES.stack_policy(
    "names-of-stack",
    severity=Severity.CRITICAL,
    description=(
        "Every role, bucket and other name with the stack's prefix belongs to a resource of this stack or of its bootstrap, "
        "and every value that a preview does not know comes from one."
    ),
    remedy="Use the name, ARN or an output of a resource of this stack.",
)
def _check_names_of_stack(stack: CheckedStack) -> Iterator[Finding]:
    seen = stack.context.seen
    for resource in stack.resources:
        _list_new(resource, Table.TYPES)  # fills the `SeenStack`, if no other policy has done so
        for key in sorted(seen.unknown_properties.get(resource.urn, ())):
            if not resource.references.get(key):
                yield Finding(f"{key} is unknown, and comes from no resource of this stack.", resource.urn)
    for (kind, name), urn in seen.used_names.items():
        if not seen.has_name(kind, name) and name != f"{seen.prefix}{IMAGE_REPOSITORY}":
            yield Finding(f"{name} is not the name of a resource of this stack.", urn)


@POLICIES.resource_policy(
    "provider-not-redirected",
    severity=Severity.CRITICAL,
    description="No provider has its own credentials, role or service addresses, which could lead to another account.",
    remedy="Set only the region and the allowed account.",
    types={AWS_PROVIDER},
)
def _check_provider_not_redirected(provider: CheckedResource) -> Iterator[str]:
    for key in sorted(provider.props.keys() - HARMLESS_PROVIDER_SETTINGS):
        yield f"The provider {provider.name} sets {key}, so its resources can belong to another account."
