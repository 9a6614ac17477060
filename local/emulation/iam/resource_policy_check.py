"""Evaluates a resource's own policy for a call by an AWS service.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html
"""

from collections.abc import Iterator, Mapping
from typing import Any

from local.emulation.iam.policy_evaluator import AccessRequest, as_list, evaluate_policies

EVERYBODY = "*"


def policy_admits_service(document: Mapping[str, Any], service: str, request: AccessRequest) -> bool:
    """Return True if a resource's policy allows a request of a service and does not deny it."""
    return evaluate_policies([{"Statement": list(_statements(document, service))}], request).allowed


def _statements(document: Mapping[str, Any], service: str) -> Iterator[dict[str, Any]]:
    """Yield the statements about the service, in the form of a role's policy."""
    for statement in as_list(document.get("Statement", [])):
        principal = statement.get("Principal")
        named = (
            {EVERYBODY}
            if principal == EVERYBODY
            else {name for kind in (principal or {}).values() for name in as_list(kind)}
        )
        if named & {service, EVERYBODY}:
            yield {"Resource": EVERYBODY, **{key: value for key, value in statement.items() if key != "Principal"}}
