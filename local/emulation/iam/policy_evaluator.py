"""IAM's documented evaluation of a role's own policies: explicit deny, then allow, else implicit deny. Pure.

Small on purpose, and strict: an operator or an element that it does not know stops it, because guessing would make a
verdict of it. https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from local.emulation.iam.policy_conditions import (
    Context,
    NotEvaluable,
    compile_pattern,
    lower_case_keys,
    operator_holds,
    substitute_variables,
)


class AccessVerdict(StrEnum):
    """What the policies say."""

    ALLOW = "allow"
    DENY = "deny"
    """By a statement that says so."""
    IMPLICIT_DENY = "implicit-deny"
    """Because no statement allows it."""


@dataclass(frozen=True)
class AccessRequest:
    """What somebody wants to do."""

    action: str
    resource: str
    context: Context = field(default_factory=dict)


@dataclass(frozen=True)
class PolicyEvaluation:
    """A verdict, and the statement behind it."""

    verdict: AccessVerdict
    statement: Mapping[str, Any] | None = None

    @property
    def allowed(self) -> bool:
        """Whether it may be done."""
        return self.verdict is AccessVerdict.ALLOW


def evaluate_policies(documents: Iterable[Mapping[str, Any]], request: AccessRequest) -> PolicyEvaluation:
    """What the policies of a principal say of a request."""
    found = PolicyEvaluation(AccessVerdict.IMPLICIT_DENY)
    for document in documents:
        for statement in _statements(document):
            if not _statement_applies(statement, request):
                continue
            if statement["Effect"] == "Deny":
                return PolicyEvaluation(AccessVerdict.DENY, statement)
            found = PolicyEvaluation(AccessVerdict.ALLOW, statement)
    return found


def matches_action(action: str, named: str) -> bool:
    """Whether an action is named, in whatever case, `*` and `?` standing for any text and any one character."""
    return compile_pattern(named.lower()).fullmatch(action.lower()) is not None


def matches_resource(resource: str, named: str) -> bool:
    """Whether a resource is named, to the letter."""
    return compile_pattern(named).fullmatch(resource) is not None


def as_list(value: Any) -> list[Any]:
    """IAM writes a list of one without its brackets."""
    return value if isinstance(value, list) else [value]


def _statements(document: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    return as_list(document.get("Statement", []))


def _statement_applies(statement: Mapping[str, Any], request: AccessRequest) -> bool:
    for element in ("NotAction", "NotResource", "Principal", "NotPrincipal"):
        if element in statement:
            raise NotEvaluable(f"{element} is not used in this project's role policies: {statement}")
    if statement.get("Effect") not in {"Allow", "Deny"}:
        raise NotEvaluable(f"Effect must be Allow or Deny: {statement}")
    context = lower_case_keys(request.context)
    return (
        any(matches_action(request.action, named) for named in as_list(statement["Action"]))
        and _resource_matches(statement["Resource"], request.resource, context)
        and all(
            operator_holds(operator, lower_case_keys(keys), context)
            for operator, keys in (statement.get("Condition") or {}).items()
        )
    )


def _resource_matches(named: Any, resource: str, context: Context) -> bool:
    resolved = (substitute_variables(one, context) for one in as_list(named))
    return any(one is not None and matches_resource(resource, one) for one in resolved)
