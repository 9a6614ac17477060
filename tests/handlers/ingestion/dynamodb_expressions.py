"""Interpreter for the part of DynamoDB's expression language that ingestion uses, for the fake DynamoDB."""

import re
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any

Item = dict[str, dict[str, str]]
AttributeNames = Mapping[str, str]
"""`ExpressionAttributeNames` of a request: attribute by its placeholder, for example `#status`."""
AttributeValues = Mapping[str, Mapping[str, str]]
"""`ExpressionAttributeValues` of a request: typed value by its placeholder, for example `:claimed`."""
Condition = Callable[[Item, AttributeNames, AttributeValues], bool]
TOKEN = re.compile(r"[(),]|<=|>=|<|>|=|[#:]?\w+")
COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda left, right: left == right,
    "<": lambda left, right: left < right,
    "<=": lambda left, right: left <= right,
    ">": lambda left, right: left > right,
}
ASSIGNMENT = re.compile(r"(#\w+) = (?:if_not_exists\((#\w+), (:\w+)\)|([#:]\w+))")


@cache
def parse_condition(text: str) -> Condition:
    """Return a condition as a function. Raise an error for any unsupported expression."""
    tokens = TOKEN.findall(text)
    assert "".join(tokens) == text.replace(" ", ""), text
    condition = _parse_or(tokens)
    assert not tokens, f"{text}: the tokens {tokens} follow a complete condition"
    return condition


def _parse_or(tokens: list[str]) -> Condition:
    return _parse_operands(tokens, "OR", _parse_and, any)


def _parse_and(tokens: list[str]) -> Condition:
    return _parse_operands(tokens, "AND", _parse_operand, all)


def _parse_operands(
    tokens: list[str],
    operator: str,
    parse_operand: Callable[[list[str]], Condition],
    combine: Callable[[Iterable[bool]], bool],
) -> Condition:
    operands = [parse_operand(tokens)]
    while tokens[:1] == [operator]:
        tokens.pop(0)
        operands.append(parse_operand(tokens))
    return lambda item, names, values: combine(operand(item, names, values) for operand in operands)


def _parse_operand(tokens: list[str]) -> Condition:
    first = tokens.pop(0)
    if first == "(":
        inner = _parse_or(tokens)
        assert tokens.pop(0) == ")"
        return inner
    if first == "attribute_not_exists":
        opening, name, closing = tokens.pop(0), tokens.pop(0), tokens.pop(0)
        assert (opening, closing) == ("(", ")")
        return lambda item, names, _: names.get(name, name) not in item
    is_true, placeholder = COMPARISONS[tokens.pop(0)], tokens.pop(0)

    def compare(item: Item, names: AttributeNames, values: AttributeValues) -> bool:
        attribute = item.get(names.get(first, first))
        return attribute is not None and is_true(_to_python(attribute), _to_python(values[placeholder]))

    return compare


def _to_python(value: Mapping[str, str]) -> str | int:
    ((type_name, text),) = value.items()
    return int(text) if type_name == "N" else text


def apply_update(item: Item, expression: str, names: AttributeNames, values: AttributeValues) -> Item:
    """Return the item after an update. Right-hand sides use the values before the update."""
    assignments, _, removed_names = expression.removeprefix("SET ").partition(" REMOVE ")
    assert ", ".join(assignment.group(0) for assignment in ASSIGNMENT.finditer(assignments)) == assignments, expression
    after = dict(item)
    for target, existing_name, default, source in ASSIGNMENT.findall(assignments):
        if existing_name:
            after[names[target]] = item.get(names[existing_name]) or dict(values[default])
        else:
            after[names[target]] = dict(values[source]) if source.startswith(":") else item[names[source]]
    for name in removed_names.split(", ") if removed_names else ():
        after.pop(names[name], None)
    return after
