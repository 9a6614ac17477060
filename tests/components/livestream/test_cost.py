"""Tests of the monthly cost of livestream, at a hundred times the default load and at a tiny load.

Other rows have settings that select other prices or formulas. A change of a formula, an assumption or a price changes
an amount.
"""

from typing import Any

import pytest

from components.livestream.cost import monthly_usage
from tests.components.livestream.recorded_deployment import LIVESTREAM
from tests.components.monthly_cost import assert_monthly_cost

LOAD: dict[str, float] = {"episodesPerDay": 400}


@pytest.mark.parametrize(
    ("load", "settings", "usd"),
    [
        (LOAD, {}, 7_373.31),
        ({"episodesPerDay": 1, "videoMinutes": 0.1}, {}, 33.71),
        (
            LOAD,
            {"agent": {"windowCharacters": 50_000}, "uploads": {"objectDays": 7}, "video": {"chunkSeconds": 30}},
            7_106.69,
        ),
        (LOAD, {"episodes": {"provisionedConcurrency": 2}}, 7_390.03),
        (LOAD, {"episodes": {"snapStart": True}}, 7_382.30),
    ],
)
def test_the_monthly_cost_follows_from_the_load_and_the_settings(
    load: dict[str, float], settings: dict[str, Any], usd: float
) -> None:
    assert_monthly_cost(LIVESTREAM, monthly_usage, load, settings, usd)
