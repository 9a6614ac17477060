"""Guardrail policy about companions: resources that configure another resource, for example a bucket's public access
block. No two resources of the stack may define the same thing on AWS.

A bucket has one public access block on AWS. If the stack has two, the block that is deployed last replaces the other,
so a check of either block does not show the result. In the same way, a companion can replace a property of the resource
that it configures: a `BucketPolicy` replaces the bucket's own property `policy`.

Two resources of one type with the same name are the same case. AWS refuses the second (a function) or lets it change
the first (an alarm).
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from pulumi_policy.proxy import UnknownValueError

from guardrails.model import resource_types as t
from guardrails.pack.policy_kinds import (
    MANDATORY_EVERYWHERE,
    CheckedResource,
    CheckedStack,
    Finding,
    PolicyGroup,
    PolicySet,
    PolicySeverity,
)

POLICIES = PolicySet(PolicyGroup.DATA_PROTECTION)


@dataclass(frozen=True)
class UniquenessRule:
    """Rule by which two resources of one type define the same thing on AWS."""

    keys: tuple[str, ...]
    """Properties that are equal in two such resources. If the type has parents, the first property names the parent. An
    empty tuple means that the stack may have only one resource of the type.
    """
    parents: Collection[str] = ()
    """Types of the parent, which is the resource that a companion configures. They are empty for a resource that is no
    companion, and for a companion whose parent need not be a resource of the stack. Keys are then compared as text.
    """
    inline: str = ""
    """Property of the parent that contains the same setting; empty if there is none."""


NAMED = UniquenessRule(("name",))
"""Rule for resources that need different names."""


def _of_bucket(inline: str = "") -> UniquenessRule:
    return UniquenessRule(("bucket",), t.BUCKETS, inline)


UNIQUENESS_RULES: Final[Mapping[str, UniquenessRule]] = {
    t.PLATFORM: UniquenessRule(()),  # only one, because other policies read the stack's environment from it
    t.ALARM: NAMED,
    t.BUCKET: UniquenessRule(("bucket",)),
    t.DASHBOARD: UniquenessRule(("dashboardName",)),
    t.EVENT_RULE: UniquenessRule(("name", "eventBusName")),
    t.FUNCTION: NAMED,
    t.LOG_GROUP: NAMED,
    t.QUEUE: NAMED,
    t.ROLE: NAMED,
    t.SSM_PARAMETER: NAMED,
    t.TABLE: NAMED,
    t.TOPIC: NAMED,
    t.WORKFLOW: NAMED,
    t.API_GATEWAY_ACCOUNT: UniquenessRule(()),
    t.REST_METHOD_SETTINGS: UniquenessRule(("restApi", "stageName", "methodPath"), {t.REST_API}),
    t.REST_POLICY: UniquenessRule(("restApiId",), {t.REST_API}, "policy"),
    t.BACKUP_VAULT_POLICY: UniquenessRule(("backupVaultName",), {t.BACKUP_VAULT}),
    t.AGENTCORE_POLICY: UniquenessRule(("resourceArn",)),
    t.EVENT_BUS_POLICY: UniquenessRule(("eventBusName",)),
    t.EVENT_TARGET: UniquenessRule(("rule", "targetId"), {t.EVENT_RULE}),
    t.LOG_DESTINATION_POLICY: UniquenessRule(("destinationName",)),
    t.LOG_RESOURCE_POLICY: UniquenessRule(("policyName",)),
    t.IDENTITY_POOL_ROLES: UniquenessRule(("identityPoolId",), {t.IDENTITY_POOL}),
    t.TABLE_POLICY: UniquenessRule(("resourceArn",), {t.TABLE}),
    t.IMAGE_REPOSITORY_LIFECYCLE: UniquenessRule(("repository",), {t.IMAGE_REPOSITORY}),
    t.IMAGE_REPOSITORY_POLICY: UniquenessRule(("repository",), {t.IMAGE_REPOSITORY}),
    t.GLUE_CATALOG_POLICY: UniquenessRule(()),
    t.ROLE_POLICY: UniquenessRule(("role", "name"), {t.ROLE}, "inlinePolicies"),
    t.KMS_KEY_POLICY: UniquenessRule(("keyId",), {t.KMS_KEY, t.KMS_EXTERNAL_KEY, t.KMS_REPLICA_KEY}, "policy"),
    t.FUNCTION_ASYNC_CONFIG: UniquenessRule(("functionName", "qualifier"), {t.FUNCTION}),
    t.FUNCTION_PERMISSION: UniquenessRule(("function", "qualifier", "statementId"), {t.FUNCTION}),
    t.FUNCTION_URL: UniquenessRule(("functionName", "qualifier"), {t.FUNCTION}),
    t.PROVISIONED_CONCURRENCY: UniquenessRule(("functionName", "qualifier"), {t.FUNCTION}),
    t.BUCKET_CORS: _of_bucket("corsRules"),
    t.BUCKET_ENCRYPTION: _of_bucket("serverSideEncryptionConfiguration"),
    t.BUCKET_LIFECYCLE: _of_bucket("lifecycleRules"),
    t.BUCKET_LOGGING: _of_bucket("logging"),
    t.BUCKET_NOTIFICATION: _of_bucket(),
    t.BUCKET_OWNERSHIP: _of_bucket(),
    t.BUCKET_POLICY: _of_bucket("policy"),
    t.BUCKET_PUBLIC_ACCESS: _of_bucket(),
    t.BUCKET_VERSIONING: _of_bucket("versioning"),
    t.SECRET_POLICY: UniquenessRule(("secretArn",), {t.SECRET}, "policy"),
    t.TOPIC_POLICY: UniquenessRule(("arn",), {t.TOPIC}, "policy"),
    t.QUEUE_POLICY: UniquenessRule(("queueUrl",), {t.QUEUE}, "policy"),
}
"""The rule of each type of companion, and of each type whose resources need different names."""
NAME_PROPERTIES = ("bucket", "name", "functionName")
"""Properties with the physical name of a parent, which is also the last part of its ARN and of its URL."""
OPTIONAL_KEYS = frozenset({"eventBusName", "qualifier"})
"""Keys that have the same default in every companion that does not set them."""


@POLICIES.stack(
    "one-companion-per-resource",
    severity=PolicySeverity.CRITICAL,
    levels=MANDATORY_EVERYWHERE,
    description=(
        "No two resources define the same thing on AWS. A bucket has at most one public access block, for example, and "
        "has its policy either inline or as a separate resource. No two functions, queues or other named resources of "
        "one type have the same name."
    ),
    remedy="Remove one of the definitions, or merge them into one resource.",
    excusable=False,
)
def _check_one_companion_per_resource(stack: CheckedStack) -> Iterator[Finding]:
    parents = _index_by_type_and_id(stack)
    by_identity: dict[tuple[str, ...], list[CheckedResource]] = defaultdict(list)
    for companion in stack.list_resources(*UNIQUENESS_RULES):
        rule = UNIQUENESS_RULES[companion.type]
        ids = [_identify(companion, key, rule.parents, parents) for key in rule.keys]
        for parent_type in rule.parents if rule.inline else ():
            for parent in parents.get((parent_type, ids[0] or ""), ()):
                if _sets_inline(parent, rule.inline, stack):
                    yield Finding(
                        f"The property {rule.inline} of this resource and the resource {companion.name} "
                        "define the same setting, so one replaces the other.",
                        parent.urn,
                    )
        if None not in ids:
            by_identity[companion.type, *map(str, ids)].append(companion)
    for companions in by_identity.values():
        for companion in companions if len(companions) > 1 else ():
            others = ", ".join(sorted(other.name for other in companions if other is not companion))
            yield Finding(
                f"This resource defines the same thing on AWS as {others}, so AWS refuses one definition or replaces it.",
                companion.urn,
            )


def _index_by_type_and_id(stack: CheckedStack) -> Mapping[tuple[str, str], list[CheckedResource]]:
    """Return the stack's resources by type and id (see `_get_id`). Resources of the same physical name share an id."""
    index: dict[tuple[str, str], list[CheckedResource]] = defaultdict(list)
    for resource in stack.resources:
        index[resource.type, _get_id(resource)].append(resource)
    return index


def _get_id(resource: CheckedResource) -> str:
    """Return the physical name of a resource, or its URN if the name is unknown."""
    return next(filter(None, (_read_text(resource, key) for key in NAME_PROPERTIES)), resource.urn)


def _identify(
    companion: CheckedResource,
    key: str,
    parent_types: Collection[str],
    parents: Mapping[tuple[str, str], list[CheckedResource]],
) -> str | None:
    """Return the value of a key in a form that can be compared.

    One companion may name its parent by name, another by ARN, URL or reference. All these forms are replaced by the
    parent's id (see `_get_id`). Any other value is returned as it is. None means that the value is unknown, or that the
    program sets none and the provider generates a unique one.
    """
    value = _read_text(companion, key)
    for part in (value or "").replace("/", ":").split(":"):
        if any((parent_type, part) in parents for parent_type in parent_types):
            return part
    parent_ids = {_get_id(parent) for parent in companion.references.get(key, ()) if parent.type in parent_types}
    if len(parent_ids) == 1:
        return parent_ids.pop()
    return value or ("" if key in OPTIONAL_KEYS and not companion.has_property(key) else None)


def _read_text(resource: CheckedResource, key: str) -> str | None:
    """Return the value of a property, or None if it is unknown or absent."""
    try:
        value = resource.props.get(key)
    except UnknownValueError:
        return None
    return str(value) if value is not None else None


def _sets_inline(parent: CheckedResource, key: str, stack: CheckedStack) -> bool:
    """Return True if the program sets an inline property of the parent and it is not empty.

    An unknown value counts if it is computed from other resources. Otherwise the provider will fill in the property.
    """
    if not parent.has_property(key) or not stack.is_set_by_program(parent, key):
        return False
    try:
        return bool(parent.props.get(key))
    except UnknownValueError:
        return bool(parent.references.get(key))
