"""Figures that more than one measurement gives."""

from collections.abc import Sequence


def at_share(values: Sequence[float], share: float) -> float:
    """The least value that so large a share of them does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def verdict(value: float, aim: float, *, at_least: bool = False) -> str:
    """Whether a figure is as it was meant to be."""
    return "met" if (value >= aim if at_least else value < aim) else "MISSED"
