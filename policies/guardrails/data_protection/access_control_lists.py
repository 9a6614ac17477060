"""Guardrail policy about access control lists of buckets and objects: they grant access only to the owner."""

from collections.abc import Iterator

from guardrails.model.nested_values import list_values
from guardrails.model.resource_types import BUCKET_ACL, BUCKET_OBJECT, BUCKET_OBJECT_V2, BUCKETS, OBJECT_COPY
from guardrails.pack.policy_kinds import MANDATORY_EVERYWHERE, CheckedResource, PolicyGroup, PolicySet, PolicySeverity

POLICIES = PolicySet(PolicyGroup.DATA_PROTECTION)

OWNER_ACLS = frozenset({"", "bucket-owner-full-control", "bucket-owner-read", "private"})
"""Canned access control lists that give access only to the owner of the object or of the bucket."""
GRANTING_PROPERTIES = ("accessControlPolicy", "grants")
"""Properties that contain the grants of an access control list."""


@POLICIES.resource(
    "acl-owner-only",
    severity=PolicySeverity.CRITICAL,
    levels=MANDATORY_EVERYWHERE,
    description="No access control list of a bucket or object gives access to anybody but the owner.",
    remedy="Remove the access control list, and grant access with a bucket policy.",
    frameworks=("AWS FSBP S3.12",),
    types=BUCKETS | {BUCKET_ACL, BUCKET_OBJECT, BUCKET_OBJECT_V2, OBJECT_COPY},
    excusable=False,
)
def _check_acl_owner_only(resource: CheckedResource) -> Iterator[str]:
    acl = str(resource.props.get("acl") or "")
    if acl not in OWNER_ACLS:
        yield f"acl is {acl}, which gives access to others than the owner."
    for key in GRANTING_PROPERTIES:
        # An empty list of grants contains no values, so any value that `list_values` finds belongs to a grant.
        if any(True for _ in list_values(resource.props.get(key) or {})):
            yield f"{key} is set, so it may give access to others than the owner."
