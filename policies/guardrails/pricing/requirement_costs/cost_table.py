"""A document's cost table, and the same lines priced with the price book.

Usage that a document gives stands beside its lines. What it does not give comes from `assumptions.toml`, by name, and is
never chosen to meet the document's figure.
"""

import functools
import tomllib
from dataclasses import dataclass
from pathlib import Path

from guardrails.pricing.price_book import load_prices

FILE = Path(__file__).with_name("assumptions.toml")
DAYS = 30
"""Days of a month, as the documents count."""

Quantities = tuple[tuple[str, float], ...]
"""Price → quantity a month."""


@dataclass(frozen=True)
class Assumption:
    """One figure that no document gives."""

    value: float
    unit: str
    why: str


@functools.cache
def load_assumptions() -> dict[str, Assumption]:
    """All figures that no document gives."""
    with FILE.open("rb") as file:
        return {name: Assumption(**entry) for name, entry in tomllib.load(file).items()}


def get_assumption(name: str) -> float:
    """One figure that no document gives."""
    return float(load_assumptions()[name].value)


def price_quantities(quantities: Quantities) -> float:
    """What quantities cost."""
    return sum(quantity * load_prices()[name].usd for name, quantity in quantities)


@dataclass(frozen=True)
class CostTableLine:
    """One line of a document's table."""

    label: str
    stated_usd: float
    """Dollars a month, as the document says."""
    quantities: Quantities
    cause: str
    """Where the difference comes from."""

    @property
    def computed_usd(self) -> float:
        """Dollars a month at today's prices."""
        return price_quantities(self.quantities)


@dataclass(frozen=True)
class PromisedSaving:
    """A change that a document promises to save by, as it says and as it is priced."""

    label: str
    stated_usd: float
    before: Quantities
    after: Quantities
    cause: str

    @property
    def computed_usd(self) -> float:
        """Dollars a month that it saves."""
        return price_quantities(self.before) - price_quantities(self.after)


@dataclass(frozen=True)
class SettingSaving:
    """One setting, switched on its own at the same usage."""

    setting: str
    change: str
    before: Quantities
    after: Quantities
    remark: str = ""

    @property
    def usd(self) -> float:
        """Dollars a month that it saves."""
        return price_quantities(self.before) - price_quantities(self.after)


@dataclass(frozen=True)
class CostTable:
    """One document's table."""

    subsystem: str
    title: str
    stated_total: float
    """Dollars a month, as the document says."""
    lines: tuple[CostTableLine, ...]
    promised_savings: tuple[PromisedSaving, ...] = ()
    setting_savings: tuple[SettingSaving, ...] = ()
    remarks: tuple[str, ...] = ()
    """Arithmetic and facts of the document that do not hold."""

    @property
    def computed_usd(self) -> float:
        """Dollars a month at today's prices."""
        return sum(line.computed_usd for line in self.lines)
