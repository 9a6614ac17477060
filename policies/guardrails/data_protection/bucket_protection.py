"""Buckets: encrypted, private, TLS only, owned by us, logged, versioned where people put their originals."""

from collections.abc import Iterator, Sequence

from pulumi_policy.proxy import UnknownValueError

from guardrails.model.iam_documents import Statement, parse_statements
from guardrails.model.related_resources import list_bucket_settings
from guardrails.model.resource_types import (
    BUCKET_ENCRYPTION,
    BUCKET_LOGGING,
    BUCKET_NOTIFICATION,
    BUCKET_OWNERSHIP,
    BUCKET_POLICY,
    BUCKET_PUBLIC_ACCESS,
    BUCKET_VERSIONING,
    BUCKETS,
)
from guardrails.pack.policy_kinds import (
    MANDATORY_EVERYWHERE,
    MANDATORY_IN_PROD,
    CheckedResource,
    CheckedStack,
    PolicyGroup,
    PolicySet,
    PolicySeverity,
)

POLICIES = PolicySet(PolicyGroup.DATA_PROTECTION)

BLOCKS = ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")
ONLY_ACTIONS = frozenset({"sns:Publish"})
"""What covers a service whose policies know no wildcard."""
LOG_DELIVERY = ("Service", "logging.s3.amazonaws.com")


@POLICIES.relation(
    "bucket-encrypted",
    severity=PolicySeverity.MEDIUM,
    levels=MANDATORY_EVERYWHERE,
    description="Every bucket says how its objects are encrypted at rest.",
    remedy="Use the bucket block, which encrypts.",
    frameworks=("AWS Well-Architected SEC08-BP02",),
    types=BUCKETS,
)
def _check_bucket_encrypted(bucket: CheckedResource, stack: CheckedStack) -> Iterator[str]:
    rules = [
        rule
        for encryption in list_bucket_settings(bucket, stack, BUCKET_ENCRYPTION)
        for rule in encryption.props.get("rules") or ()
    ]
    if not any((rule.get("applyServerSideEncryptionByDefault") or {}).get("sseAlgorithm") for rule in rules):
        yield "It does not say how its objects are encrypted."


@POLICIES.relation(
    "bucket-public-access-blocked",
    severity=PolicySeverity.CRITICAL,
    levels=MANDATORY_EVERYWHERE,
    description="Every bucket blocks public access, in all four ways.",
    remedy="Use the bucket block, which blocks it.",
    frameworks=("AWS FSBP S3.8", "CIS AWS 3.0 2.1.4"),
    types=BUCKETS,
)
def _check_bucket_public_access_blocked(bucket: CheckedResource, stack: CheckedStack) -> Iterator[str]:
    found = list(list_bucket_settings(bucket, stack, BUCKET_PUBLIC_ACCESS))
    missing = [key for key in BLOCKS if not any(access_block.props.get(key) for access_block in found)]
    if missing:
        yield f"Its public access block lacks {', '.join(missing)}."


@POLICIES.relation(
    "bucket-tls-only",
    severity=PolicySeverity.HIGH,
    levels=MANDATORY_EVERYWHERE,
    description="Every bucket refuses plain HTTP.",
    remedy="Deny s3:* on the bucket and its objects where aws:SecureTransport is false, and nothing else.",
    frameworks=("AWS FSBP S3.5", "CIS AWS 3.0 2.1.1"),
    types=BUCKETS,
)
def _check_bucket_tls_only(bucket: CheckedResource, stack: CheckedStack) -> Iterator[str]:
    if not any(
        refuses_plain_http(policy)
        for policy in (*list_bucket_settings(bucket, stack, BUCKET_POLICY), *inline(bucket, stack))
    ):
        yield "Its policy does not refuse plain HTTP."


def inline(resource: CheckedResource, stack: CheckedStack) -> list[CheckedResource]:
    """A resource that holds its policy itself.

    A provider answers one that was not given with what is not known, and later with the one that stands beside it, as
    that was before this deployment.
    """
    if not stack.is_set_by_program(resource, "policy"):
        return []
    try:
        return [resource] if resource.props.get("policy") else []
    except UnknownValueError:
        if resource.references.get("policy"):
            raise
        return []


def refuses_plain_http(policy: CheckedResource) -> bool:
    """Whether a resource's policy denies everybody everything that does not come by TLS."""
    return any(
        statement.effect == "Deny"
        and any(value == "*" for _, value in statement.principals)
        and any(action == "*" or action.endswith(":*") or action in ONLY_ACTIONS for action in statement.actions)
        and _whole(statement.resources)
        and _without_tls_alone(statement)
        for statement in parse_statements(policy.props.get("policy"))
    )


def _without_tls_alone(statement: Statement) -> bool:
    """Whether the one condition is that there is no TLS: a second one would let through what it does not meet."""
    asked = [(operator.lower(), key.lower()) for operator, keys in statement.conditions.items() for key in keys]
    values = [value.lower() for value in statement.condition_values("aws:SecureTransport")]
    return asked == [("bool", "aws:securetransport")] and values == ["false"]


def _whole(resources: Sequence[str]) -> bool:
    """Whether they are all of a resource: of a bucket itself and its objects."""
    return any(":s3:::" not in arn or (not arn.endswith("/*") and f"{arn}/*" in resources) for arn in resources)


@POLICIES.relation(
    "bucket-owner-enforced",
    severity=PolicySeverity.MEDIUM,
    levels=MANDATORY_EVERYWHERE,
    description="Whatever is put into a bucket belongs to its owner; access control lists are off.",
    remedy="Set objectOwnership BucketOwnerEnforced.",
    frameworks=("AWS FSBP S3.12",),
    types=BUCKETS,
)
def _check_bucket_owner_enforced(bucket: CheckedResource, stack: CheckedStack) -> Iterator[str]:
    found = [
        ownership.get_nested("rule", "objectOwnership")
        for ownership in list_bucket_settings(bucket, stack, BUCKET_OWNERSHIP)
    ]
    if "BucketOwnerEnforced" not in found:
        yield f"Its object ownership is {found[0] if found else 'not set'}: access control lists still count."


@POLICIES.relation(
    "bucket-access-logged",
    severity=PolicySeverity.MEDIUM,
    levels=MANDATORY_EVERYWHERE,
    description="Every bucket but the audit bucket logs who accesses it, in every environment.",
    remedy="Leave access_logged on in the bucket block.",
    frameworks=("AWS FSBP S3.9",),
    types=BUCKETS,
)
def _check_bucket_access_logged(bucket: CheckedResource, stack: CheckedStack) -> Iterator[str]:
    if any(list_bucket_settings(bucket, stack, BUCKET_LOGGING)) or _is_audit_bucket(bucket, stack):
        return
    yield "Nobody can tell who read it: it writes no access log."


def _is_audit_bucket(bucket: CheckedResource, stack: CheckedStack) -> bool:
    """Whether other buckets log into it, or may, before there are any. It logs to nobody: a bucket that logs itself never ends."""
    logged = [logging.props.get("targetBucket") for logging in stack.list_resources(BUCKET_LOGGING)]
    if logged:
        return bucket.props.get("bucket") in logged
    return any(
        statement.effect == "Allow" and LOG_DELIVERY in statement.principals
        for policy in list_bucket_settings(bucket, stack, BUCKET_POLICY)
        for statement in parse_statements(policy.props.get("policy"))
    )


@POLICIES.resource(
    "bucket-logs-elsewhere",
    severity=PolicySeverity.MEDIUM,
    levels=MANDATORY_EVERYWHERE,
    description="No bucket writes its access log into itself.",
    remedy="Log into the audit bucket.",
    types={BUCKET_LOGGING},
)
def _check_bucket_logs_elsewhere(logging: CheckedResource) -> Iterator[str]:
    if logging.props.get("targetBucket") == logging.props.get("bucket"):
        yield f"It logs into {logging.props.get('targetBucket')} itself: each line written is logged by one more."


@POLICIES.relation(
    "bucket-originals-versioned",
    severity=PolicySeverity.MEDIUM,
    levels=MANDATORY_IN_PROD,
    description="A bucket in which originals arrive keeps their versions.",
    remedy="Set versioned in the bucket block, with old_version_days.",
    frameworks=("AWS Security Hub S3.14",),
    types=BUCKETS,
)
def _check_bucket_originals_versioned(bucket: CheckedResource, stack: CheckedStack) -> Iterator[str]:
    """Originals are what somebody puts there and something is told of; results can be made again."""
    if not any(list_bucket_settings(bucket, stack, BUCKET_NOTIFICATION)):
        return
    statuses = [
        versioning.get_nested("versioningConfiguration", "status")
        for versioning in list_bucket_settings(bucket, stack, BUCKET_VERSIONING)
    ]
    if "Enabled" not in statuses:
        yield "Originals arrive in it, and one that is overwritten or deleted is gone."


@POLICIES.resource(
    "bucket-never-emptied",
    severity=PolicySeverity.HIGH,
    levels=MANDATORY_IN_PROD,
    description="No deployment deletes objects with their bucket in prod.",
    remedy="Set foundation.data.deletionProtection.",
    types=BUCKETS,
)
def _check_bucket_never_emptied(bucket: CheckedResource) -> Iterator[str]:
    if bucket.props.get("forceDestroy"):
        yield "It has forceDestroy: a deployment that drops it deletes what it holds."
