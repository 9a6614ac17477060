"""Tests of the monthly cost of transcription, at a hundred times the default load and at a tiny load.

Other rows have settings that select other prices or formulas. A change of a formula, an assumption or a price changes
an amount.
"""

from typing import Any

import pytest

from components.transcription.cost import monthly_usage
from tests.components.monthly_cost import assert_monthly_cost
from tests.components.transcription.recorded_deployment import TRANSCRIPTION


@pytest.mark.parametrize(
    ("load", "settings", "usd"),
    [
        ({"utterancesPerDay": 100_000}, {}, 7_732.22),
        ({"utterancesPerDay": 1, "utteranceSeconds": 0.5}, {}, 2.18),
    ],
)
def test_the_monthly_cost_follows_from_the_load_and_the_settings(
    load: dict[str, float], settings: dict[str, Any], usd: float
) -> None:
    assert_monthly_cost(TRANSCRIPTION, monthly_usage, load, settings, usd)


@pytest.mark.parametrize("seconds", [0.5, 5])
def test_each_of_a_thousand_streams_a_day_is_billed_for_fifteen_seconds_at_least(seconds: float) -> None:
    usage = monthly_usage(TRANSCRIPTION.settings(load={"utteranceSeconds": seconds}))
    assert usage["transcription-audio-processor"]["transcribeStreamingMinutes"] == 1_000 * 30 * 15 / 60
