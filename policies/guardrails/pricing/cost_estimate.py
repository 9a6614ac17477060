"""Estimate of a stack's monthly cost, from its resources and its expected usage. The Platform component, which contains
the whole stack, publishes the usage by block: the component that contains a resource. The policies about spending and
`make cost` show the estimate.

Each line of the estimate is a quantity times a price. Free tiers are not subtracted by default. Missing data is never
counted as zero. A resource whose type or feature has no price is listed as *unpriced*. Other missing data is an error, for
example usage that is not published. So is usage that no price rule reads.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

from guardrails.pricing.price_rules import (
    PRICED_TYPES,
    CannotEstimate,
    PricedBlock,
    PricedResource,
    find_unpriced_value,
    list_quantities,
)
from guardrails.pricing.prices import load_prices
from guardrails.surface.tables import list_free_types

__all__ = ["CannotEstimate", "CostLine", "CostReport", "PricedResource", "estimate_cost"]

KNOWN_TYPES = PRICED_TYPES | list_free_types()
COMPONENT_PREFIXES = ("polyphony:", "pulumi:")
"""Prefixes of the types of components and of Pulumi's own resources, which cost nothing."""
Usage = Mapping[str, Mapping[str, float]]
"""Expected usage, by a block's Pulumi name and then by the measure, for example `requests`."""


@dataclass
class CostLine:
    """One line of the estimate."""

    subsystem: str
    block: str
    """Pulumi name of the component that contains the priced resource."""
    service: str
    price: str
    """Name of the price in `prices.toml`."""
    quantity: float
    """Quantity a month, in the unit of the price."""
    usd: float
    """Dollars a month."""


class CostReport(NamedTuple):
    """The monthly cost of a stack."""

    lines: tuple[CostLine, ...]
    unpriced: tuple[str, ...] = ()
    """Resources whose type is neither priced nor listed as free, or that have a feature without a price."""

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

    def describe_largest(self) -> str:
        """Return the three blocks with the highest cost, as text for a message."""
        return ", ".join(f"{block} ${usd:,.2f}" for block, usd in list(self.sum_by("block").items())[:3])


def estimate_cost(resources: Iterable[PricedResource], usage: Usage, *, free_tiers: bool = False) -> CostReport:
    """Estimate the monthly cost of the resources at the given usage. With `free_tiers`, the free amounts of the account
    are subtracted, as if nothing else ran in it. Raise CannotEstimate with a line for each error.
    """
    blocks: dict[str, PricedBlock] = {}
    for resource in resources:
        if not resource.type.startswith(COMPONENT_PREFIXES):
            block = blocks.setdefault(resource.block, PricedBlock(resource.block, usage.get(resource.block, {})))
            block.resources.append(resource)
    lines: list[CostLine] = []
    unpriced: list[str] = []
    errors = [
        f"usage is published for {name}, but the stack has no block of this name"
        for name in usage
        if name not in blocks
    ]
    for block in blocks.values():
        for resource in block.resources:
            feature = find_unpriced_value(resource)
            if feature or resource.type not in KNOWN_TYPES:
                unpriced.append(f"{resource.name} ({resource.type}{feature})")
            try:
                lines += _price_lines(resource, block)
            except CannotEstimate as error:
                errors.append(f"{resource.name} cannot be priced: {error}")
            except KeyError as error:  # a price, or a property that the price depends on
                errors.append(f"{resource.name} cannot be priced: there is no {error}")
        errors += block.find_usage_errors()
    if errors:
        raise CannotEstimate("\n".join(errors))
    return CostReport(tuple(_subtract_free_amounts(lines) if free_tiers else lines), tuple(unpriced))


def _price_lines(resource: PricedResource, block: PricedBlock) -> Iterator[CostLine]:
    for name, quantity in list_quantities(resource, block):
        price = load_prices()[name]
        if quantity:
            yield CostLine(
                subsystem=resource.subsystem,
                block=resource.block,
                service=price.service,
                price=name,
                quantity=quantity,
                usd=quantity * price.usd,
            )


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
