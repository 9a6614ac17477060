"""Price rules, and builders of common rules. The price rule of a resource type yields the names of the prices that apply
to a resource, each with the quantity a month.

A block is a component that contains resources. For each block, the program publishes the expected monthly usage under
the block's Pulumi name: an amount for each measure, for example `requests`. A rule names all measures that it reads. So
the estimate can report a measure that no rule reads, for example a misspelt one, and a required measure that is
missing, instead of counting zero.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

HOURS: Final = 730
"""Hours of an average month, as in AWS's own calculators."""
SECONDS_PER_MONTH: Final = HOURS * 3600

Quantities = Iterator[tuple[str, float]]
"""Pairs of a price's name in the price book and the quantity a month, for example `("lambda_request", 2_000_000)`."""
Measures = Mapping[str, str]
"""Description of what a measure counts in a month, by the measure's name."""
PricedMeasures = Mapping[str, tuple[str, str]]
"""Name of the price of a measure, and description of what it counts in a month, by the measure's name."""


@dataclass(frozen=True)
class PricedResource:
    """One resource in the estimate, with its known properties only."""

    type: str
    name: str
    block: str
    """Pulumi name of the component that contains the resource. Its usage is published under this name."""
    subsystem: str
    props: Mapping[str, Any]


@dataclass(frozen=True)
class PricingInput:
    """One resource, the usage of its block, and the other resources of this block: all that its price rule may read."""

    resource: PricedResource
    usage: Mapping[str, float]
    """Published amounts a month of the resource's block, by measure."""
    siblings: tuple[PricedResource, ...] = ()
    """All resources of the same block, including this one."""

    @property
    def props(self) -> Mapping[str, Any]:
        """Properties of the resource."""
        return self.resource.props

    def amount(self, measure: str) -> float:
        """Return the amount of a measure in a month; zero if it is not published."""
        return float(self.usage.get(measure, 0))

    def find_sibling(self, resource_type: str) -> PricedResource | None:
        """Return the first resource of a type in the same block, or None."""
        return next((sibling for sibling in self.siblings if sibling.type == resource_type), None)


@dataclass(frozen=True)
class PriceRule:
    """Conversion of resources of one type to quantities of prices."""

    quantities: Callable[[PricingInput], Quantities]
    """Function that yields the quantities of one resource."""
    required_measures: Measures = field(default_factory=dict)
    """Measures that the rule needs. The estimate lists a resource without them as a gap: its cost is not known."""
    optional_measures: Measures = field(default_factory=dict)
    """Measures that the rule prices if they are published."""
    is_usage_optional: Callable[[PricedResource], bool] = field(default=lambda _: False)
    """Function that returns True for a resource whose missing usage is not a gap, for example a dead-letter queue."""
    describe_unpriced: Callable[[PricedResource], str] = field(default=lambda _: "")
    """Function that describes a feature of the resource that is billed, but has no price in the book; an empty string
    if there is none.
    """

    @property
    def measures(self) -> Measures:
        """All measures that the rule reads."""
        return {**self.required_measures, **self.optional_measures}


def make_free_rule(describe_unpriced: Callable[[PricedResource], str]) -> PriceRule:
    """Return a rule for a type that is free except for features without a price in the book."""
    return PriceRule(lambda _: iter(()), describe_unpriced=describe_unpriced)


def make_hourly_rule(price: str) -> PriceRule:
    """Return a rule for a type that is billed by the hour, used or not."""
    return PriceRule(lambda _: iter([(price, HOURS)]))


def make_usage_rule(
    required_measures: PricedMeasures,
    optional_measures: PricedMeasures | None = None,
    *,
    is_usage_optional: Callable[[PricedResource], bool] = lambda _: False,
) -> PriceRule:
    """Return a rule for a type that is billed only by its measures."""
    measures = {**required_measures, **(optional_measures or {})}
    return PriceRule(
        lambda pricing: ((price, pricing.amount(measure)) for measure, (price, _) in measures.items()),
        required_measures=describe_measures(required_measures),
        optional_measures=describe_measures(optional_measures or {}),
        is_usage_optional=is_usage_optional,
    )


def describe_measures(measures: PricedMeasures) -> Measures:
    """Return the descriptions of the measures, without their prices."""
    return {measure: description for measure, (_, description) in measures.items()}


def make_monthly_rule(price: str, number: float = 1) -> PriceRule:
    """Return a rule for a type that is billed by the month, used or not: `number` times the price."""
    return PriceRule(lambda _: iter([(price, number)]))
