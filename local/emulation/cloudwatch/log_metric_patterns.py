"""Evaluates metric filters of CloudWatch Logs: the pattern that a JSON log line must match, and the metric's value.

Only the syntax that the project uses is supported: comparisons of a field with a text, joined by `&&` and `||`.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html
"""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

LogEvent = Mapping[str, Any]
Condition = Callable[[LogEvent], bool]
_LEXEME = r'\s*([(){}]|&&|\|\||!=|=|\$[\w.]+|"[^"]*")'


class UnsupportedPattern(ValueError):
    """Error that a filter pattern uses syntax that is not supported here."""


def parse_log_event(line: str) -> LogEvent | None:
    """Return the parsed log line if it is a JSON object, otherwise None."""
    if not line.startswith("{"):
        return None
    try:
        event: LogEvent = json.loads(line)
    except ValueError:
        return None
    return event


def parse_pattern(pattern: str) -> Condition:
    """Return a function that tests if a log event matches a pattern such as `{ $.message = "sweep" }`.

    A comparison is False if the event lacks the field, also with `!=`.
    """
    return _PatternParser(pattern).parse()


def metric_value(value: str, event: LogEvent) -> float | None:
    """Return the metric's value for a matching event, or None if the event lacks the field or the field is no number.

    `value` comes from the metric filter. It is a number, or a field such as `$.failed`.
    """
    found = _read_field(value, event) if value.startswith("$") else value
    try:
        return None if found is None else float(found)
    except (TypeError, ValueError):
        return None


def _read_field(selector: str, event: LogEvent) -> Any:
    found: Any = event
    for name in selector.removeprefix("$.").split("."):
        found = found.get(name) if isinstance(found, Mapping) else None
    return found


class _PatternParser:
    """Parser of one pattern. `&&` binds more strongly than `||`."""

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        if not re.fullmatch(rf"(?:{_LEXEME})*\s*", pattern):
            raise UnsupportedPattern(pattern)
        self._tokens = re.findall(_LEXEME, pattern)

    def parse(self) -> Condition:
        self._expect("{")
        condition = self._any()
        self._expect("}")
        if self._tokens:
            raise UnsupportedPattern(self._pattern)
        return condition

    def _any(self) -> Condition:
        """Parse conditions that are joined by `||`."""
        conditions = [self._all()]
        while self._tokens[:1] == ["||"]:
            self._tokens.pop(0)
            conditions.append(self._all())
        return lambda event: any(condition(event) for condition in conditions)

    def _all(self) -> Condition:
        """Parse comparisons that are joined by `&&`."""
        conditions = [self._comparison()]
        while self._tokens[:1] == ["&&"]:
            self._tokens.pop(0)
            conditions.append(self._comparison())
        return lambda event: all(condition(event) for condition in conditions)

    def _comparison(self) -> Condition:
        """Parse a comparison, or a condition in parentheses."""
        if self._tokens[:1] == ["("]:
            self._tokens.pop(0)
            condition = self._any()
            self._expect(")")
            return condition
        match self._tokens[:3]:
            case [selector, "=" | "!=" as comparison, text] if selector.startswith("$") and text.startswith('"'):
                del self._tokens[:3]
            case _:
                raise UnsupportedPattern(self._pattern)
        expected, is_equal = text.strip('"'), comparison == "="

        def compare(event: LogEvent) -> bool:
            found = _read_field(selector, event)
            return found is not None and (found == expected) is is_equal

        return compare

    def _expect(self, token: str) -> None:
        if self._tokens[:1] != [token]:
            raise UnsupportedPattern(self._pattern)
        self._tokens.pop(0)
