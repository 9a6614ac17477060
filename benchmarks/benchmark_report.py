"""Report of a benchmark in Markdown: heading with a description of the machine, tables, and percentiles."""

import os
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path


class WrongResult(Exception):
    """The measured code returned a wrong result, so its time is meaningless."""


def print_heading(title: str) -> None:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next(
        (line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown processor"
    )
    print(f"\n## {title}\n")
    print(
        f"{os.cpu_count()} cores, {model}, {platform.system()}, Python {platform.python_version()}; "
        f"load average before the start: {os.getloadavg()[0]:.1f}\n",
        flush=True,
    )


def print_table(rows: Mapping[str, Mapping[str, float | str]]) -> None:
    """Print a Markdown table with the columns of the first row."""
    columns = list(next(iter(rows.values())))
    print(f"| | {' | '.join(columns)} |\n|{' --- |' * (len(columns) + 1)}")
    for name, row in rows.items():
        print(f"| {name} | {' | '.join(_to_cell(row[column]) for column in columns)} |", flush=True)


def _to_cell(value: float | str) -> str:
    if isinstance(value, str):
        return value
    digits = next((digits for limit, digits in ((100, 0), (10, 1), (1, 2)) if abs(value) >= limit), 3)
    return f"{value:,.{0 if value == int(value) else digits}f}"


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value that comes after the given share of the sorted values.

    For a share of 0.95, this is the 20th of 20 values, because 19 are 95 %.
    """
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def to_milliseconds(seconds: Sequence[float]) -> dict[str, float | str]:
    """Return median, 95th percentile and maximum in milliseconds, rounded."""
    figures = {"median, ms": percentile(seconds, 0.5), "p95, ms": percentile(seconds, 0.95), "max, ms": max(seconds)}
    return {name: round(1000 * value) for name, value in figures.items()}
