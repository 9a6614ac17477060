"""Lookup of the resources that are related to a resource: by reference, or by a name that is known in advance."""

import re
from contextlib import suppress
from typing import Final

from pulumi_policy.proxy import UnknownValueError

from guardrails import resource_types as t
from guardrails.records import CheckedResource, CheckedStack

REASON_TAG: Final = "Reason"
"""Tag of a resource that deviates from a policy on purpose. Its value is the reason."""
CALLERS_CHECKED_TAG: Final = "CallersCheckedBy"
"""Tag of an API without an authorizer. Its value describes what checks the callers instead. A browser cannot send a
token in a header when it opens a WebSocket, and callers of the meetings' token exchange send it in the body."""
MIN_REASON_LENGTH: Final = 15
"""Minimum number of characters of a tag that counts as a reason."""


def get_name(resource: CheckedResource) -> str:
    """Return the physical name. Without a known name, return the URN, which `read_names` returns for unknown references."""
    with suppress(UnknownValueError):
        return str(resource.get("bucket" if resource.type == t.BUCKET else "name") or resource.urn)
    return resource.urn


def read_names(resource: CheckedResource, path: str) -> set[str]:
    """Return the parts of a property that can be names: of a name, ARN, address or JSON document. If the value is
    unknown, return the names of the resources from whose outputs it is computed.
    """
    try:
        return set(re.split(r'[:/"]', str(resource.get(path) or "")))
    except UnknownValueError:
        return {get_name(source) for source in resource.references.get(path.partition(".")[0], ())}


def list_related(resource: CheckedResource, stack: CheckedStack, kind: str, path: str) -> list[CheckedResource]:
    """Return the resources of the type `kind` whose property at `path` names the given resource."""
    name = get_name(resource)
    return [each for each in stack.list_resources(kind) if name in read_names(each, path)]


def has_reason(resource: CheckedResource, tag: str = REASON_TAG) -> bool:
    """Return True if a tag of the resource contains a reason."""
    return len(str(resource.get(f"tags.{tag}") or "").strip()) >= MIN_REASON_LENGTH
