"""Figures that more than one measurement gives."""

import statistics
from collections.abc import Sequence


def at_share(values: Sequence[float], share: float) -> float:
    """The least value that so large a share of them does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def verdict(value: float, aim: float, *, at_least: bool = False) -> str:
    """Whether a figure is as it was meant to be."""
    return "met" if (value >= aim if at_least else value < aim) else "MISSED"


def spread(values: Sequence[float]) -> str:
    """The median of rounds, and the least and the most of them."""
    return f"{statistics.median(values):.1f} ({min(values):.1f}-{max(values):.1f})"
