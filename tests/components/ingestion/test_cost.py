"""Tests of the monthly cost of file ingestion, at a hundred times the default load and at a tiny load.

Other rows have settings that select other prices or formulas. A change of a formula, an assumption or a price changes
an amount.
"""

from typing import Any

import pytest

from components.ingestion.cost import monthly_usage
from tests.components.ingestion.recorded_deployment import INGESTION
from tests.components.monthly_cost import assert_monthly_cost

LOAD: dict[str, float] = {"filesPerDay": 800_000, "peakFilesPerHour": 100_000}


@pytest.mark.parametrize(
    ("load", "settings", "usd"),
    [
        (LOAD, {}, 14_803.76),
        ({"filesPerDay": 1, "peakFilesPerHour": 1}, {}, 1.24),
        ({**LOAD, "fileMegabytes": 102.4}, {"spark": {"executionClass": "FLEX", "workerType": "G.4X"}}, 252_259.91),
    ],
)
def test_the_monthly_cost_follows_from_the_load_and_the_settings(
    load: dict[str, float], settings: dict[str, Any], usd: float
) -> None:
    assert_monthly_cost(INGESTION, monthly_usage, load, settings, usd)


def test_usage_follows_from_the_load() -> None:
    """Every day, 8,000 files of 3.5 MB arrive. They are stored for 30 days, and as replaced versions for 7 more days."""
    usage = monthly_usage(INGESTION.settings())
    assert usage["ingestion-spark"]["runs"] == 8_000 * 30 / 200, "a run processes 200 files"
    assert usage["ingestion-spark"]["minutes"] == 4
    assert usage["ingestion-landing"]["storageGb"] == pytest.approx(8_000 * 3.5 / 1024 * (30 + 7))
