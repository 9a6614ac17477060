"""Storage: objects and their old versions go when they are no longer worth it; tables are paid by use."""

from collections.abc import Iterator

from guardrails.model.related_resources import covers_all, lifecycle_rules, of_bucket
from guardrails.model.resource_types import (
    BUCKET_LIFECYCLE,
    BUCKET_VERSIONING,
    BUCKETS,
    MEMORY,
    REPOSITORY,
    REPOSITORY_LIFECYCLE,
    TABLE,
    WORKGROUP,
)
from guardrails.pack.policy_kinds import ALWAYS, NOT_IN_DEV, Group, Judged, Limit, PolicySet, Severity, Stack

POLICIES = PolicySet(Group.COST)

ENDS = ("expiration", "transitions", "noncurrentVersionExpiration")


@POLICIES.relation(
    "bucket-objects-expire",
    severity=Severity.MEDIUM,
    levels=NOT_IN_DEV,
    description="Every bucket has a lifecycle rule that expires or moves objects.",
    remedy="Give the bucket block a Lifecycle.",
    frameworks=("AWS FSBP S3.13",),
    types=BUCKETS,
)
def _kept_for_ever(bucket: Judged, stack: Stack) -> Iterator[str]:
    rules = [rule for one in of_bucket(bucket, stack, BUCKET_LIFECYCLE) for rule in lifecycle_rules(one)]
    if not any(rule.get(end) for rule in rules for end in ENDS):
        yield "No lifecycle rule ever expires or moves an object of it."


@POLICIES.resource(
    "bucket-aborts-multipart",
    severity=Severity.LOW,
    levels=NOT_IN_DEV,
    description="Every lifecycle aborts incomplete multipart uploads soon, in the whole bucket.",
    remedy="Add a rule without prefix: abortIncompleteMultipartUpload after 1 day.",
    limits=(Limit("days", 1, "Days after which an upload must be aborted."),),
    types={BUCKET_LIFECYCLE},
)
def _parts_kept(one: Judged) -> Iterator[str]:
    most = one.limits["days"]
    found = [
        (rule.get("abortIncompleteMultipartUpload") or {}).get("daysAfterInitiation")
        for rule in lifecycle_rules(one)
        if covers_all(rule)
    ]
    days = [float(each) for each in found if each]
    if not days:
        yield "It never aborts multipart uploads that were not completed: their parts are paid and seen by nobody."
    elif min(days) > most:
        yield f"It aborts multipart uploads after {min(days):g} days, later than {most:g}."


@POLICIES.relation(
    "bucket-old-versions-expire",
    severity=Severity.LOW,
    levels=NOT_IN_DEV,
    description="A versioned bucket expires old versions.",
    remedy="Add noncurrentVersionExpiration (old_version_days of the bucket block's Lifecycle).",
    types=BUCKETS,
)
def _old_versions_kept(bucket: Judged, stack: Stack) -> Iterator[str]:
    versioned = any(
        one.at("versioningConfiguration", "status") == "Enabled" for one in of_bucket(bucket, stack, BUCKET_VERSIONING)
    )
    rules = [rule for one in of_bucket(bucket, stack, BUCKET_LIFECYCLE) for rule in lifecycle_rules(one)]
    if versioned and not any(rule.get("noncurrentVersionExpiration") for rule in rules):
        yield "It is versioned, and overwritten versions stay for ever."


@POLICIES.resource(
    "table-on-demand",
    severity=Severity.MEDIUM,
    levels=ALWAYS,
    description="Tables are paid by request.",
    remedy="Set billingMode PAY_PER_REQUEST.",
    frameworks=("AWS FSBP DynamoDB.1",),
    types={TABLE},
)
def _provisioned(one: Judged) -> Iterator[str]:
    if one.props.get("billingMode") != "PAY_PER_REQUEST":
        yield f"Its billingMode is {one.props.get('billingMode', 'PROVISIONED, the default')}: paid while idle."


@POLICIES.resource(
    "table-few-indexes",
    severity=Severity.LOW,
    levels=NOT_IN_DEV,
    description="A table has few global secondary indexes.",
    remedy="Filter in the client, or overload one index.",
    limits=(Limit("indexes", 2, "The most indexes of a table."),),
    types={TABLE},
)
def _many_indexes(one: Judged) -> Iterator[str]:
    indexes, most = one.props.get("globalSecondaryIndexes") or (), one.limits["indexes"]
    if len(indexes) > most:
        yield f"It has {len(indexes)} global secondary indexes, more than {most:g}: each write is paid once more in each."


@POLICIES.relation(
    "repository-images-expire",
    severity=Severity.LOW,
    levels=NOT_IN_DEV,
    description="Every image repository has a lifecycle policy.",
    remedy="Add an ecr.LifecyclePolicy that keeps the last images.",
    frameworks=("AWS FSBP ECR.3",),
    types={REPOSITORY},
)
def _images_kept(repository: Judged, stack: Stack) -> Iterator[str]:
    for one in stack.of(REPOSITORY_LIFECYCLE):
        references = one.references.get("repository", ())
        if repository in references or (not references and one.props.get("repository") == repository.props.get("name")):
            return
    yield "It keeps every image that was ever pushed."


@POLICIES.resource(
    "query-scans-limited",
    severity=Severity.MEDIUM,
    levels=ALWAYS,
    description="An Athena workgroup limits what one query may scan, and clients cannot lift that.",
    remedy="Set bytesScannedCutoffPerQuery and enforceWorkgroupConfiguration.",
    types={WORKGROUP},
)
def _unlimited_scans(one: Judged) -> Iterator[str]:
    configuration = one.props.get("configuration") or {}
    if not configuration.get("bytesScannedCutoffPerQuery"):
        yield "A query may scan any amount: bytesScannedCutoffPerQuery is not set."
    if configuration.get("enforceWorkgroupConfiguration") is False:
        yield "A client may override its settings: enforceWorkgroupConfiguration is off."


@POLICIES.resource(
    "memory-expires",
    severity=Severity.LOW,
    levels=NOT_IN_DEV,
    description="An agent's memory forgets its events in time.",
    remedy="Lower eventExpiryDuration.",
    limits=(Limit("days", 90, "Days that events may be kept."),),
    types={MEMORY},
)
def _long_memory(one: Judged) -> Iterator[str]:
    days, most = float(one.props.get("eventExpiryDuration") or 0), one.limits["days"]
    if days > most:
        yield f"It keeps events for {days:g} days, more than {most:g}."
