"""The monthly cost of a stack: pure, from its resources and the usage that the platform publishes.

A line is quantity times price. Free tiers are left out unless asked for. A billable type without a rule is listed as
unpriced, a resource whose usage is not published or that has what the book has no price of as a gap, usage that
nothing reads as a problem: none of them is ever zero.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from guardrails.pricing.price_book import load_prices
from guardrails.pricing.price_rule import PricedResource, PricingInput
from guardrails.pricing.rules import FREE_TYPES, PRICE_RULES

__all__ = ["CostLine", "CostReport", "PricedResource", "estimate_cost"]

COMPONENTS = ("polyphony:", "pulumi:")
"""What no provider makes: whatever any other package makes may cost."""
Usage = Mapping[str, Mapping[str, float]]
"""Pulumi name of a block → measure → amount a month."""


@dataclass(frozen=True)
class CostLine:
    """One position of the bill."""

    subsystem: str
    block: str
    service: str
    price: str
    quantity: float
    usd: float


@dataclass(frozen=True)
class CostReport:
    """A month's cost."""

    lines: tuple[CostLine, ...]
    unpriced: tuple[str, ...] = ()
    """Resources of billable types that no rule knows."""
    gaps: tuple[str, ...] = ()
    """Resources whose usage is not published, or that have what the book has no price of."""
    problems: tuple[str, ...] = ()
    """Usage that no rule reads."""

    @property
    def total(self) -> float:
        """Dollars a month."""
        return sum(line.usd for line in self.lines)

    def sum_by(self, attribute: str) -> dict[str, float]:
        """Dollars by `subsystem`, `block`, `service` or `price`, dearest first."""
        sums: dict[str, float] = defaultdict(float)
        for line in self.lines:
            sums[getattr(line, attribute)] += line.usd
        return dict(sorted(sums.items(), key=lambda item: (-item[1], item[0])))

    def describe_largest(self, count: int) -> str:
        """The dearest blocks, in words."""
        return ", ".join(f"{block} ${usd:,.2f}" for block, usd in list(self.sum_by("block").items())[:count])


def estimate_cost(resources: Iterable[PricedResource], usage: Usage, *, free_tiers: bool = False) -> CostReport:
    """What the resources cost a month at this usage; with free tiers, as if the account ran nothing else."""
    blocks: dict[str, list[PricedResource]] = defaultdict(list)
    for resource in resources:
        if not resource.type.startswith(COMPONENTS):
            blocks[resource.block].append(resource)
    lines: list[CostLine] = []
    unpriced: list[str] = []
    gaps: list[str] = []
    for block, members in blocks.items():
        for resource in members:
            if resource.type in FREE_TYPES:
                continue
            if resource.type not in PRICE_RULES:
                unpriced.append(f"{resource.name} ({resource.type})")
                continue
            lines += _lines(PricingInput(resource, usage.get(block, {}), tuple(members)))
            gaps += _gap(resource, usage.get(block, {}))
    if free_tiers:
        lines = list(_beyond_free(lines))
    return CostReport(tuple(lines), tuple(unpriced), tuple(gaps), tuple(_problems(blocks, usage)))


def _lines(pricing: PricingInput) -> Iterator[CostLine]:
    book, one = load_prices(), pricing.resource
    for name, quantity in PRICE_RULES[one.type].quantities(pricing):
        if quantity:
            price = book[name]
            yield CostLine(one.subsystem, one.block, price.service, name, quantity, quantity * price.usd)


def _beyond_free(lines: Iterable[CostLine]) -> Iterator[CostLine]:
    """The lines without what is free; who uses more of a price gets more of its free amount."""
    used: dict[str, float] = defaultdict(float)
    for line in lines:
        used[line.price] += line.quantity
    for line in lines:
        paid = 1 - min(1, load_prices()[line.price].free / used[line.price])
        if paid:
            yield replace(line, quantity=line.quantity * paid, usd=line.usd * paid)


def _gap(resource: PricedResource, usage: Mapping[str, float]) -> Iterator[str]:
    rule = PRICE_RULES[resource.type]
    missing = [measure for measure in rule.required_measures if measure not in list(usage)]
    if missing and not rule.is_usage_optional(resource):
        yield f"{resource.name} has no usage published ({', '.join(missing)} of {resource.block})"
    if unpriced := rule.unpriced(resource):
        yield f"{resource.name} has {unpriced}, which has no price here"


def _problems(blocks: Mapping[str, list[PricedResource]], usage: Usage) -> Iterator[str]:
    for block, measures in usage.items():
        if block not in blocks:
            yield f"usage is published for {block}, which is no block of this stack"
            continue
        read = {
            measure
            for resource in blocks[block]
            if resource.type in PRICE_RULES
            for measure in PRICE_RULES[resource.type].measures
        }
        for measure in measures:
            if measure not in read:
                yield f"{block}.{measure} is read by no price; {block} has {', '.join(sorted(read)) or 'none'}"
