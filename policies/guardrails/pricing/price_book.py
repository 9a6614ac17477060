"""Price book: the prices of AWS with unit, source, date and reliability, from `price_book.toml`."""

import functools
import tomllib
from dataclasses import dataclass
from pathlib import Path

FILE = Path(__file__).with_name("price_book.toml")


@dataclass(frozen=True)
class Price:
    """One price of an AWS service."""

    usd: float
    unit: str
    service: str
    source: str
    """Address of the page with the price."""
    date: str
    """Month in which the price was read, for example `2026-11`."""
    basis: str
    """Reliability: `primary` (AWS's own page or price list) or `secondary` (another source)."""
    free: float = 0
    """Quantity that an account gets free of charge every month, without a time limit."""
    monitoring_or_protection: bool = False
    """True if the price is for monitoring or protection. Of these prices, the requirements' cost tables contain only
    the alarms of transcription."""


@functools.cache
def load_prices() -> dict[str, Price]:
    """Return all prices by name."""
    with FILE.open("rb") as file:
        return {name: Price(**entry) for name, entry in tomllib.load(file).items()}
