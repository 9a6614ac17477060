"""Guardrail policies about the cost of stored data. Buckets, image repositories and agent memories (of Bedrock
AgentCore) delete old data. Tables are billed by request and have few indexes. The amount of data that one Athena query
may scan is limited.
"""

from collections.abc import Iterator

from guardrails.model.related_resources import is_configured, list_bucket_settings
from guardrails.model.resource_types import (
    AGENT_MEMORY,
    ATHENA_WORKGROUP,
    BUCKET_LIFECYCLE,
    BUCKET_VERSIONING,
    BUCKETS,
    IMAGE_REPOSITORY,
    IMAGE_REPOSITORY_LIFECYCLE,
    TABLE,
)
from guardrails.pack.policy_kinds import (
    ADVISORY_IN_DEV,
    MANDATORY_EVERYWHERE,
    CheckedResource,
    CheckedStack,
    PolicyGroup,
    PolicySet,
    PolicySeverity,
    Props,
)

POLICIES = PolicySet(PolicyGroup.COST)

LIFECYCLE_ACTIONS = ("expiration", "transitions", "noncurrentVersionExpiration")
"""Actions of a lifecycle rule that delete objects or old versions, or move objects to a cheaper storage class."""
MAX_UPLOAD_DAYS = 1
"""Maximum days until an incomplete upload is aborted."""
MAX_INDEXES = 2
"""Maximum number of global secondary indexes of a table."""
MAX_EVENT_DAYS = 90
"""Maximum days until the events of an agent memory expire."""


def _list_enabled_rules(lifecycle: CheckedResource) -> list[Props]:
    return [rule for rule in lifecycle.props.get("rules") or () if rule.get("status") == "Enabled"]


def _has_action(lifecycle: CheckedResource, action: str) -> bool:
    return any(rule.get(action) for rule in _list_enabled_rules(lifecycle))


def _covers_whole_bucket(rule: Props) -> bool:
    criteria = rule.get("filter") or {}
    return not any(criteria.get(key) for key in criteria) and not rule.get("prefix")


@POLICIES.resource_in_stack(
    "bucket-objects-expire",
    severity=PolicySeverity.MEDIUM,
    levels=ADVISORY_IN_DEV,
    description="Every bucket has a lifecycle rule that deletes objects or old versions, or moves objects.",
    remedy="Pass a LifecycleRule to the bucket block (argument lifecycle of components/blocks/storage/bucket.py).",
    frameworks=("AWS FSBP S3.13",),
    types=BUCKETS,
)
def _check_bucket_objects_expire(bucket: CheckedResource, stack: CheckedStack) -> Iterator[str]:
    if not is_configured(
        list_bucket_settings(bucket, stack, BUCKET_LIFECYCLE),
        lambda lifecycle: any(_has_action(lifecycle, action) for action in LIFECYCLE_ACTIONS),
    ):
        yield "No enabled lifecycle rule of the bucket has an expiration or a transition, so objects are kept for ever."


@POLICIES.resource(
    "bucket-aborts-multipart",
    severity=PolicySeverity.LOW,
    levels=ADVISORY_IN_DEV,
    description=(
        f"Every bucket lifecycle aborts incomplete multipart uploads in the whole bucket after {MAX_UPLOAD_DAYS} day."
    ),
    remedy=f"Add a lifecycle rule without prefix, with abortIncompleteMultipartUpload after {MAX_UPLOAD_DAYS} day.",
    types={BUCKET_LIFECYCLE},
)
def _check_bucket_aborts_multipart(lifecycle: CheckedResource) -> Iterator[str]:
    days_of_rules = [
        (rule.get("abortIncompleteMultipartUpload") or {}).get("daysAfterInitiation")
        for rule in _list_enabled_rules(lifecycle)
        if _covers_whole_bucket(rule)
    ]
    days = [float(rule_days) for rule_days in days_of_rules if rule_days]
    if not days:
        yield (
            "No rule for the whole bucket has abortIncompleteMultipartUpload, so the parts of incomplete uploads are "
            "billed for ever."
        )
    elif min(days) > MAX_UPLOAD_DAYS:
        yield f"abortIncompleteMultipartUpload acts after {min(days):g} days; at most {MAX_UPLOAD_DAYS} are allowed."


@POLICIES.resource_in_stack(
    "bucket-old-versions-expire",
    severity=PolicySeverity.LOW,
    levels=ADVISORY_IN_DEV,
    description="A versioned bucket deletes old versions after some time.",
    remedy="Add noncurrentVersionExpiration (old_version_days of a LifecycleRule of the bucket block).",
    types=BUCKETS,
)
def _check_bucket_old_versions_expire(bucket: CheckedResource, stack: CheckedStack) -> Iterator[str]:
    versioned = any(
        versioning.get_nested("versioningConfiguration", "status") == "Enabled"
        for versioning in list_bucket_settings(bucket, stack, BUCKET_VERSIONING)
    )
    if versioned and not is_configured(
        list_bucket_settings(bucket, stack, BUCKET_LIFECYCLE),
        lambda lifecycle: _has_action(lifecycle, "noncurrentVersionExpiration"),
    ):
        yield "No lifecycle rule has noncurrentVersionExpiration, so old versions are kept for ever."


@POLICIES.resource(
    "table-on-demand",
    severity=PolicySeverity.MEDIUM,
    levels=MANDATORY_EVERYWHERE,
    description="Tables are billed by request.",
    remedy="Set billingMode to PAY_PER_REQUEST.",
    frameworks=("AWS FSBP DynamoDB.1",),
    types={TABLE},
)
def _check_table_on_demand(table: CheckedResource) -> Iterator[str]:
    if table.props.get("billingMode") != "PAY_PER_REQUEST":
        yield f"billingMode is {table.props.get('billingMode', 'PROVISIONED')}, so the table is billed while idle."


@POLICIES.resource(
    "table-few-indexes",
    severity=PolicySeverity.LOW,
    levels=ADVISORY_IN_DEV,
    description=f"A table has at most {MAX_INDEXES} global secondary indexes.",
    remedy="Filter in the client, or use one index for several queries.",
    types={TABLE},
)
def _check_table_few_indexes(table: CheckedResource) -> Iterator[str]:
    indexes = table.props.get("globalSecondaryIndexes") or ()
    if len(indexes) > MAX_INDEXES:
        yield (
            f"The table has {len(indexes)} global secondary indexes; at most {MAX_INDEXES} are "
            "allowed, because each index repeats the cost of every write."
        )


@POLICIES.resource_in_stack(
    "repository-images-expire",
    severity=PolicySeverity.LOW,
    levels=ADVISORY_IN_DEV,
    description="Every image repository has a lifecycle policy.",
    remedy="Add an ecr.LifecyclePolicy that keeps the newest images.",
    frameworks=("AWS FSBP ECR.3",),
    types={IMAGE_REPOSITORY},
)
def _check_repository_images_expire(repository: CheckedResource, stack: CheckedStack) -> Iterator[str]:
    for lifecycle in stack.list_resources(IMAGE_REPOSITORY_LIFECYCLE):
        references = lifecycle.references.get("repository", ())
        if repository in references or (
            not references and lifecycle.props.get("repository") == repository.props.get("name")
        ):
            return
    yield "The repository has no lifecycle policy, so it keeps every pushed image."


@POLICIES.resource(
    "query-scans-limited",
    severity=PolicySeverity.MEDIUM,
    levels=MANDATORY_EVERYWHERE,
    description="An Athena workgroup limits the data that one query may scan, and clients cannot override the limit.",
    remedy="Set bytesScannedCutoffPerQuery and enforceWorkgroupConfiguration.",
    types={ATHENA_WORKGROUP},
)
def _check_query_scans_limited(workgroup: CheckedResource) -> Iterator[str]:
    configuration = workgroup.props.get("configuration") or {}
    if not configuration.get("bytesScannedCutoffPerQuery"):
        yield "configuration.bytesScannedCutoffPerQuery is not set, so a query may scan any amount of data."
    if configuration.get("enforceWorkgroupConfiguration") is False:
        yield "configuration.enforceWorkgroupConfiguration is false, so a client may override the limit."


@POLICIES.resource(
    "memory-expires",
    severity=PolicySeverity.LOW,
    levels=ADVISORY_IN_DEV,
    description=f"An agent memory deletes its events within {MAX_EVENT_DAYS} days.",
    remedy="Lower eventExpiryDuration.",
    types={AGENT_MEMORY},
)
def _check_memory_expires(memory: CheckedResource) -> Iterator[str]:
    days = float(memory.props.get("eventExpiryDuration") or 0)
    if days > MAX_EVENT_DAYS:
        yield f"eventExpiryDuration is {days:g} days; at most {MAX_EVENT_DAYS} are allowed."
