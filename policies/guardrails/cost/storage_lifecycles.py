"""Storage: objects and their old versions go when they are no longer worth it; tables are paid by use."""

from collections.abc import Iterator

from guardrails.model.related_resources import covers_whole_bucket, list_bucket_settings, list_enabled_rules
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
    PolicyLimit,
    PolicySet,
    PolicySeverity,
)

POLICIES = PolicySet(PolicyGroup.COST)

ENDS = ("expiration", "transitions", "noncurrentVersionExpiration")


@POLICIES.relation(
    "bucket-objects-expire",
    severity=PolicySeverity.MEDIUM,
    levels=ADVISORY_IN_DEV,
    description="Every bucket has a lifecycle rule that expires or moves objects.",
    remedy="Give the bucket block a Lifecycle.",
    frameworks=("AWS FSBP S3.13",),
    types=BUCKETS,
)
def _check_bucket_objects_expire(bucket: CheckedResource, stack: CheckedStack) -> Iterator[str]:
    rules = [
        rule
        for lifecycle in list_bucket_settings(bucket, stack, BUCKET_LIFECYCLE)
        for rule in list_enabled_rules(lifecycle)
    ]
    if not any(rule.get(end) for rule in rules for end in ENDS):
        yield "No lifecycle rule ever expires or moves an object of it."


@POLICIES.resource(
    "bucket-aborts-multipart",
    severity=PolicySeverity.LOW,
    levels=ADVISORY_IN_DEV,
    description="Every lifecycle aborts incomplete multipart uploads soon, in the whole bucket.",
    remedy="Add a rule without prefix: abortIncompleteMultipartUpload after 1 day.",
    limits=(PolicyLimit("days", 1, "Days after which an upload must be aborted."),),
    types={BUCKET_LIFECYCLE},
)
def _check_bucket_aborts_multipart(lifecycle: CheckedResource) -> Iterator[str]:
    most = lifecycle.limits["days"]
    found = [
        (rule.get("abortIncompleteMultipartUpload") or {}).get("daysAfterInitiation")
        for rule in list_enabled_rules(lifecycle)
        if covers_whole_bucket(rule)
    ]
    days = [float(days_given) for days_given in found if days_given]
    if not days:
        yield "It never aborts multipart uploads that were not completed: their parts are paid and seen by nobody."
    elif min(days) > most:
        yield f"It aborts multipart uploads after {min(days):g} days, later than {most:g}."


@POLICIES.relation(
    "bucket-old-versions-expire",
    severity=PolicySeverity.LOW,
    levels=ADVISORY_IN_DEV,
    description="A versioned bucket expires old versions.",
    remedy="Add noncurrentVersionExpiration (old_version_days of the bucket block's Lifecycle).",
    types=BUCKETS,
)
def _check_bucket_old_versions_expire(bucket: CheckedResource, stack: CheckedStack) -> Iterator[str]:
    versioned = any(
        versioning.get_nested("versioningConfiguration", "status") == "Enabled"
        for versioning in list_bucket_settings(bucket, stack, BUCKET_VERSIONING)
    )
    rules = [
        rule
        for lifecycle in list_bucket_settings(bucket, stack, BUCKET_LIFECYCLE)
        for rule in list_enabled_rules(lifecycle)
    ]
    if versioned and not any(rule.get("noncurrentVersionExpiration") for rule in rules):
        yield "It is versioned, and overwritten versions stay for ever."


@POLICIES.resource(
    "table-on-demand",
    severity=PolicySeverity.MEDIUM,
    levels=MANDATORY_EVERYWHERE,
    description="Tables are paid by request.",
    remedy="Set billingMode PAY_PER_REQUEST.",
    frameworks=("AWS FSBP DynamoDB.1",),
    types={TABLE},
)
def _check_table_on_demand(table: CheckedResource) -> Iterator[str]:
    if table.props.get("billingMode") != "PAY_PER_REQUEST":
        yield f"Its billingMode is {table.props.get('billingMode', 'PROVISIONED, the default')}: paid while idle."


@POLICIES.resource(
    "table-few-indexes",
    severity=PolicySeverity.LOW,
    levels=ADVISORY_IN_DEV,
    description="A table has few global secondary indexes.",
    remedy="Filter in the client, or overload one index.",
    limits=(PolicyLimit("indexes", 2, "The most indexes of a table."),),
    types={TABLE},
)
def _check_table_few_indexes(table: CheckedResource) -> Iterator[str]:
    indexes, most = table.props.get("globalSecondaryIndexes") or (), table.limits["indexes"]
    if len(indexes) > most:
        yield (
            f"It has {len(indexes)} global secondary indexes, more than {most:g}: each write is paid once more in each."
        )


@POLICIES.relation(
    "repository-images-expire",
    severity=PolicySeverity.LOW,
    levels=ADVISORY_IN_DEV,
    description="Every image repository has a lifecycle policy.",
    remedy="Add an ecr.LifecyclePolicy that keeps the last images.",
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
    yield "It keeps every image that was ever pushed."


@POLICIES.resource(
    "query-scans-limited",
    severity=PolicySeverity.MEDIUM,
    levels=MANDATORY_EVERYWHERE,
    description="An Athena workgroup limits what one query may scan, and clients cannot lift that.",
    remedy="Set bytesScannedCutoffPerQuery and enforceWorkgroupConfiguration.",
    types={ATHENA_WORKGROUP},
)
def _check_query_scans_limited(workgroup: CheckedResource) -> Iterator[str]:
    configuration = workgroup.props.get("configuration") or {}
    if not configuration.get("bytesScannedCutoffPerQuery"):
        yield "A query may scan any amount: bytesScannedCutoffPerQuery is not set."
    if configuration.get("enforceWorkgroupConfiguration") is False:
        yield "A client may override its settings: enforceWorkgroupConfiguration is off."


@POLICIES.resource(
    "memory-expires",
    severity=PolicySeverity.LOW,
    levels=ADVISORY_IN_DEV,
    description="An agent's memory forgets its events in time.",
    remedy="Lower eventExpiryDuration.",
    limits=(PolicyLimit("days", 90, "Days that events may be kept."),),
    types={AGENT_MEMORY},
)
def _check_memory_expires(memory: CheckedResource) -> Iterator[str]:
    days, most = float(memory.props.get("eventExpiryDuration") or 0), memory.limits["days"]
    if days > most:
        yield f"It keeps events for {days:g} days, more than {most:g}."
