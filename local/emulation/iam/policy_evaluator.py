"""Evaluates IAM policies of roles and of resources. The verdict on a request is allow, explicit deny or implicit deny.

The emulator decides with it about requests (`request_decisions.py`) and about calls of AWS services. An operator or
element that is not supported raises an error, because a guess could give a wrong verdict.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from typing import Any

Context = Mapping[str, str | list[str]]
"""Condition keys of a request with their values. A list is the value of a multivalued key, even if it has one item."""

WILDCARDS = {"*": ".*", "?": "."}
"""Wildcards of policies, with the regular expressions that match the same."""
_MAX_CACHED_PATTERNS = 8192
"""Size of the cache of compiled patterns. It is larger than the number of patterns in the policies of all stacks."""
ESCAPABLE_CHARACTERS = frozenset("*?$")
"""Characters that a policy writes as a variable if they are meant literally. For example, `${*}` matches only an asterisk
(IAM guide, "IAM policy elements: Variables and tags")."""
IF_EXISTS = "IfExists"
"""Suffix of condition operators that also hold for a request without the key."""
LITERAL = "\ue000"
"""Mark before a `*` or `?` that comes from the value of a policy variable. With the mark, it is no wildcard:
`_substitute_variables` adds the mark, `_compile_pattern` reads it, and `_is_equal` removes it."""


class NotEvaluable(ValueError):
    """Error that a policy contains something that this evaluator does not support."""


class AccessVerdict(StrEnum):
    """Verdict on a request."""

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
    context = _lower_case_keys(request.context)
    for document in documents:
        for statement in _statements(document):
            if not _statement_applies(statement, request, context):
                continue
            if statement["Effect"] == "Deny":
                return AccessVerdict.DENY
            verdict = AccessVerdict.ALLOW
    return verdict


def policy_admits(document: Mapping[str, Any], principal: str, request: AccessRequest) -> bool:
    """Return True if a resource-based policy, for example a role's trust policy, allows a principal's request.

    Other policies of the principal are not considered.
    """
    # `evaluate_policies` expects policies of a role. So the statements about the principal lose their `Principal`, and
    # get a `Resource` if they have none, as in a trust policy.
    statements = [
        {"Resource": "*", **{element: value for element, value in statement.items() if element != "Principal"}}
        for statement in _statements(document)
        if {principal, "*"}.intersection(_principals(statement))
    ]
    return evaluate_policies([{"Statement": statements}], request).allowed


def matches_action(action: str, pattern: str) -> bool:
    """Return True if the pattern matches the action. Case is ignored. `*` matches any text, `?` any character."""
    return _compile_pattern(pattern.lower()).fullmatch(action.lower()) is not None


def matches_pattern(text: str, pattern: str) -> bool:
    """Return True if the pattern matches a whole resource or other text. Upper and lower case differ."""
    return _compile_pattern(pattern).fullmatch(text) is not None


def _statements(document: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    return as_list(document.get("Statement", []))


def _principals(statement: Mapping[str, Any]) -> list[str]:
    """Return the principals of a statement: accounts, roles and services."""
    principal = statement.get("Principal") or {}
    if isinstance(principal, str):
        return [principal]
    return [name for names in principal.values() for name in as_list(names)]


def _statement_applies(statement: Mapping[str, Any], request: AccessRequest, context: Context) -> bool:
    for element in ("NotAction", "NotResource", "Principal", "NotPrincipal"):
        if element in statement:
            raise NotEvaluable(f"the element {element} is not supported: {statement}")
    if statement.get("Effect") not in {"Allow", "Deny"}:
        raise NotEvaluable(f"Effect must be Allow or Deny: {statement}")
    return (
        any(matches_action(request.action, pattern) for pattern in as_list(statement["Action"]))
        and _resource_matches(statement["Resource"], request.resource, context)
        and all(
            _operator_holds(operator, _lower_case_keys(keys), context)
            for operator, keys in (statement.get("Condition") or {}).items()
        )
    )


def _resource_matches(patterns: Any, resource: str, context: Context) -> bool:
    resolved = (_substitute_variables(pattern, context) for pattern in as_list(patterns))
    return any(pattern is not None and matches_pattern(resource, pattern) for pattern in resolved)


def _operator_holds(operator: str, keys: Context, context: Context) -> bool:
    """Return True if the conditions with one operator hold: for each key, the request must match one of the values.

    `keys` are the condition keys of the policy with their values, and `context` those of the request. The names of both
    are in lower case.
    """
    # A set operator before the condition operator, for example `ForAllValues:StringLike`, compares multivalued keys.
    set_operator, _, base = operator.rpartition(":")
    return all(
        _key_holds(set_operator, base, [str(value) for value in as_list(expected)], key, context)
        for key, expected in keys.items()
    )


def _substitute_variables(text: str, context: Context) -> str | None:
    """Return a text with its policy variables replaced, or None if one has no value, because it then matches nothing."""
    is_missing = False

    def replace(match: re.Match[str]) -> str:
        nonlocal is_missing
        value = match[1] if match[1] in ESCAPABLE_CHARACTERS else context.get(match[1].lower())
        if isinstance(value, str):
            return "".join(f"{LITERAL}{letter}" if letter in WILDCARDS else letter for letter in value)
        is_missing = True
        return ""

    replaced = re.sub(r"\$\{([^}]*)\}", replace, text)
    return None if is_missing else replaced


@lru_cache(_MAX_CACHED_PATTERNS)
def _compile_pattern(text: str) -> "re.Pattern[str]":
    """Return a pattern with `*` and `?` as a regular expression. A wildcard after LITERAL matches only itself."""
    parts = re.split(rf"({LITERAL}.|[*?])", text, flags=re.DOTALL)
    return re.compile("".join(WILDCARDS.get(part, re.escape(part.removeprefix(LITERAL))) for part in parts), re.DOTALL)


def as_list(value: Any) -> list[Any]:
    """Return a list, or a list of one item for any other value. IAM documents may contain one item without brackets."""
    return value if isinstance(value, list) else [value]


def _lower_case_keys(keys: Mapping[str, Any]) -> dict[str, Any]:
    """Return condition keys in lower case, because they are compared without regard to case."""
    return {name.lower(): value for name, value in keys.items()}


def _key_holds(set_operator: str, operator: str, expected: list[str], key: str, context: Context) -> bool:
    """Return True if the request's value of a key matches one of the policy's values, `expected`."""
    actual = context.get(key)
    if operator == "Null":
        return (actual is None or actual == []) == (expected[0].lower() == "true")
    if operator.endswith(IF_EXISTS):
        if actual is None:
            return True
        operator = operator.removesuffix(IF_EXISTS)
    is_negated = operator in NEGATED_OPERATORS
    compare = OPERATORS.get(NEGATED_OPERATORS.get(operator, operator))
    if compare is None:
        raise NotEvaluable(
            f"the condition operator {operator} is not supported; supported are "
            f"{', '.join(sorted({*OPERATORS, *NEGATED_OPERATORS, 'Null'}))}"
        )
    values = [value for text in expected if (value := _substitute_variables(text, context)) is not None]

    def satisfies(value: str) -> bool:
        """Return True if one of the policy's values matches. With a negated operator, return True if none matches."""
        return any(compare(value, text) for text in values) != is_negated

    match set_operator:
        case "ForAllValues":
            # As on AWS, the condition holds if the request lacks the key.
            return all(satisfies(value) for value in as_list(actual if actual is not None else []))
        case "ForAnyValue":
            return actual is not None and any(satisfies(value) for value in as_list(actual))
        case "" if not is_negated:
            if isinstance(actual, list):
                raise NotEvaluable(f"{key} has several values: {operator} needs ForAllValues or ForAnyValue")
            return actual is not None and satisfies(actual)
        case "":
            raise NotEvaluable(f"{operator} needs ForAllValues or ForAnyValue")
    raise NotEvaluable(f"the set operator {set_operator} is not supported")


def _is_equal(value: str, expected: str) -> bool:
    return value == expected.replace(LITERAL, "")


def _is_equal_ignoring_case(value: str, expected: str) -> bool:
    return _is_equal(value.lower(), expected.lower())


def _matches_arn(value: str, expected: str) -> bool:
    """Compare the six parts of the ARN separately. So a `*` does not match a colon before the sixth part."""
    parts, patterns = value.split(":", 5), expected.split(":", 5)
    return len(parts) == len(patterns) == 6 and all(map(matches_pattern, parts, patterns))


OPERATORS: dict[str, Callable[[str, str], bool]] = {
    "StringEquals": _is_equal,
    "StringLike": matches_pattern,
    "ArnEquals": _matches_arn,
    "ArnLike": _matches_arn,
    "StringEqualsIgnoreCase": _is_equal_ignoring_case,
    "Bool": _is_equal_ignoring_case,
}
"""Condition operators of this project's policies, with their comparisons. `Null` is handled separately."""
NEGATED_OPERATORS = {"StringNotEqualsIgnoreCase": "StringEqualsIgnoreCase"}
"""Negated condition operators with the operator that they negate. They are supported only after `ForAllValues:` or
`ForAnyValue:`, because alone they would also have to match a request that lacks the key."""
