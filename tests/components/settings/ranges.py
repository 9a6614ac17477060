"""What every subsystem's numbers are held to: accepted at their edges, refused beyond, told with what is allowed."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, TypeAdapter

from components.settings import load
from tests.components.settings.test_loader import problems

Ranges = Mapping[str, tuple[float, float | None, str]]
"""Least and most that is accepted, both included, and how a message says so."""
AboveNothing = Mapping[str, tuple[float | None, str]]
"""The most that is accepted; 0 is not."""


@dataclass(frozen=True)
class Section:
    """A subsystem's section of a stack file."""

    name: str
    """As a stack file writes it."""
    field: str
    at: Callable[[str, object], dict[str, str]]
    """A stack with one setting of it changed."""

    def accepted(self, key: str, value: float) -> object:
        """What the settings make of a value."""
        found: Any = getattr(load(self.at(key, value), "dev"), self.field).model_dump(by_alias=True)
        for part in key.split("."):
            found = found[part]
        return found

    def holds_at_its_edges(self, key: str, least: float, most: float | None, allowed: str) -> None:
        """Checks a range, both edges included."""
        for edge in (least, most):
            if edge is not None:
                assert self.accepted(key, edge) == edge
        outside = [least - _step(allowed), *([] if most is None else [most + _step(allowed)])]
        for value in outside:
            assert problems(self.at(key, value)) == [f"{self.name}.{key} = {value}: allowed is {allowed}"]

    def may_be_little(self, key: str, most: float | None, allowed: str) -> None:
        """Checks a range that 0 is not in."""
        assert self.accepted(key, 0.1) == 0.1
        assert problems(self.at(key, 0)) == [f"{self.name}.{key} = 0: allowed is {allowed}"]
        if most is not None:
            assert self.accepted(key, most) == most
            beyond = most + 0.01
            assert problems(self.at(key, beyond)) == [f"{self.name}.{key} = {beyond}: allowed is {allowed}"]


def numbers(model: type[BaseModel], before: str = "") -> Iterator[str]:
    """The keys of all numbers, as a stack file writes them."""
    for name, field in model.model_fields.items():
        key = f"{before}{field.alias or name}"
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from numbers(field.annotation, f"{key}.")
        else:
            schema = TypeAdapter(field.rebuild_annotation()).json_schema()
            if {one.get("type") for one in schema.get("anyOf", [schema])} & {"integer", "number"}:
                yield key


def _step(allowed: str) -> float:
    return 1 if "integer" in allowed else 0.01
