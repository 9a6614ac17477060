"""Lookup of the resources that refer to a resource, for the checks of the other modules of this folder.

A property refers to a resource by its name. If the property is unknown until the deployment, the engine still knows from
which resources it is computed: `CheckedResource.references`.
"""

import re
from contextlib import suppress
from typing import Final

from pulumi_policy.proxy import UnknownValueError

from guardrails import resource_types as t
from guardrails.records import CheckedResource, CheckedStack

REASON_TAG: Final = "Reason"
"""Tag that excuses a resource from some policies. Its value is the reason."""
CALLERS_CHECKED_TAG: Final = "CallersCheckedBy"
"""Tag of an API whose callers are not checked by an authorizer. Its value describes what checks them instead, for example
the function, if the token is no header but part of the request."""
MIN_REASON_LENGTH: Final = 15
"""Minimum number of characters of a tag that counts as a reason."""


def get_name(resource: CheckedResource) -> str:
    """Return the name that a resource gets on AWS. If it is unknown until the deployment, return the URN. `read_names`
    returns the same for a property that is computed from the resource, so that the two match.
    """
    with suppress(UnknownValueError):
        return str(resource.get("bucket" if resource.type == t.BUCKET else "name") or resource.urn)
    return resource.urn


def read_names(resource: CheckedResource, path: str) -> set[str]:
    """Return every text in a property that can be a name. In ARNs, addresses and JSON documents, names stand between
    `:`, `/` and `"`. If the value is unknown, return `get_name` of the resources from whose outputs it is computed.
    """
    try:
        return set(re.split(r'[:/"]', str(resource.get(path) or "")))
    except UnknownValueError:
        property_name = path.partition(".")[0]  # the engine lists references by whole property
        return {get_name(source) for source in resource.references.get(property_name, ())}


def list_related(resource: CheckedResource, stack: CheckedStack, kind: str, path: str) -> list[CheckedResource]:
    """Return the resources of the type `kind` whose property at `path` names the given resource. For example,
    `list_related(bucket, stack, BUCKET_POLICY, "bucket")` returns the policies of a bucket.
    """
    name = get_name(resource)
    return [each for each in stack.list_resources(kind) if name in read_names(each, path)]


def has_reason(resource: CheckedResource, tag: str = REASON_TAG) -> bool:
    """Return True if a tag of the resource contains a reason."""
    return len(str(resource.get(f"tags.{tag}") or "").strip()) >= MIN_REASON_LENGTH
