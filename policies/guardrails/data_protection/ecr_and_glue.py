"""Guardrail policies about ECR image repositories and Glue jobs: images are scanned, tags are immutable, and jobs have
a security configuration.
"""

from collections.abc import Iterator

from guardrails.model.resource_types import GLUE_JOB, IMAGE_REPOSITORY
from guardrails.pack.policy_kinds import ADVISORY_IN_DEV, CheckedResource, PolicyGroup, PolicySet, PolicySeverity

POLICIES = PolicySet(PolicyGroup.DATA_PROTECTION)


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


MUTABLE_TAG = "latest"
"""The only tag that may move to another image. In staging and prod, jobs run images by digest."""


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
            yield f"Tags like {exclusion['filter']} may move to other images; only {MUTABLE_TAG} is allowed to."


@POLICIES.resource(
    "glue-encrypts",
    severity=PolicySeverity.MEDIUM,
    levels=ADVISORY_IN_DEV,
    description="Every Glue job has a security configuration.",
    remedy="Set securityConfiguration. It encrypts output on S3, and with a KMS key also logs and bookmarks.",
    types={GLUE_JOB},
)
def _check_glue_encrypts(job: CheckedResource) -> Iterator[str]:
    if not job.has_property("securityConfiguration"):
        yield "securityConfiguration is not set, so the encryption of the job's output is not configured."
