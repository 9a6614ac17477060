"""What runs is what was reviewed: images scanned and never replaced under their tag; jobs that encrypt what they write."""

from collections.abc import Iterator

from guardrails.model.resource_types import GLUE_JOB, IMAGE_REPOSITORY
from guardrails.pack.policy_kinds import ADVISORY_IN_DEV, CheckedResource, PolicyGroup, PolicySet, PolicySeverity

POLICIES = PolicySet(PolicyGroup.DATA_PROTECTION)


@POLICIES.resource(
    "repository-scans",
    severity=PolicySeverity.MEDIUM,
    levels=ADVISORY_IN_DEV,
    description="Images are scanned when they are pushed.",
    remedy="Set imageScanningConfiguration.scanOnPush.",
    frameworks=("AWS FSBP ECR.1",),
    types={IMAGE_REPOSITORY},
)
def _check_repository_scans(repository: CheckedResource) -> Iterator[str]:
    if not repository.get_nested("imageScanningConfiguration", "scanOnPush"):
        yield "Nobody looks for known weaknesses in what is pushed."


MOVES = "latest"
"""The one tag that may: nothing that was reviewed runs by it."""


@POLICIES.resource(
    "repository-tags-immutable",
    severity=PolicySeverity.MEDIUM,
    levels=ADVISORY_IN_DEV,
    description="An image's tag never becomes another image, but for `latest`.",
    remedy="Set imageTagMutability IMMUTABLE, and deploy by digest.",
    frameworks=("AWS FSBP ECR.2",),
    types={IMAGE_REPOSITORY},
)
def _check_repository_tags_immutable(repository: CheckedResource) -> Iterator[str]:
    mutability = repository.props.get("imageTagMutability", "MUTABLE")
    if not str(mutability).startswith("IMMUTABLE"):
        yield f"Its imageTagMutability is {mutability}: a tag may become another image."
        return
    for exclusion in repository.props.get("imageTagMutabilityExclusionFilters") or ():
        if exclusion["filter"] != MOVES:
            yield f"Tags like {exclusion['filter']} may become other images."


@POLICIES.resource(
    "glue-encrypts",
    severity=PolicySeverity.MEDIUM,
    levels=ADVISORY_IN_DEV,
    description="Every Glue job has a security configuration.",
    remedy="Give it securityConfiguration (S3 by default; logs and bookmarks with a key).",
    types={GLUE_JOB},
)
def _check_glue_encrypts(job: CheckedResource) -> Iterator[str]:
    if not job.has_property("securityConfiguration"):
        yield "It does not say how it encrypts what it writes."
