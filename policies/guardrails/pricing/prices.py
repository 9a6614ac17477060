"""Prices of AWS services with unit, source and date, from `prices.toml`."""

import functools
import tomllib
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

FILE = Path(__file__).with_name("prices.toml")


class Evidence(StrEnum):
    """Kinds of sources of a price."""

    PRIMARY = "primary"
    """AWS's own page or price list."""
    SECONDARY = "secondary"
    """Another source, or pages of AWS that contradict each other."""


class Price(NamedTuple):
    """One price of an AWS service."""

    service: str
    source: str
    """Address of the page with the price."""
    date: str
    """Month in which the price was read, for example `2026-11`."""
    usd: float
    unit: str
    evidence: Evidence
    free: float = 0
    """Quantity that an account gets free of charge every month, without a time limit."""
    monitoring_or_protection: bool = False
    """True if the price is for monitoring or protection. The cost report also sums these prices separately, because the
    cost tables of the requirements contain none of them but the alarms of transcription."""


@functools.cache
def load_prices() -> dict[str, Price]:
    """Return all prices by name."""
    return {
        name: Price(service, entries["source"], entries["date"], **{**price, "evidence": Evidence(price["evidence"])})
        for service, entries in tomllib.loads(FILE.read_text(encoding="utf-8")).items()
        for name, price in entries.items()
        if isinstance(price, dict)
    }
