"""The monthly cost of a stack: pure, from its resources and the usage that the platform publishes.

A line is quantity times price. Usage belongs to a block and is found under the Pulumi name of the component that a
resource is part of. Free tiers are left out. A billable type without a rule is listed as unpriced, never as zero.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from guardrails.pricing.book import prices
from guardrails.pricing.rules import FREE, RULES


@dataclass(frozen=True)
class Priced:
    """One resource as the estimate sees it: known properties only."""

    type: str
    name: str
    block: str
    """Pulumi name of the component it is part of; usage is found under it."""
    subsystem: str
    props: Mapping[str, Any]


@dataclass(frozen=True)
class Line:
    """One position of the bill."""

    subsystem: str
    block: str
    price: str
    quantity: float
    usd: float


@dataclass(frozen=True)
class CostReport:
    """A month's cost."""

    lines: tuple[Line, ...]
    unpriced: tuple[str, ...]

    @property
    def total(self) -> float:
        """Dollars a month."""
        return sum(line.usd for line in self.lines)

    def by(self, attribute: str) -> dict[str, float]:
        """Dollars by `subsystem`, `block` or `price`, dearest first."""
        sums: dict[str, float] = defaultdict(float)
        for line in self.lines:
            sums[getattr(line, attribute)] += line.usd
        return dict(sorted(sums.items(), key=lambda item: (-item[1], item[0])))

    def dearest(self, count: int) -> str:
        """The dearest blocks, in words."""
        return ", ".join(f"{block} ${usd:,.2f}" for block, usd in list(self.by("block").items())[:count])


def estimate(resources: Iterable[Priced], usage: Mapping[str, Mapping[str, float]]) -> CostReport:
    """What the resources cost a month at this usage."""
    book = prices()
    lines: list[Line] = []
    unpriced: list[str] = []
    for one in resources:
        if one.type in FREE or not one.type.startswith("aws:"):
            continue
        rule = RULES.get(one.type)
        if rule is None:
            unpriced.append(f"{one.name} ({one.type})")
            continue
        lines += [
            Line(one.subsystem, one.block, price, quantity, quantity * book[price].usd)
            for price, quantity in rule(one.props, usage.get(one.block, {}))
            if quantity
        ]
    return CostReport(tuple(lines), tuple(unpriced))
