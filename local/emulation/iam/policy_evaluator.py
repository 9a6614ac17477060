"""IAM's documented evaluation of a role's own policies: explicit deny, then allow, else implicit deny. Pure.

Small on purpose, and strict: an operator or an element that it does not know stops it, because guessing would make a
verdict of it. https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from local.emulation.iam.policy_conditions import Context, NotEvaluable, holds, lowered, pattern, substituted


class Verdict(StrEnum):
    """What the policies say."""

    ALLOW = "allow"
    DENY = "deny"
    """By a statement that says so."""
    IMPLICIT_DENY = "implicit-deny"
    """Because no statement allows it."""


@dataclass(frozen=True)
class Request:
    """What somebody wants to do."""

    action: str
    resource: str
    context: Context = field(default_factory=dict)


@dataclass(frozen=True)
class Judgement:
    """A verdict, and the statement behind it."""

    verdict: Verdict
    statement: Mapping[str, Any] | None = None

    @property
    def allowed(self) -> bool:
        """Whether it may be done."""
        return self.verdict is Verdict.ALLOW


def judge(documents: Iterable[Mapping[str, Any]], request: Request) -> Judgement:
    """What the policies of a principal say of a request."""
    found = Judgement(Verdict.IMPLICIT_DENY)
    for document in documents:
        for statement in _statements(document):
            if not _speaks_of(statement, request):
                continue
            if statement["Effect"] == "Deny":
                return Judgement(Verdict.DENY, statement)
            found = Judgement(Verdict.ALLOW, statement)
    return found


def matches_action(action: str, named: str) -> bool:
    """Whether an action is named, in whatever case, `*` and `?` standing for any text and any one character."""
    return pattern(named.lower()).fullmatch(action.lower()) is not None


def matches_resource(resource: str, named: str) -> bool:
    """Whether a resource is named, to the letter."""
    return pattern(named).fullmatch(resource) is not None


def listed(value: Any) -> list[Any]:
    """IAM writes a list of one without its brackets."""
    return value if isinstance(value, list) else [value]


def _statements(document: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    return listed(document.get("Statement", []))


def _speaks_of(statement: Mapping[str, Any], request: Request) -> bool:
    for element in ("NotAction", "NotResource", "Principal", "NotPrincipal"):
        if element in statement:
            raise NotEvaluable(f"{element} is not used in this project's role policies: {statement}")
    if statement.get("Effect") not in {"Allow", "Deny"}:
        raise NotEvaluable(f"Effect must be Allow or Deny: {statement}")
    context = lowered(request.context)
    return (
        any(matches_action(request.action, named) for named in listed(statement["Action"]))
        and _names(statement["Resource"], request.resource, context)
        and all(
            holds(operator, lowered(keys), context) for operator, keys in (statement.get("Condition") or {}).items()
        )
    )


def _names(named: Any, resource: str, context: Context) -> bool:
    resolved = (substituted(one, context) for one in listed(named))
    return any(one is not None and matches_resource(resource, one) for one in resolved)
