"""Evaluates the conditions of IAM policies, with set operators (for example `ForAllValues`) and policy variables.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
"""

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

Context = Mapping[str, str | list[str]]
"""Condition keys of a request with their values. A list is the value of a multivalued key, even if it has one item."""

WILDCARDS = {"*": ".*", "?": "."}
MAX_CACHED_PATTERNS = 8192
"""Size of the cache of compiled patterns. It is larger than the number of patterns in the policies of all stacks."""
SPECIAL_CHARACTERS = frozenset("*?$")
"""Characters that a policy can write as a variable. For example, `${*}` matches only an asterisk (IAM guide, "IAM
policy elements: Variables and tags")."""
IF_EXISTS = "IfExists"
"""Suffix of condition operators that also hold for a request without the key."""
LITERAL = "\ue000"
"""Mark before a `*` or `?` that comes from the value of a policy variable. With the mark, it is no wildcard."""


class NotEvaluable(ValueError):
    """Error that a policy contains something that this evaluator does not support."""


def operator_holds(operator: str, keys: Context, context: Context) -> bool:
    """Return True if the conditions with one operator hold: for each key, the request must match one of the values.

    `keys` are the condition keys of the policy with their values, and `context` those of the request. The names of both
    are in lower case.
    """
    quantifier, _, base = operator.rpartition(":")  # for example `ForAllValues:StringLike`
    return all(
        _key_holds(quantifier, base, [str(value) for value in as_list(expected)], key, context)
        for key, expected in keys.items()
    )


def substitute_variables(text: str, context: Context) -> str | None:
    """Return a text with its policy variables replaced.

    Return None if a variable has no value, because such a text matches nothing.
    """
    is_missing = False

    def replace(match: re.Match[str]) -> str:
        nonlocal is_missing
        value = match[1] if match[1] in SPECIAL_CHARACTERS else context.get(match[1].lower())
        if isinstance(value, str):
            return "".join(f"{LITERAL}{letter}" if letter in WILDCARDS else letter for letter in value)
        is_missing = True
        return ""

    replaced = re.sub(r"\$\{([^}]*)\}", replace, text)
    return None if is_missing else replaced


@lru_cache(MAX_CACHED_PATTERNS)
def compile_pattern(text: str) -> "re.Pattern[str]":
    """Return a pattern with `*` and `?` as a regular expression. A wildcard after LITERAL matches only itself."""
    parts = re.split(rf"({LITERAL}.|[*?])", text, flags=re.DOTALL)
    return re.compile("".join(WILDCARDS.get(part, re.escape(part.removeprefix(LITERAL))) for part in parts), re.DOTALL)


def as_list(value: Any) -> list[Any]:
    """Return a list, or a list of one item for any other value. IAM documents may contain one item without brackets."""
    return value if isinstance(value, list) else [value]


def lower_case_keys(keys: Mapping[str, Any]) -> dict[str, Any]:
    """Return condition keys in lower case, because they are compared without regard to case."""
    return {name.lower(): value for name, value in keys.items()}


def _key_holds(quantifier: str, operator: str, expected: list[str], key: str, context: Context) -> bool:
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
            f"the condition operator {operator} is not supported; supported are {', '.join(sorted(OPERATORS))}"
        )
    values = [value for text in expected if (value := substitute_variables(text, context)) is not None]

    def satisfies(value: str) -> bool:
        """Return True if one of the policy's values matches, or for a negated operator if none matches."""
        return any(compare(value, text) for text in values) != is_negated

    match quantifier:
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
    raise NotEvaluable(f"the set operator {quantifier} is not supported")


def _is_equal(value: str, expected: str) -> bool:
    return value == expected.replace(LITERAL, "")


def _is_equal_ignoring_case(value: str, expected: str) -> bool:
    return _is_equal(value.lower(), expected.lower())


def _matches_pattern(value: str, expected: str) -> bool:
    return compile_pattern(expected).fullmatch(value) is not None


def _matches_arn(value: str, expected: str) -> bool:
    """Compare the six parts of the ARN separately. So a `*` does not match a colon before the sixth part."""
    parts, patterns = value.split(":", 5), expected.split(":", 5)
    return len(parts) == len(patterns) == 6 and all(map(_matches_pattern, parts, patterns))


OPERATORS: dict[str, Callable[[str, str], bool]] = {
    "StringEquals": _is_equal,
    "StringLike": _matches_pattern,
    "ArnEquals": _matches_arn,
    "ArnLike": _matches_arn,
    "StringEqualsIgnoreCase": _is_equal_ignoring_case,
    "Bool": _is_equal_ignoring_case,
}
"""Condition operators of this project's policies, with their comparisons. `Null` is handled separately."""
NEGATED_OPERATORS = {"StringNotEqualsIgnoreCase": "StringEqualsIgnoreCase"}
"""Negated condition operators with the operator that they negate. They are supported only with a set operator, because
without a set operator they would also have to match a request that lacks the key."""
