"""Interpreter for the part of DynamoDB's expression language that ingestion uses, for the fake DynamoDB."""

import re
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any

Item = dict[str, dict[str, str]]
Names = Mapping[str, str]
Given = Mapping[str, Mapping[str, str]]
Test = Callable[[Item, Names, Given], bool]
TOKEN = re.compile(r"[(),]|<=|>=|<|>|=|[#:]?\w+")
COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda left, right: left == right,
    "<": lambda left, right: left < right,
    "<=": lambda left, right: left <= right,
    ">": lambda left, right: left > right,
}
ASSIGNMENT = re.compile(r"(#\w+) = (?:if_not_exists\((#\w+), (:\w+)\)|([#:]\w+))")


def value(found: Mapping[str, str] | None) -> Any:
    """Return a typed value as a Python value, or None if the attribute is missing."""
    if found is None:
        return None
    ((kind, text),) = found.items()
    return int(text) if kind == "N" else text


@cache
def condition(text: str) -> Test:
    """Return a condition as a function. Raise an error for any unsupported expression."""
    tokens = TOKEN.findall(text)
    assert "".join(tokens) == text.replace(" ", ""), text
    made = _either(tokens)
    assert not tokens, f"{text}: {tokens} is left"
    return made


def _either(tokens: list[str]) -> Test:
    return _joined(tokens, "OR", _both, any)


def _both(tokens: list[str]) -> Test:
    return _joined(tokens, "AND", _one, all)


def _joined(
    tokens: list[str], word: str, parse: Callable[[list[str]], Test], combine: Callable[[Iterable[bool]], bool]
) -> Test:
    parts = [parse(tokens)]
    while tokens[:1] == [word]:
        tokens.pop(0)
        parts.append(parse(tokens))
    return lambda item, names, given: combine(part(item, names, given) for part in parts)


def _one(tokens: list[str]) -> Test:
    first = tokens.pop(0)
    if first == "(":
        inner = _either(tokens)
        assert tokens.pop(0) == ")"
        return inner
    if first == "attribute_not_exists":
        opened, name, closed = tokens.pop(0), tokens.pop(0), tokens.pop(0)
        assert (opened, closed) == ("(", ")")
        return lambda item, names, _: names.get(name, name) not in item
    compare, other = COMPARE[tokens.pop(0)], tokens.pop(0)

    def compared(item: Item, names: Names, given: Given) -> bool:
        left = value(item.get(names.get(first, first)))
        return left is not None and compare(left, value(given[other]))

    return compared


def updated(item: Item, text: str, names: Names, given: Given) -> Item:
    """Return the item after an update. Right-hand sides use the values before the update."""
    assigned, _, removed = text.removeprefix("SET ").partition(" REMOVE ")
    assert ", ".join(found.group(0) for found in ASSIGNMENT.finditer(assigned)) == assigned, text
    after = dict(item)
    for target, unless, default, source in ASSIGNMENT.findall(assigned):
        if unless:
            after[names[target]] = item.get(names[unless]) or dict(given[default])
        else:
            after[names[target]] = dict(given[source]) if source.startswith(":") else item[names[source]]
    for name in removed.split(", ") if removed else ():
        after.pop(names[name], None)
    return after
