"""Guardrail policies about S3 buckets: encryption, public access, TLS, object ownership, access logs, and versions of
uploaded originals.
"""

from collections.abc import Iterator
from functools import partial

from guardrails.model.iam_documents import parse_statements
from guardrails.model.plain_http_refusal import list_own_policy, refuses_plain_http
from guardrails.model.related_resources import is_configured, list_bucket_settings
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

PUBLIC_ACCESS_SETTINGS = ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")
LOG_DELIVERY = ("Service", "logging.s3.amazonaws.com")
"""Principal that delivers access logs to a bucket."""


@POLICIES.resource_in_stack(
    "bucket-encrypted",
    severity=PolicySeverity.MEDIUM,
    levels=MANDATORY_EVERYWHERE,
    description="Every bucket configures the encryption of its objects.",
    remedy="Use the bucket block (components/blocks/storage/bucket.py), which configures encryption.",
    frameworks=("AWS Well-Architected SEC08-BP02",),
    types=BUCKETS,
)
def _check_bucket_encrypted(bucket: CheckedResource, stack: CheckedStack) -> Iterator[str]:
    if not is_configured(list_bucket_settings(bucket, stack, BUCKET_ENCRYPTION), _has_algorithm):
        yield "The bucket has no encryption configuration with an sseAlgorithm."


def _has_algorithm(encryption: CheckedResource) -> bool:
    return any(
        (rule.get("applyServerSideEncryptionByDefault") or {}).get("sseAlgorithm")
        for rule in encryption.props.get("rules") or ()
    )


@POLICIES.resource_in_stack(
    "bucket-public-access-blocked",
    severity=PolicySeverity.CRITICAL,
    levels=MANDATORY_EVERYWHERE,
    description="Every bucket blocks public access with all four settings.",
    remedy="Use the bucket block, which sets all four settings.",
    frameworks=("AWS FSBP S3.8", "CIS AWS 3.0 2.1.4"),
    types=BUCKETS,
    excusable=False,
)
def _check_bucket_public_access_blocked(bucket: CheckedResource, stack: CheckedStack) -> Iterator[str]:
    blocks = list(list_bucket_settings(bucket, stack, BUCKET_PUBLIC_ACCESS))
    missing = [key for key in PUBLIC_ACCESS_SETTINGS if not is_configured(blocks, partial(_enables, key))]
    if missing:
        yield f"The bucket's public access block does not enable {', '.join(missing)}."


def _enables(key: str, access_block: CheckedResource) -> bool:
    return access_block.props.get(key) is True


@POLICIES.resource_in_stack(
    "bucket-tls-only",
    severity=PolicySeverity.HIGH,
    levels=MANDATORY_EVERYWHERE,
    description="Every bucket refuses requests without TLS.",
    remedy="Deny s3:* on the bucket and its objects if aws:SecureTransport is false, without further conditions.",
    frameworks=("AWS FSBP S3.5", "CIS AWS 3.0 2.1.1"),
    types=BUCKETS,
)
def _check_bucket_tls_only(bucket: CheckedResource, stack: CheckedStack) -> Iterator[str]:
    policies = [*list_bucket_settings(bucket, stack, BUCKET_POLICY), *list_own_policy(bucket, stack)]
    if not is_configured(policies, refuses_plain_http):
        yield "The bucket policy does not refuse requests without TLS (plain HTTP)."


@POLICIES.resource_in_stack(
    "bucket-owner-enforced",
    severity=PolicySeverity.MEDIUM,
    levels=MANDATORY_EVERYWHERE,
    description="The bucket owner owns all objects, and access control lists are disabled.",
    remedy="Set objectOwnership to BucketOwnerEnforced.",
    frameworks=("AWS FSBP S3.12",),
    types=BUCKETS,
    excusable=False,
)
def _check_bucket_owner_enforced(bucket: CheckedResource, stack: CheckedStack) -> Iterator[str]:
    modes = [
        ownership.get_nested("rule", "objectOwnership")
        for ownership in list_bucket_settings(bucket, stack, BUCKET_OWNERSHIP)
    ]
    for mode in {*modes} - {"BucketOwnerEnforced"} if modes else {"not set"}:
        yield f"objectOwnership is {mode}, so access control lists are in effect."


@POLICIES.resource_in_stack(
    "bucket-access-logged",
    severity=PolicySeverity.MEDIUM,
    levels=MANDATORY_EVERYWHERE,
    description="Every bucket writes access logs, except the audit bucket, which stores them.",
    remedy="Keep access_logged enabled in the bucket block.",
    frameworks=("AWS FSBP S3.9",),
    types=BUCKETS,
)
def _check_bucket_access_logged(bucket: CheckedResource, stack: CheckedStack) -> Iterator[str]:
    if any(list_bucket_settings(bucket, stack, BUCKET_LOGGING)) or _is_audit_bucket(bucket, stack):
        return
    yield "The bucket writes no access log, so its readers are not recorded."


def _is_audit_bucket(bucket: CheckedResource, stack: CheckedStack) -> bool:
    """Return True if a bucket of the stack writes its access logs into this bucket. If no bucket of the stack
    writes access logs, return True if this bucket's policy allows the delivery of access logs.

    The audit bucket does not log its own access, because each log object would cause another log object.
    """
    target_names = [logging.props.get("targetBucket") for logging in stack.list_resources(BUCKET_LOGGING)]
    if target_names:
        return bucket.props.get("bucket") in target_names
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
    remedy="Set targetBucket to the audit bucket.",
    types={BUCKET_LOGGING},
)
def _check_bucket_logs_elsewhere(logging: CheckedResource) -> Iterator[str]:
    if logging.props.get("targetBucket") == logging.props.get("bucket"):
        yield f"targetBucket is the bucket {logging.props.get('targetBucket')} itself, so each log causes another."


@POLICIES.resource_in_stack(
    "bucket-originals-versioned",
    severity=PolicySeverity.MEDIUM,
    levels=MANDATORY_IN_PROD,
    description="A bucket that sends notifications of uploads keeps old versions of its objects.",
    remedy="Set versioned and old_version_days in the bucket block.",
    frameworks=("AWS Security Hub S3.14",),
    types=BUCKETS,
)
def _check_bucket_originals_versioned(bucket: CheckedResource, stack: CheckedStack) -> Iterator[str]:
    """Yield a violation if a bucket that sends notifications is not versioned. Notifications show that users upload to
    it. A lost upload cannot be restored, but objects that the program writes can be written again.
    """
    if not any(list_bucket_settings(bucket, stack, BUCKET_NOTIFICATION)):
        return
    statuses = [
        versioning.get_nested("versioningConfiguration", "status")
        for versioning in list_bucket_settings(bucket, stack, BUCKET_VERSIONING)
    ]
    if set(statuses) != {"Enabled"}:
        yield "The bucket receives uploads, but versioning is not enabled, so an overwritten or deleted upload is lost."


@POLICIES.resource(
    "bucket-never-emptied",
    severity=PolicySeverity.HIGH,
    levels=MANDATORY_IN_PROD,
    description="In prod, a deployment that deletes a bucket must not delete its objects.",
    remedy="Set foundation.data.deletionProtection to true.",
    types=BUCKETS,
)
def _check_bucket_never_emptied(bucket: CheckedResource) -> Iterator[str]:
    if bucket.props.get("forceDestroy"):
        yield "forceDestroy is true, so a deployment that deletes the bucket also deletes its objects."
