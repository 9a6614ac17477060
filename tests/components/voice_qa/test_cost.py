"""Tests of the monthly cost of voice Q&A, at a hundred times the default load and at a tiny load.

Other rows have settings that select other prices or formulas. A change of a formula, an assumption or a price changes
an amount.
"""

from typing import Any

import pytest

from components.voice_qa.cost import monthly_usage
from tests.components.monthly_cost import assert_monthly_cost
from tests.components.voice_qa.recorded_deployment import VOICE_QA

LOAD: dict[str, float] = {"questionsPerDay": 20_000, "lecturesPerDay": 500}


@pytest.mark.parametrize(
    ("load", "settings", "usd"),
    [
        (LOAD, {}, 387.18),
        ({"questionsPerDay": 1, "lecturesPerDay": 0.1}, {}, 6.46),
        (LOAD, {"audio": {"versioned": False}, "sessions": {"days": 14}}, 386.80),
        (LOAD, {"audio": {"accelerated": True}}, 427.02),
    ],
)
def test_the_monthly_cost_follows_from_the_load_and_the_settings(
    load: dict[str, float], settings: dict[str, Any], usd: float
) -> None:
    assert_monthly_cost(VOICE_QA, monthly_usage, load, settings, usd)
