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
class Priced:
    """One resource as the estimate sees it: known properties only."""

    type: str
    name: str
    block: str
    """Pulumi name of the component it is part of; usage is found under it."""
    subsystem: str
    props: Mapping[str, Any]


@dataclass(frozen=True)
class Bill:
    """One resource with what its rule may read."""

    one: Priced
    usage: Mapping[str, float]
    siblings: tuple[Priced, ...] = ()
    """The resources of the same block."""

    @property
    def props(self) -> Mapping[str, Any]:
        """The resource's own properties."""
        return self.one.props

    def of(self, measure: str) -> float:
        """How much of a measure a month has; none where it is not published."""
        return float(self.usage.get(measure, 0))

    def sibling(self, kind: str) -> Priced | None:
        """Another resource of the same block."""
        return next((one for one in self.siblings if one.type == kind), None)


@dataclass(frozen=True)
class Rule:
    """How one type of resource is priced."""

    quantities: Callable[[Bill], Quantities]
    needs: Measures = field(default_factory=dict)
    """Measures without which the price is not known."""
    also: Measures = field(default_factory=dict)
    """Measures that count where they are published."""
    needless: Callable[[Priced], bool] = field(default=lambda _: False)
    """Whether a resource is used by accident only, so that no usage of it is asked for."""
    unpriced: Callable[[Priced], str] = field(default=lambda _: "")
    """What of a resource costs without a price in the book, in words; mostly nothing."""

    @property
    def measures(self) -> Measures:
        """All that it reads."""
        return {**self.needs, **self.also}


def free_but(unpriced: Callable[[Priced], str]) -> Rule:
    """A type that costs nothing, but for what has no price in the book."""
    return Rule(lambda _: iter(()), unpriced=unpriced)


def of_hours(price: str) -> Rule:
    """A type that is paid by the hour for being there."""
    return Rule(lambda _: iter([(price, HOURS)]))


def of_measures(
    needs: PricedMeasures, also: PricedMeasures | None = None, *, needless: Callable[[Priced], bool] = lambda _: False
) -> Rule:
    """A type that is paid by its measures alone."""
    measures = {**needs, **(also or {})}
    return Rule(
        lambda bill: ((price, bill.of(measure)) for measure, (price, _) in measures.items()),
        needs=counted(needs),
        also=counted(also or {}),
        needless=needless,
    )


def counted(measures: PricedMeasures) -> Measures:
    """What each measure counts."""
    return {measure: says for measure, (_, says) in measures.items()}


def of_months(price: str, number: float = 1) -> Rule:
    """A type that is paid by the month for being there, as so many of what has the price."""
    return Rule(lambda _: iter([(price, number)]))
