"""Guardrail policies about ECR image repositories and Glue jobs: images are scanned, tags are immutable, and jobs have
a security configuration that encrypts.
"""

from collections.abc import Iterator

from pulumi_policy.proxy import UnknownValueError

from guardrails.model.resource_types import GLUE_JOB, GLUE_SECURITY, IMAGE_REPOSITORY
from guardrails.pack.policy_kinds import (
    ADVISORY_IN_DEV,
    MANDATORY_EVERYWHERE,
    CheckedResource,
    CheckedStack,
    PolicyGroup,
    PolicySet,
    PolicySeverity,
)

POLICIES = PolicySet(PolicyGroup.DATA_PROTECTION)

MUTABLE_TAG = "latest"
"""The only tag that may move to another image. In staging and prod, this changes no job: jobs run images by digest."""
DISABLED_MODES = frozenset({None, "", "DISABLED"})
"""Values of an encryption mode that encrypt nothing."""
BOOKMARKS_DISABLED = "job-bookmark-disable"
"""Default of the Glue argument `--job-bookmark-option`. A bookmark records which input a job has processed."""


@POLICIES.resource(
    "repository-scans",
    severity=PolicySeverity.MEDIUM,
    levels=ADVISORY_IN_DEV,
    description="Every image repository scans images when they are pushed.",
    remedy="Set imageScanningConfiguration.scanOnPush to true.",
    frameworks=("AWS FSBP ECR.1",),
    types={IMAGE_REPOSITORY},
)
def _check_repository_scans(repository: CheckedResource) -> Iterator[str]:
    if not repository.get_nested("imageScanningConfiguration", "scanOnPush"):
        yield "imageScanningConfiguration.scanOnPush is not true, so images are not searched for known vulnerabilities."


@POLICIES.resource(
    "repository-tags-immutable",
    severity=PolicySeverity.MEDIUM,
    levels=ADVISORY_IN_DEV,
    description="Image tags are immutable, except `latest`.",
    remedy="Set imageTagMutability to IMMUTABLE, and deploy images by digest.",
    frameworks=("AWS FSBP ECR.2",),
    types={IMAGE_REPOSITORY},
)
def _check_repository_tags_immutable(repository: CheckedResource) -> Iterator[str]:
    mutability = repository.props.get("imageTagMutability", "MUTABLE")
    if not str(mutability).startswith("IMMUTABLE"):
        yield f"imageTagMutability is {mutability}, so a tag can move to another image."
        return
    for exclusion in repository.props.get("imageTagMutabilityExclusionFilters") or ():
        if exclusion["filter"] != MUTABLE_TAG:
            yield f"Tags like {exclusion['filter']} may move to other images, but only {MUTABLE_TAG} is allowed to move."


@POLICIES.resource(
    "glue-encrypts",
    severity=PolicySeverity.MEDIUM,
    levels=ADVISORY_IN_DEV,
    description="Every Glue job has a security configuration.",
    remedy="Set securityConfiguration. It encrypts output on S3, and with a KMS key also logs and bookmarks.",
    types={GLUE_JOB},
)
def _check_glue_encrypts(job: CheckedResource) -> Iterator[str]:
    try:
        is_set = bool(job.props.get("securityConfiguration"))
    except UnknownValueError:
        is_set = True  # the name of a configuration that is not created yet
    if not is_set:
        yield "securityConfiguration is not set, so the encryption of the job's output is not configured."


@POLICIES.resource_in_stack(
    "glue-encryption-enabled",
    severity=PolicySeverity.HIGH,
    levels=MANDATORY_EVERYWHERE,
    description="No security configuration of Glue disables the encryption of output, or of bookmarks that a job writes.",
    remedy="Set s3EncryptionMode to SSE-S3 or SSE-KMS, and jobBookmarksEncryptionMode to CSE-KMS if a job has bookmarks.",
    types={GLUE_SECURITY},
)
def _check_glue_encryption_enabled(security: CheckedResource, stack: CheckedStack) -> Iterator[str]:
    s3_mode = security.get_nested("encryptionConfiguration", "s3Encryption", "s3EncryptionMode")
    if s3_mode in DISABLED_MODES:
        yield f"s3EncryptionMode is {s3_mode or 'not set'}, so the output of jobs is not encrypted."
    bookmarks_mode = security.get_nested(
        "encryptionConfiguration", "jobBookmarksEncryption", "jobBookmarksEncryptionMode"
    )
    if bookmarks_mode in DISABLED_MODES:
        for job in stack.list_resources(GLUE_JOB):
            if _uses_security(job, security) and _writes_bookmarks(job):
                yield f"jobBookmarksEncryptionMode is {bookmarks_mode or 'not set'}, but {job.name} writes bookmarks."


def _uses_security(job: CheckedResource, security: CheckedResource) -> bool:
    if job.references.get("securityConfiguration"):
        return security in job.references["securityConfiguration"]
    return bool(job.props.get("securityConfiguration") == security.props.get("name", security.name))


def _writes_bookmarks(job: CheckedResource) -> bool:
    option = (job.props.get("defaultArguments") or {}).get("--job-bookmark-option", BOOKMARKS_DISABLED)
    return bool(option != BOOKMARKS_DISABLED)
