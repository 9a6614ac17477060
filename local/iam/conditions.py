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


def holds(operator: str, keys: Context, context: Context) -> bool:
    """Whether one operator's block holds: every key, with any of its values. Keys are in lower case on both sides."""
    quantifier, _, plain = operator.rpartition(":")
    base = plain.removesuffix("IfExists")
    optional = plain != base
    return all(
        _key_holds(quantifier, base, [str(one) for one in _listed(wanted)], key, context, optional=optional)
        for key, wanted in keys.items()
    )


def substituted(text: str, context: Context) -> str | None:
    """A text with its policy variables replaced; none where one of them has no value, so that nothing matches.

    `${key}`, `${key, 'default'}`, and `${*}`, `${?}`, `${$}` for the characters themselves.
    """
    missing = False

    def value(found: re.Match[str]) -> str:
        nonlocal missing
        name, _, default = (part.strip() for part in found[1].partition(","))
        if name in {"*", "?", "$"}:
            return _literal(name)
        known = context.get(name.lower())
        if isinstance(known, str):
            return _literal(known)
        if default:
            return _literal(default.strip("'"))
        missing = True
        return ""

    replaced = re.sub(r"\$\{([^}]*)\}", value, text)
    return None if missing else replaced


@lru_cache(PATTERNS_KEPT)
def pattern(text: str) -> "re.Pattern[str]":
    """A text with `*` and `?` as an expression; what came from a variable stands for itself."""
    parts = re.split(rf"({LITERAL}.|[*?])", text, flags=re.DOTALL)
    return re.compile("".join(WILDCARDS.get(part, re.escape(part.removeprefix(LITERAL))) for part in parts), re.DOTALL)


def plain(text: str) -> str:
    """A text without marks."""
    return text.replace(LITERAL, "")


def lowered(keys: Mapping[str, Any]) -> dict[str, Any]:
    """Condition keys are compared without regard to case."""
    return {name.lower(): value for name, value in keys.items()}


def _literal(text: str) -> str:
    return "".join(f"{LITERAL}{letter}" if letter in WILDCARDS else letter for letter in text)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _key_holds(
    quantifier: str, operator: str, wanted: list[str], key: str, context: Context, *, optional: bool
) -> bool:
    known = context.get(key)
    if operator == "Null":
        return (known is None or known == []) == (wanted[0].lower() == "true")
    compare, negated = _operator(operator)
    values = [one for text in wanted if (one := substituted(text, context)) is not None]

    def one_holds(value: str) -> bool:
        return any(compare(value, text) for text in values) != negated

    match quantifier:
        case "ForAllValues":
            # A key that is not there has no value that could fail: AWS says to ask for `Null` beside it.
            return all(one_holds(value) for value in _listed(known if known is not None else []))
        case "ForAnyValue":
            return known is not None and any(one_holds(value) for value in _listed(known))
        case "":
            if known is None:
                return optional or negated
            if isinstance(known, list):
                raise NotEvaluable(f"{key} has several values: {operator} needs ForAllValues or ForAnyValue")
            return one_holds(known)
    raise NotEvaluable(f"the set operator {quantifier} is not known")


Compare = Callable[[str, str], bool]


def _operator(name: str) -> tuple[Compare, bool]:
    """How a value is held against a wanted one, and whether the answer is turned round."""
    negated = "Not" in name
    positive = name.replace("Not", "", 1)
    found = OPERATORS.get(positive)
    if found is None:
        raise NotEvaluable(f"the condition operator {name} is not known; known are {', '.join(sorted(OPERATORS))}")
    return found, negated


def _number(compare: Callable[[float, float], bool]) -> Compare:
    return lambda value, wanted: compare(float(value), float(plain(wanted)))


def _arn(value: str, wanted: str) -> bool:
    """Each of the six parts is matched by itself, so that a `*` does not reach over a colon."""
    ours, theirs = value.split(":", 5), wanted.split(":", 5)
    return len(ours) == len(theirs) == 6 and all(
        pattern(part).fullmatch(own) is not None for own, part in zip(ours, theirs, strict=True)
    )


OPERATORS: dict[str, Compare] = {
    "StringEquals": lambda value, wanted: value == plain(wanted),
    "StringEqualsIgnoreCase": lambda value, wanted: value.lower() == plain(wanted).lower(),
    "StringLike": lambda value, wanted: pattern(wanted).fullmatch(value) is not None,
    "ArnEquals": _arn,
    "ArnLike": _arn,
    "Bool": lambda value, wanted: value.lower() == plain(wanted).lower(),
    "NumericEquals": _number(lambda value, wanted: value == wanted),
    "NumericLessThan": _number(lambda value, wanted: value < wanted),
    "NumericLessThanEquals": _number(lambda value, wanted: value <= wanted),
    "NumericGreaterThan": _number(lambda value, wanted: value > wanted),
    "NumericGreaterThanEquals": _number(lambda value, wanted: value >= wanted),
}
