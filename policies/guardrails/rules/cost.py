"""Policies about cost: limits of memory, workers, retention and indexes, and required tags.

`Rule(…).requires(…)` registers a policy about properties of one type of resource. In its description, `{}` stands for
the required value. All policies are mandatory in staging and prod.
"""

from collections.abc import Iterator
from typing import Final

from guardrails import resource_types as t
from guardrails.records import (
    ADVISORY_IN_DEV,
    EVERY_TYPE,
    MANDATORY_EVERYWHERE,
    CheckedResource,
    Group,
    PolicySet,
    Severity,
)
from guardrails.rules.related import MIN_REASON_LENGTH, has_reason
from guardrails.rules.requirement import IS_SET, NOT_FALSE, Requirement, Rule, at_most, equals, one_of
from guardrails.surface.tables import is_taggable

LOW, MEDIUM, HIGH = Severity.LOW, Severity.MEDIUM, Severity.HIGH
POLICIES = PolicySet(Group.COST, levels=MANDATORY_EVERYWHERE)

MAX_UPLOAD_DAYS: Final = 1
"""Maximum days until an incomplete upload is aborted."""
REQUIRED_TAGS: Final = ("Project", "Environment", "Subsystem", "Owner", "CostCenter", "Name")

Rule(POLICIES, "logs-expire", MEDIUM, MANDATORY_EVERYWHERE).requires(
    t.LOG_GROUP,
    {"retentionInDays": Requirement(lambda days: days is not None and 0 < days <= 400, "between 1 and 400")},
    description="The retention of a log group is {} days. Without one, logs are kept for ever.",
    remedy="Set foundation.logs.retentionDays. Store data that must be kept longer in a bucket.",
)
Rule(POLICIES, "function-on-arm64", LOW, ADVISORY_IN_DEV).requires(
    t.FUNCTION,
    {"architectures": equals(["arm64"])},
    description="Functions run on {}.",
    remedy='Set architectures to ["arm64"], and build the function\'s layers for arm64.',
    because="x86_64 costs more for the same memory and time",
)
Rule(POLICIES, "function-memory-ceiling", LOW, ADVISORY_IN_DEV).requires(
    t.FUNCTION,
    {"memorySize": at_most(2048, default=128)},
    description="A function has {} MB of memory.",
    remedy="Lower the function's setting memoryMb, or add an exception with a measurement as its reason.",
)
Rule(POLICIES, "function-provisioned-ceiling", MEDIUM, ADVISORY_IN_DEV).requires(
    t.PROVISIONED_CONCURRENCY,
    {"provisionedConcurrentExecutions": at_most(2)},
    description="The provisioned concurrency of a function is {}.",
    remedy="Lower the function's setting provisionedConcurrency, or use SnapStart.",
)
Rule(POLICIES, "queue-source-bounded", MEDIUM, ADVISORY_IN_DEV).requires(
    t.EVENT_SOURCE_MAPPING,
    {"scalingConfig.maximumConcurrency": IS_SET},
    description="Every event source mapping limits the concurrent invocations of its function.",
    remedy="Set scalingConfig.maximumConcurrency.",
    because="the queue can use the concurrency of the whole account otherwise",
)
Rule(POLICIES, "glue-job-bounded", MEDIUM, ADVISORY_IN_DEV).requires(
    t.GLUE_JOB,
    {
        "workerType": one_of("G.1X", "G.2X"),
        "numberOfWorkers": at_most(10),
        "timeout": at_most(60),
        "executionProperty.maxConcurrentRuns": at_most(50),
    },
    description="A Glue job sets its worker type ({}), workers ({}), timeout ({} minutes) and concurrent runs ({}).",
    remedy="Set the property, or add an exception with a measurement as its reason.",
)
Rule(POLICIES, "batch-vcpu-ceiling", MEDIUM, ADVISORY_IN_DEV).requires(
    t.BATCH_ENVIRONMENT,
    {"computeResources.maxVcpus": at_most(16)},
    description="A compute environment has {} vCPUs.",
    remedy="Lower computeResources.maxVcpus.",
)
Rule(POLICIES, "table-on-demand", MEDIUM, MANDATORY_EVERYWHERE).requires(
    t.TABLE,
    {"billingMode": equals("PAY_PER_REQUEST")},
    description="Tables are billed by request.",
    remedy="Set billingMode to PAY_PER_REQUEST.",
    because="a table with provisioned capacity is billed while idle",
)
Rule(POLICIES, "table-few-indexes", LOW, ADVISORY_IN_DEV).requires(
    t.TABLE,
    {"globalSecondaryIndexes": Requirement(lambda indexes: len(indexes or ()) <= 2, "at most 2")},
    description="The number of a table's global secondary indexes is {}.",
    remedy="Filter in the client, or use one index for several queries. Each index repeats the cost of every write.",
)
Rule(POLICIES, "query-scans-limited", MEDIUM, MANDATORY_EVERYWHERE).requires(
    t.ATHENA_WORKGROUP,
    {"configuration.bytesScannedCutoffPerQuery": IS_SET, "configuration.enforceWorkgroupConfiguration": NOT_FALSE},
    description="An Athena workgroup limits the data that one query may scan, and clients cannot override the limit.",
    remedy="Set bytesScannedCutoffPerQuery and enforceWorkgroupConfiguration.",
)
Rule(POLICIES, "memory-expires", LOW, ADVISORY_IN_DEV).requires(
    t.AGENT_MEMORY,
    {"eventExpiryDuration": at_most(90)},
    description="An agent memory keeps its events for {} days.",
    remedy="Lower eventExpiryDuration.",
)


@POLICIES.resource_policy(
    "interface-endpoint-with-reason",
    severity=MEDIUM,
    description="Every interface endpoint has a tag with its reason.",
    remedy=f"Use a gateway endpoint (S3, DynamoDB), or give the endpoint the tag Reason ({MIN_REASON_LENGTH} characters or more).",
    types={t.VPC_ENDPOINT},
)
def _check_interface_endpoint_with_reason(endpoint: CheckedResource) -> Iterator[str]:
    if endpoint.get("vpcEndpointType") == "Interface" and not has_reason(endpoint):
        yield "The endpoint is billed by the hour, and has no tag Reason that says which code uses it."


@POLICIES.resource_policy(
    "bucket-aborts-multipart",
    severity=LOW,
    levels=ADVISORY_IN_DEV,
    description=f"Every bucket lifecycle aborts incomplete multipart uploads in the whole bucket after {MAX_UPLOAD_DAYS} day.",
    remedy=f"Add a lifecycle rule without prefix, with abortIncompleteMultipartUpload after {MAX_UPLOAD_DAYS} day.",
    types={t.BUCKET_LIFECYCLE},
)
def _check_bucket_aborts_multipart(lifecycle: CheckedResource) -> Iterator[str]:
    for rule in lifecycle.get("rules") or ():
        is_for_whole_bucket = rule.get("status") == "Enabled" and not any((rule.get("filter") or {}).values())
        days = (rule.get("abortIncompleteMultipartUpload") or {}).get("daysAfterInitiation")
        if is_for_whole_bucket and days and float(days) <= MAX_UPLOAD_DAYS:
            return
    yield f"No rule for the whole bucket aborts incomplete uploads within {MAX_UPLOAD_DAYS} day, so their parts stay billed."


@POLICIES.resource_policy(
    "required-tags",
    severity=MEDIUM,
    description=f"Every taggable resource has the tags {', '.join(REQUIRED_TAGS)}.",
    remedy="Set tags to the result of Scope.tags(…), a method in components/core.py.",
    types={EVERY_TYPE},
)
def _check_required_tags(resource: CheckedResource) -> Iterator[str]:
    if is_taggable(resource.type):
        missing = [tag for tag in REQUIRED_TAGS if not resource.get(f"tags.{tag}")]
        if missing:
            yield f"The resource has no tag {', '.join(missing)}."
