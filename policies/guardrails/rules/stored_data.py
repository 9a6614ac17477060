"""Policies about stored data: public access, encryption, TLS, recovery, deletion, expiry, and origins that may read it.

Separate resources configure a bucket, for example its public access block. The policies find a missing one. If there are
two, AWS may apply either, so both must be right. `Rule(…).requires(…)` registers a policy about properties of one type.
"""

import json
import re
from collections.abc import Iterator
from typing import Any, Final

from guardrails import resource_types as t
from guardrails.records import (
    ADVISORY_IN_DEV,
    MANDATORY_EVERYWHERE,
    MANDATORY_IN_PROD,
    CheckedResource,
    CheckedStack,
    Group,
    Policy,
    PolicySet,
    Severity,
)
from guardrails.rules.related import get_name, list_related
from guardrails.rules.requirement import IS_SET, IS_TRUE, NOT_TRUE, Rule, describe

COST = PolicySet(Group.COST)
DATA_PROTECTION = PolicySet(Group.DATA_PROTECTION, levels=MANDATORY_EVERYWHERE)
ORIGIN_VARIABLE: Final = "ORIGIN"
"""Environment variable with the origin that a function of this program allows."""
ORIGIN_HEADER: Final = "header.access-control-allow-origin"
"""End of the keys, in lower case, with which an OpenAPI document sets the CORS response header."""
MIN_BACKUP_DAYS: Final = 7


@DATA_PROTECTION.related_policy(
    "bucket-public-access-blocked",
    types={t.BUCKET},
    severity=Severity.CRITICAL,
    description="Every bucket blocks public access with all four settings.",
    remedy="Use the bucket block (components/blocks/bucket.py), which blocks public access.",
    exceptions_allowed=False,
)
def _check_bucket_public_access_blocked(bucket: CheckedResource, stack: CheckedStack) -> Iterator[str]:
    blocks = list_related(bucket, stack, t.BUCKET_PUBLIC_ACCESS, "bucket")
    for key in ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets"):
        if not blocks or any(block.get(key) is not True for block in blocks):
            yield f"No public access block of the bucket sets {key}."


@DATA_PROTECTION.related_policy(
    "bucket-access-logged",
    types={t.BUCKET},
    severity=Severity.MEDIUM,
    description="Every bucket writes access logs, except the audit bucket, which stores them.",
    remedy="Keep access_logged enabled in the bucket block.",
)
def _check_bucket_access_logged(bucket: CheckedResource, stack: CheckedStack) -> Iterator[str]:
    # The policy of the audit bucket allows S3's log service. Logs of this bucket would cause a log object for each other.
    policies = list_related(bucket, stack, t.BUCKET_POLICY, "bucket")
    is_audit_bucket = any("logging.s3.amazonaws.com" in str(policy.get("policy")) for policy in policies)
    if not is_audit_bucket and not list_related(bucket, stack, t.BUCKET_LOGGING, "bucket"):
        yield "The bucket writes no access log, so its readers are not recorded."


@DATA_PROTECTION.related_policy(
    "stored-data-encrypted",
    types={t.BUCKET, t.GLUE_SECURITY},
    severity=Severity.HIGH,
    description="Every bucket and every security configuration of Glue sets the encryption of stored data.",
    remedy="Use the bucket block. For Glue, set s3EncryptionMode to SSE-S3 or SSE-KMS.",
)
def _check_stored_data_encrypted(resource: CheckedResource, stack: CheckedStack) -> Iterator[str]:
    if resource.type == t.BUCKET:
        settings = list_related(resource, stack, t.BUCKET_ENCRYPTION, "bucket")
        if not settings or not all(map(_has_algorithm, settings)):
            yield "The bucket has no encryption configuration with an sseAlgorithm."
        return
    if resource.get("encryptionConfiguration.s3Encryption.s3EncryptionMode") in {None, "DISABLED"}:
        yield "s3EncryptionMode is DISABLED or not set, so the output of jobs is not encrypted."


def _has_algorithm(encryption: CheckedResource) -> bool:
    defaults = [rule.get("applyServerSideEncryptionByDefault") or {} for rule in encryption.get("rules") or ()]
    return any(default.get("sseAlgorithm") for default in defaults)


TLS_POLICIES: Final = {
    t.BUCKET: (t.BUCKET_POLICY, "bucket", "s3:*"),
    t.QUEUE: (t.QUEUE_POLICY, "queueUrl", "sqs:*"),
    t.TOPIC: (t.TOPIC_POLICY, "arn", "sns:Publish"),  # topic policies do not accept sns:*
}
"""Type of the resource policy, its property that names the resource, and the action that it denies without TLS."""


@DATA_PROTECTION.related_policy(
    "tls-only",
    types=set(TLS_POLICIES),
    severity=Severity.HIGH,
    description="Every bucket, queue and topic refuses requests without TLS.",
    remedy="Deny all actions to every principal if aws:SecureTransport is false, without further conditions.",
)
def _check_tls_only(resource: CheckedResource, stack: CheckedStack) -> Iterator[str]:
    kind, path, action = TLS_POLICIES[resource.type]
    name = get_name(resource)
    names = {name, f"{name}/*"} if resource.type == t.BUCKET else {name}
    policies = list_related(resource, stack, kind, path)
    if not policies or not all(_denies_plain_http(policy, action, names) for policy in policies):
        yield "No resource policy refuses requests without TLS (plain HTTP)."


def _denies_plain_http(policy: CheckedResource, action: str, names: set[str]) -> bool:
    expected = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": action,
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    for statement in json.loads(policy.get("policy"))["Statement"]:
        resources = statement["Resource"] if isinstance(statement["Resource"], list) else [statement["Resource"]]
        is_expected = {key: statement.get(key) for key in expected} == expected
        if is_expected and names <= {arn.rpartition(":")[2] for arn in resources}:  # an ARN ends with the name
            return True
    return False


@DATA_PROTECTION.related_policy(
    "stored-data-recoverable",
    types={t.BUCKET},
    severity=Severity.HIGH,
    levels=MANDATORY_IN_PROD,
    description="In prod, every bucket that announces uploads keeps old versions.",
    remedy="Set versioned and old_version_days of the bucket block.",
)
def _check_stored_data_recoverable(bucket: CheckedResource, stack: CheckedStack) -> Iterator[str]:
    # Notifications show that users upload to the bucket. Objects that the program writes can be written again.
    receives_uploads = list_related(bucket, stack, t.BUCKET_NOTIFICATION, "bucket")
    versioning = list_related(bucket, stack, t.BUCKET_VERSIONING, "bucket")
    if receives_uploads and {each.get("versioningConfiguration.status") for each in versioning} != {"Enabled"}:
        yield "The bucket receives uploads, but versioning is not enabled, so an overwritten upload is lost."


@COST.related_policy(
    "stored-data-expires",
    types={t.BUCKET},
    severity=Severity.MEDIUM,
    levels=ADVISORY_IN_DEV,
    description="Every bucket deletes or moves old objects, and old versions if it keeps them.",
    remedy="Pass a lifecycle_rule(…) with expiry and old_version_days to the bucket block.",
)
def _check_stored_data_expires(bucket: CheckedResource, stack: CheckedStack) -> Iterator[str]:
    lifecycles = list_related(bucket, stack, t.BUCKET_LIFECYCLE, "bucket")
    rules = [rule for each in lifecycles for rule in each.get("rules") or () if rule.get("status") == "Enabled"]
    actions = {key for rule in rules for key in rule if rule[key]}
    if not actions & {"expiration", "transitions", "noncurrentVersionExpiration"}:
        yield "No enabled lifecycle rule of the bucket has an expiration or a transition, so objects are kept for ever."
    versioning = list_related(bucket, stack, t.BUCKET_VERSIONING, "bucket")
    if versioning and "noncurrentVersionExpiration" not in actions:
        yield "No lifecycle rule has noncurrentVersionExpiration, so old versions are kept for ever."


Rule(DATA_PROTECTION, "bucket-never-emptied", Severity.HIGH, MANDATORY_IN_PROD).requires(
    t.BUCKET,
    {"forceDestroy": NOT_TRUE},
    description="In prod, a deployment that deletes a bucket must not delete its objects.",
    remedy="Set foundation.data.deletionProtection to true.",
)
Rule(DATA_PROTECTION, "table-point-in-time-recovery", Severity.HIGH, MANDATORY_IN_PROD).requires(
    t.TABLE,
    {"pointInTimeRecovery.enabled": IS_TRUE},
    description="In prod, every table has point-in-time recovery.",
    remedy="Set foundation.data.pointInTimeRecovery to true.",
)
Rule(DATA_PROTECTION, "table-deletion-protected", Severity.HIGH, MANDATORY_IN_PROD).requires(
    t.TABLE,
    {"deletionProtectionEnabled": IS_TRUE},
    description="In prod, every table has deletion protection.",
    remedy="Set foundation.data.deletionProtection to true.",
)
Rule(DATA_PROTECTION, "glue-encrypts", Severity.MEDIUM, ADVISORY_IN_DEV).requires(
    t.GLUE_JOB,
    {"securityConfiguration": IS_SET},
    description="Every Glue job has a security configuration.",
    remedy="Set securityConfiguration. It encrypts output on S3, and with a KMS key also logs and bookmarks.",
)


@DATA_PROTECTION.resource_policy(
    "backups-kept",
    severity=Severity.HIGH,
    levels=ADVISORY_IN_DEV,
    description=f"Backups are kept for at least {MIN_BACKUP_DAYS} days.",
    remedy="Raise foundation.backup.retentionDays.",
    types={t.BACKUP_PLAN},
)
def _check_backups_kept(plan: CheckedResource) -> Iterator[str]:
    for rule in plan.get("rules") or ():
        days = (rule.get("lifecycle") or {}).get("deleteAfter")
        if days is not None and days < MIN_BACKUP_DAYS:
            yield f"deleteAfter is {describe(days)} days."


@DATA_PROTECTION.resource_policy(
    "cors-origin-named",
    severity=Severity.HIGH,
    levels=MANDATORY_IN_PROD,
    description="In prod, browsers may use buckets and APIs only from named origins with HTTPS.",
    remedy="Set the origin of the console, Polyphony's web page, in the subsystem's settings, for example https://console.example.com.",
    types={t.BUCKET_CORS, t.REST_API, t.FUNCTION},
)
def _check_cors_origin_named(resource: CheckedResource) -> Iterator[str]:
    """Yield a message about each origin with a wildcard, without HTTPS, or computed from the request. An empty origin
    allows no page.
    """
    for origin in sorted({origin.strip(" '") for origin in _list_origins(resource)}):
        if origin and not re.fullmatch(r"https://[^*\s]+", origin):
            yield f"The allowed origin is {origin}, but must begin with https:// and have no wildcard."


def _list_origins(resource: CheckedResource) -> list[str]:
    if resource.type == t.FUNCTION:
        return [str(resource.get(f"environment.variables.{ORIGIN_VARIABLE}") or "")]
    if resource.type == t.BUCKET_CORS:
        return [origin for rule in resource.get("corsRules") or () for origin in rule["allowedOrigins"]]
    pairs: list[tuple[str, Any]] = []
    json.loads(resource.get("body") or "{}", object_pairs_hook=pairs.extend)  # collects the pairs of all levels
    return [str(value) for key, value in pairs if key.lower().endswith(ORIGIN_HEADER)]


POLICIES: Final[tuple[Policy, ...]] = (*COST, *DATA_PROTECTION)
