"""What runs is what was reviewed: images scanned and never replaced under their tag; jobs that encrypt what they write."""

from collections.abc import Iterator

from guardrails.model.resource_types import GLUE_JOB, REPOSITORY
from guardrails.pack.policy_kinds import NOT_IN_DEV, Group, Judged, PolicySet, Severity

POLICIES = PolicySet(Group.DATA_PROTECTION)


@POLICIES.resource(
    "repository-scans",
    severity=Severity.MEDIUM,
    levels=NOT_IN_DEV,
    description="Images are scanned when they are pushed.",
    remedy="Set imageScanningConfiguration.scanOnPush.",
    frameworks=("AWS FSBP ECR.1",),
    types={REPOSITORY},
)
def _unscanned(one: Judged) -> Iterator[str]:
    if not one.at("imageScanningConfiguration", "scanOnPush"):
        yield "Nobody looks for known weaknesses in what is pushed."


MOVES = "latest"
"""The one tag that may: nothing that was reviewed runs by it."""


@POLICIES.resource(
    "repository-tags-immutable",
    severity=Severity.MEDIUM,
    levels=NOT_IN_DEV,
    description="An image's tag never becomes another image, but for `latest`.",
    remedy="Set imageTagMutability IMMUTABLE, and deploy by digest.",
    frameworks=("AWS FSBP ECR.2",),
    types={REPOSITORY},
)
def _movable_tags(one: Judged) -> Iterator[str]:
    mutability = one.props.get("imageTagMutability", "MUTABLE")
    if not str(mutability).startswith("IMMUTABLE"):
        yield f"Its imageTagMutability is {mutability}: a tag may become another image."
        return
    for each in one.props.get("imageTagMutabilityExclusionFilters") or ():
        if each["filter"] != MOVES:
            yield f"Tags like {each['filter']} may become other images."


@POLICIES.resource(
    "glue-encrypts",
    severity=Severity.MEDIUM,
    levels=NOT_IN_DEV,
    description="Every Glue job has a security configuration.",
    remedy="Give it securityConfiguration (S3 by default; logs and bookmarks with a key).",
    types={GLUE_JOB},
)
def _no_security_configuration(one: Judged) -> Iterator[str]:
    if not one.has("securityConfiguration"):
        yield "It does not say how it encrypts what it writes."
