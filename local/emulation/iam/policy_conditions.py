"""Conditions of IAM policies: operators, set operators, policy variables. Pure.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
"""

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

Context = Mapping[str, str | list[str]]
"""What is known of a request, by condition key. A list is a multivalued key, even when it holds one value."""

WILDCARDS = {"*": ".*", "?": "."}
PATTERNS_KEPT = 8192
"""More than the policies of all stacks have: each is asked again and again."""
LITERAL = "\ue000"
"""Marks a character that came from a policy variable: it stands for itself, not for any text."""


class NotEvaluable(ValueError):
    """A policy says something that is not modelled here: better no verdict than a wrong one."""


def operator_holds(operator: str, keys: Context, context: Context) -> bool:
    """Whether one operator's block holds: every key, with any of its values. Keys are in lower case on both sides."""
    quantifier, _, base = operator.rpartition(":")
    return all(
        _key_holds(quantifier, base, [str(one) for one in _as_list(wanted)], key, context)
        for key, wanted in keys.items()
    )


def substitute_variables(text: str, context: Context) -> str | None:
    """A text with its policy variables replaced; none where one of them has no value, so that nothing matches."""
    missing = False

    def value(found: re.Match[str]) -> str:
        nonlocal missing
        known = context.get(found[1].lower())
        if isinstance(known, str):
            return "".join(f"{LITERAL}{letter}" if letter in WILDCARDS else letter for letter in known)
        missing = True
        return ""

    replaced = re.sub(r"\$\{([^}]*)\}", value, text)
    return None if missing else replaced


@lru_cache(PATTERNS_KEPT)
def compile_pattern(text: str) -> "re.Pattern[str]":
    """A text with `*` and `?` as an expression; what came from a variable stands for itself."""
    parts = re.split(rf"({LITERAL}.|[*?])", text, flags=re.DOTALL)
    return re.compile("".join(WILDCARDS.get(part, re.escape(part.removeprefix(LITERAL))) for part in parts), re.DOTALL)


def lower_case_keys(keys: Mapping[str, Any]) -> dict[str, Any]:
    """Condition keys are compared without regard to case."""
    return {name.lower(): value for name, value in keys.items()}


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _key_holds(quantifier: str, operator: str, wanted: list[str], key: str, context: Context) -> bool:
    known = context.get(key)
    if operator == "Null":
        return (known is None or known == []) == (wanted[0].lower() == "true")
    compare = OPERATORS.get(operator)
    if compare is None:
        raise NotEvaluable(f"the condition operator {operator} is not known; known are {', '.join(sorted(OPERATORS))}")
    values = [one for text in wanted if (one := substitute_variables(text, context)) is not None]

    def one_holds(value: str) -> bool:
        return any(compare(value, text) for text in values)

    match quantifier:
        case "ForAllValues":
            # A key that is not there has no value that could fail: AWS says to ask for `Null` beside it.
            return all(one_holds(value) for value in _as_list(known if known is not None else []))
        case "ForAnyValue":
            return known is not None and any(one_holds(value) for value in _as_list(known))
        case "":
            if isinstance(known, list):
                raise NotEvaluable(f"{key} has several values: {operator} needs ForAllValues or ForAnyValue")
            return known is not None and one_holds(known)
    raise NotEvaluable(f"the set operator {quantifier} is not known")


def _equal(value: str, wanted: str) -> bool:
    return value == wanted.replace(LITERAL, "")


def _like(value: str, wanted: str) -> bool:
    return compile_pattern(wanted).fullmatch(value) is not None


def _arn(value: str, wanted: str) -> bool:
    """Each of the six parts is matched by itself, so that a `*` does not reach over a colon."""
    ours, theirs = value.split(":", 5), wanted.split(":", 5)
    return len(ours) == len(theirs) == 6 and all(_like(own, part) for own, part in zip(ours, theirs, strict=True))


OPERATORS: dict[str, Callable[[str, str], bool]] = {
    "StringEquals": _equal,
    "StringLike": _like,
    "ArnEquals": _arn,
    "ArnLike": _arn,
    "Bool": lambda value, wanted: _equal(value.lower(), wanted.lower()),
}
"""What the policies of this project use."""
