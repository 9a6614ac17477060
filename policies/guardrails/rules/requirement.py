"""Requirements for properties, and `Rule`, which registers the policy that resources of a type meet them.

For example, `Rule(…).requires(TABLE, {"billingMode": equals("PAY_PER_REQUEST")}, …)` in another module of this folder.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from guardrails.records import CheckedResource, Levels, PolicySet, Severity


def _to_plain(value: Any) -> Any:
    """Return a list of Pulumi's SDK, which equals no other list, as a plain list."""
    return value if isinstance(value, str | int | float | None) else list(value)


def describe(value: Any) -> str:
    """Return a property's value as text for a message."""
    match value:
        case None:
            return "not set"
        case bool():
            return str(value).lower()
        case int() | float():
            return f"{value:.15g}"
        case str():
            return value or "empty"
    return ", ".join(map(describe, value)) or "empty"


class Requirement(NamedTuple):
    """Requirement for a property's value."""

    is_met: Callable[[Any], bool]
    words: str
    """The requirement for messages and descriptions, for example `at most 60`."""
    default: Any = None
    """The value that AWS uses if the property is absent."""


def equals(expected: object, default: object = None) -> Requirement:
    """Require one value."""
    return Requirement(lambda value: _to_plain(value) == expected, describe(expected), default)


def one_of(*allowed: str, default: object = None) -> Requirement:
    """Require one of some texts."""
    return Requirement(lambda value: value in allowed, " or ".join(allowed), default)


def at_most(limit: float, default: object = None) -> Requirement:
    """Require a number that is not above the limit."""
    return Requirement(lambda value: value is not None and float(value) <= limit, f"at most {describe(limit)}", default)


def matches(pattern: str, words: str) -> Requirement:
    """Require a text in which a regular expression is found."""
    return Requirement(lambda value: isinstance(value, str) and re.search(pattern, value) is not None, words)


IS_SET: Final = Requirement(bool, "set")
"""The property is present, and neither empty nor zero."""
IS_TRUE: Final = equals(expected=True)
NOT_FALSE: Final = equals(expected=True, default=True)
NOT_TRUE: Final = equals(expected=False, default=False)


class Rule(NamedTuple):
    """Policy about properties of resources. `requires` adds the requirements and registers the policy."""

    policies: PolicySet
    name: str
    severity: Severity
    levels: Levels

    def requires(
        self,
        resource_type: str,
        requirements: Mapping[str, Requirement],
        description: str,
        remedy: str,
        because: str = "",
    ) -> None:
        """Register a policy about the properties with the given paths. `because` is the end of its messages, if the
        remedy does not show the reason. `{}` in the description becomes the words of the requirements, in their order.
        """
        self.policies.resource_policy(
            self.name,
            types={resource_type},
            severity=self.severity,
            levels=self.levels,
            description=description.format(*(requirement.words for requirement in requirements.values())),
            remedy=remedy,
        )(lambda resource: _find_faults(resource, requirements, f", because {because}" if because else ""))


def _find_faults(resource: CheckedResource, requirements: Mapping[str, Requirement], because: str) -> Iterator[str]:
    for path, requirement in requirements.items():
        value = resource.get(path)
        if not requirement.is_met(requirement.default if value is None else value):
            yield f"{path} is {describe(value)}, but must be {requirement.words}{because}."
