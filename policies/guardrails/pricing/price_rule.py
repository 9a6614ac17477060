"""What a rule of the cost model is: from one resource and its usage to quantities of prices.

Usage belongs to a block: a component's Pulumi name → measure → amount a month. A rule names the measures that it
reads, so that one that nothing reads (misspelt, or of another kind of resource) is found, and one that is missing is
said: neither is ever a silent zero.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

HOURS: Final = 730
"""Hours of an average month, as AWS' own calculators count."""
SECONDS: Final = HOURS * 3600

Quantities = Iterator[tuple[str, float]]
Measures = Mapping[str, str]
"""Name of a measure → what it counts in a month."""
PricedMeasures = Mapping[str, tuple[str, str]]
"""Name of a measure → the price of each, and what it counts in a month."""


@dataclass(frozen=True)
class PricedResource:
    """One resource as the estimate sees it: known properties only."""

    type: str
    name: str
    block: str
    """Pulumi name of the component it is part of; usage is found under it."""
    subsystem: str
    props: Mapping[str, Any]


@dataclass(frozen=True)
class PricingInput:
    """One resource with what its rule may read."""

    resource: PricedResource
    usage: Mapping[str, float]
    siblings: tuple[PricedResource, ...] = ()
    """The resources of the same block."""

    @property
    def props(self) -> Mapping[str, Any]:
        """The resource's own properties."""
        return self.resource.props

    def amount(self, measure: str) -> float:
        """How much of a measure a month has; none where it is not published."""
        return float(self.usage.get(measure, 0))

    def find_sibling(self, kind: str) -> PricedResource | None:
        """Another resource of the same block."""
        return next((sibling for sibling in self.siblings if sibling.type == kind), None)


@dataclass(frozen=True)
class PriceRule:
    """How one type of resource is priced."""

    quantities: Callable[[PricingInput], Quantities]
    required_measures: Measures = field(default_factory=dict)
    """Measures without which the price is not known."""
    optional_measures: Measures = field(default_factory=dict)
    """Measures that count where they are published."""
    is_usage_optional: Callable[[PricedResource], bool] = field(default=lambda _: False)
    """Whether a resource is used by accident only, so that no usage of it is asked for."""
    unpriced: Callable[[PricedResource], str] = field(default=lambda _: "")
    """What of a resource costs without a price in the book, in words; mostly nothing."""

    @property
    def measures(self) -> Measures:
        """All that it reads."""
        return {**self.required_measures, **self.optional_measures}


def free_except(unpriced: Callable[[PricedResource], str]) -> PriceRule:
    """A type that costs nothing, but for what has no price in the book."""
    return PriceRule(lambda _: iter(()), unpriced=unpriced)


def hourly_rule(price: str) -> PriceRule:
    """A type that is paid by the hour for being there."""
    return PriceRule(lambda _: iter([(price, HOURS)]))


def usage_rule(
    required_measures: PricedMeasures,
    optional_measures: PricedMeasures | None = None,
    *,
    is_usage_optional: Callable[[PricedResource], bool] = lambda _: False,
) -> PriceRule:
    """A type that is paid by its measures alone."""
    measures = {**required_measures, **(optional_measures or {})}
    return PriceRule(
        lambda pricing: ((price, pricing.amount(measure)) for measure, (price, _) in measures.items()),
        required_measures=describe_measures(required_measures),
        optional_measures=describe_measures(optional_measures or {}),
        is_usage_optional=is_usage_optional,
    )


def describe_measures(measures: PricedMeasures) -> Measures:
    """What each measure counts."""
    return {measure: says for measure, (_, says) in measures.items()}


def monthly_rule(price: str, number: float = 1) -> PriceRule:
    """A type that is paid by the month for being there, as so many of what has the price."""
    return PriceRule(lambda _: iter([(price, number)]))
