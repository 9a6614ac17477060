"""Estimate of a stack's monthly cost, from its resources and its expected usage. The Platform component, which contains
the whole stack, publishes the usage by block: the component that contains a resource.

Each line of the estimate is a quantity times a price. Free tiers are not subtracted by default. The report also lists
all missing data, which is never counted as zero:

- An *unpriced* resource has a type without a price rule that is not listed as free.
- A *gap* is a resource without published usage, or with a feature that has no price in the price book.
- A *problem* is published usage that no price rule reads.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from guardrails.pricing.price_book import load_prices
from guardrails.pricing.price_rule import PricedResource, PricingInput
from guardrails.pricing.rules import FREE_TYPES, PRICE_RULES

__all__ = ["CostLine", "CostReport", "PricedResource", "estimate_cost"]

COMPONENT_PREFIXES = ("polyphony:", "pulumi:")
"""Prefixes of the types of components and of Pulumi's own resources, which cost nothing."""
Usage = Mapping[str, Mapping[str, float]]
"""Monthly amounts: by a block's Pulumi name, and then by the measure (the counted quantity), for example `requests`."""


@dataclass(frozen=True)
class CostLine:
    """One line of the estimate."""

    subsystem: str
    block: str
    """Pulumi name of the component that contains the priced resource."""
    service: str
    price: str
    """Name of the price in the price book."""
    quantity: float
    """Quantity a month, in the unit of the price."""
    usd: float
    """Dollars a month."""


@dataclass(frozen=True)
class CostReport:
    """The monthly cost of a stack."""

    lines: tuple[CostLine, ...]
    unpriced: tuple[str, ...] = ()
    """Resources whose type has no price rule and is not listed as free."""
    gaps: tuple[str, ...] = ()
    """Resources without published usage, or with a feature that has no price in the book."""
    problems: tuple[str, ...] = ()
    """Published usage that no rule reads."""

    @property
    def total(self) -> float:
        """Total in dollars a month."""
        return sum(line.usd for line in self.lines)

    def sum_by(self, attribute: str) -> dict[str, float]:
        """Return the dollars by `subsystem`, `block`, `service` or `price`, highest first."""
        sums: dict[str, float] = defaultdict(float)
        for line in self.lines:
            sums[getattr(line, attribute)] += line.usd
        return dict(sorted(sums.items(), key=lambda item: (-item[1], item[0])))

    def describe_largest(self, count: int) -> str:
        """Return the blocks with the highest cost, as text for a message."""
        return ", ".join(f"{block} ${usd:,.2f}" for block, usd in list(self.sum_by("block").items())[:count])


def estimate_cost(resources: Iterable[PricedResource], usage: Usage, *, free_tiers: bool = False) -> CostReport:
    """Estimate the monthly cost of the resources at the given usage. With `free_tiers`, the free amounts of the account
    are subtracted, as if nothing else ran in it.
    """
    blocks: dict[str, list[PricedResource]] = defaultdict(list)
    for resource in resources:
        if not resource.type.startswith(COMPONENT_PREFIXES):
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
            lines += _price_lines(PricingInput(resource, usage.get(block, {}), tuple(members)))
            gaps += _find_gaps(resource, usage.get(block, {}))
    if free_tiers:
        lines = list(_subtract_free_amounts(lines))
    return CostReport(tuple(lines), tuple(unpriced), tuple(gaps), tuple(_find_unread_usage(blocks, usage)))


def _price_lines(pricing: PricingInput) -> Iterator[CostLine]:
    book, resource = load_prices(), pricing.resource
    for name, quantity in PRICE_RULES[resource.type].quantities(pricing):
        if quantity:
            price = book[name]
            yield CostLine(resource.subsystem, resource.block, price.service, name, quantity, quantity * price.usd)


def _subtract_free_amounts(lines: Iterable[CostLine]) -> Iterator[CostLine]:
    """Subtract the free amount of each price. If several lines have this price, they share the free amount in
    proportion to their quantities.
    """
    quantities: dict[str, float] = defaultdict(float)
    for line in lines:
        quantities[line.price] += line.quantity
    for line in lines:
        billed_share = 1 - min(1, load_prices()[line.price].free / quantities[line.price])
        if billed_share:
            yield replace(line, quantity=line.quantity * billed_share, usd=line.usd * billed_share)


def _find_gaps(resource: PricedResource, usage: Mapping[str, float]) -> Iterator[str]:
    rule = PRICE_RULES[resource.type]
    missing = [measure for measure in rule.required_measures if measure not in list(usage)]
    if missing and not rule.is_usage_optional(resource):
        yield f"{resource.name} has no published usage ({', '.join(missing)} of block {resource.block})"
    if unpriced := rule.describe_unpriced(resource):
        yield f"{resource.name} has {unpriced}, which has no price in the price book"


def _find_unread_usage(blocks: Mapping[str, list[PricedResource]], usage: Usage) -> Iterator[str]:
    for block, measures in usage.items():
        if block not in blocks:
            yield f"usage is published for {block}, but the stack has no block of this name"
            continue
        rules = [PRICE_RULES[resource.type] for resource in blocks[block] if resource.type in PRICE_RULES]
        read_measures = {measure for rule in rules for measure in rule.measures}
        valid = ", ".join(sorted(read_measures)) or "none"
        for measure in measures:
            if measure not in read_measures:
                yield f"no price rule reads {block}.{measure}; the measures of {block} are {valid}"
