"""Evaluates IAM policies of roles and of resources. The verdict on a request is allow, explicit deny or implicit deny.

An operator or element that is not supported raises an error, because a guess could give a wrong verdict.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from local.emulation.iam.policy_conditions import (
    Context,
    NotEvaluable,
    as_list,
    compile_pattern,
    lower_case_keys,
    operator_holds,
    substitute_variables,
)


class AccessVerdict(StrEnum):
    ALLOW = "allow"
    DENY = "deny"
    """A statement denies the request."""
    IMPLICIT_DENY = "implicit-deny"
    """No statement allows the request."""

    @property
    def allowed(self) -> bool:
        return self is AccessVerdict.ALLOW


@dataclass(frozen=True)
class AccessRequest:
    """Action on a resource, for which the caller needs permission."""

    action: str
    resource: str
    """ARN, or `*` for an action without a resource."""
    context: Context = field(default_factory=dict)
    """Condition keys of the request with their values."""


def evaluate_policies(documents: Iterable[Mapping[str, Any]], request: AccessRequest) -> AccessVerdict:
    """Return the verdict of a principal's policies on a request."""
    verdict = AccessVerdict.IMPLICIT_DENY
    for document in documents:
        for statement in _statements(document):
            if not _statement_applies(statement, request):
                continue
            if statement["Effect"] == "Deny":
                return AccessVerdict.DENY
            verdict = AccessVerdict.ALLOW
    return verdict


def policy_admits(document: Mapping[str, Any], principal: str, request: AccessRequest) -> bool:
    """Return True if a resource-based policy, for example a role's trust policy, allows a principal's request.

    Other policies of the principal are not considered.
    """
    # The statements about the principal get the form of a role's policy: without `Principal`, and with a `Resource`,
    # which trust policies lack.
    statements = [
        {"Resource": "*", **{element: value for element, value in statement.items() if element != "Principal"}}
        for statement in _statements(document)
        if {principal, "*"}.intersection(_principals(statement))
    ]
    return evaluate_policies([{"Statement": statements}], request).allowed


def matches_action(action: str, pattern: str) -> bool:
    """Return True if the pattern matches the action. Case is ignored. `*` matches any text, `?` any character."""
    return compile_pattern(pattern.lower()).fullmatch(action.lower()) is not None


def matches_resource(resource: str, pattern: str) -> bool:
    """Return True if the pattern matches the resource, including the case of letters."""
    return compile_pattern(pattern).fullmatch(resource) is not None


def _statements(document: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    return as_list(document.get("Statement", []))


def _principals(statement: Mapping[str, Any]) -> list[str]:
    """Return the principals of a statement: accounts, roles and services."""
    principal = statement.get("Principal") or {}
    if isinstance(principal, str):
        return [principal]
    return [name for names in principal.values() for name in as_list(names)]


def _statement_applies(statement: Mapping[str, Any], request: AccessRequest) -> bool:
    for element in ("NotAction", "NotResource", "Principal", "NotPrincipal"):
        if element in statement:
            raise NotEvaluable(f"the element {element} is not supported: {statement}")
    if statement.get("Effect") not in {"Allow", "Deny"}:
        raise NotEvaluable(f"Effect must be Allow or Deny: {statement}")
    context = lower_case_keys(request.context)
    return (
        any(matches_action(request.action, pattern) for pattern in as_list(statement["Action"]))
        and _resource_matches(statement["Resource"], request.resource, context)
        and all(
            operator_holds(operator, lower_case_keys(keys), context)
            for operator, keys in (statement.get("Condition") or {}).items()
        )
    )


def _resource_matches(patterns: Any, resource: str, context: Context) -> bool:
    resolved = (substitute_variables(pattern, context) for pattern in as_list(patterns))
    return any(pattern is not None and matches_resource(resource, pattern) for pattern in resolved)
