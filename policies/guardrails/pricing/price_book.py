"""The price book: every price with its unit, its source, its date and how sure it is."""

import functools
import tomllib
from dataclasses import dataclass
from pathlib import Path

FILE = Path(__file__).with_name("price_book.toml")


@dataclass(frozen=True)
class Price:
    """One price."""

    usd: float
    unit: str
    service: str
    source: str
    date: str
    basis: str
    free: float = 0
    """What an account has each month for nothing, for ever."""
    guardrail: bool = False
    """Whether it is for monitoring and protection, which the requirements' own tables do not have."""


@functools.cache
def load_prices() -> dict[str, Price]:
    """All prices by name."""
    with FILE.open("rb") as file:
        return {name: Price(**entry) for name, entry in tomllib.load(file).items()}
