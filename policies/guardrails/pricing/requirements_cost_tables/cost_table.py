"""Model of a cost table of the requirements, the documents from which the program was built. Each line has the cost that
the requirements state, and the cost computed from the price book.

The usage that the requirements give is written in each table's module. Figures that the requirements do not give are in
`assumptions.toml`. No assumption is chosen to reproduce a figure of the requirements.
"""

import functools
import tomllib
from dataclasses import dataclass
from pathlib import Path

from guardrails.pricing.price_book import load_prices

FILE = Path(__file__).with_name("assumptions.toml")
DAYS = 30
"""Days of a month in the requirements."""

Quantities = tuple[tuple[str, float], ...]
"""Pairs of price name and quantity a month."""


@dataclass(frozen=True)
class Assumption:
    """One figure that the requirements do not give."""

    value: float
    unit: str
    why: str
    """Reason for the value."""


@functools.cache
def load_assumptions() -> dict[str, Assumption]:
    """Return all assumptions by name."""
    with FILE.open("rb") as file:
        return {name: Assumption(**entry) for name, entry in tomllib.load(file).items()}


def get_assumption(name: str) -> float:
    """Return the value of one assumption."""
    return float(load_assumptions()[name].value)


def price_quantities(quantities: Quantities) -> float:
    """Return the cost of the quantities in dollars."""
    return sum(quantity * load_prices()[name].usd for name, quantity in quantities)


@dataclass(frozen=True)
class CostTableLine:
    """One line of a cost table."""

    label: str
    stated_usd: float
    """Dollars a month, as the requirements state them."""
    quantities: Quantities
    """Usage a month, from the requirements and the assumptions."""
    comparison: str
    """Reason for the difference between stated and computed cost, or a sentence that they agree."""

    @property
    def computed_usd(self) -> float:
        """Dollars a month at today's prices."""
        return price_quantities(self.quantities)


@dataclass(frozen=True)
class PromisedSaving:
    """A saving that the requirements promise for one change, as stated and as computed."""

    label: str
    stated_usd: float
    before: Quantities
    """Usage a month without the change."""
    after: Quantities
    """Usage a month with the change."""
    comparison: str
    """Reason for the difference between stated and computed saving."""

    @property
    def computed_usd(self) -> float:
        """Saved dollars a month at today's prices."""
        return price_quantities(self.before) - price_quantities(self.after)


@dataclass(frozen=True)
class SettingSaving:
    """The saving of one setting of this program, at the same load."""

    setting: str
    """Path of the setting in a stack file, or a description if the saving has no setting."""
    change: str
    """The values before and after the change, for example `90 → 30 days`."""
    before: Quantities
    """Usage a month with the value before the change."""
    after: Quantities
    """Usage a month with the value after the change."""
    remark: str = ""

    @property
    def usd(self) -> float:
        """Saved dollars a month at today's prices."""
        return price_quantities(self.before) - price_quantities(self.after)


@dataclass(frozen=True)
class CostTable:
    """The cost table of one subsystem."""

    subsystem: str
    title: str
    stated_total: float
    """Dollars a month, as the requirements state them."""
    lines: tuple[CostTableLine, ...]
    promised_savings: tuple[PromisedSaving, ...] = ()
    setting_savings: tuple[SettingSaving, ...] = ()
    remarks: tuple[str, ...] = ()
    """Calculations and statements of the requirements that are wrong, and costs that they omit."""

    @property
    def computed_usd(self) -> float:
        """Total in dollars a month at today's prices."""
        return sum(line.computed_usd for line in self.lines)
