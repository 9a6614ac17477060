"""Tests of the monthly cost of meetings, at a hundred times the default load and at a tiny load.

Other rows have settings that select other prices or formulas. A change of a formula, an assumption or a price changes
an amount.
"""

from typing import Any

import pytest

from components.meetings.cost import monthly_usage
from tests.components.meetings.recorded_deployment import MEETINGS
from tests.components.monthly_cost import assert_monthly_cost

LOAD: dict[str, float] = {"meetingsPerMonth": 6_000, "encodedShare": 0.5}
HAIKU = "us.anthropic.claude-haiku-5-5"


@pytest.mark.parametrize(
    ("load", "settings", "usd"),
    [
        (LOAD, {}, 3_681.91),
        ({"meetingsPerMonth": 1, "hoursEach": 0.1}, {}, 3.32),
        (LOAD, {"processing": {"engine": "fargate", "pollSeconds": 5}}, 3_796.47),
        ({"meetingsPerMonth": 6_000, "hoursEach": 2}, {"models": {"actionItems": HAIKU}}, 6_712.05),
    ],
)
def test_the_monthly_cost_follows_from_the_load_and_the_settings(
    load: dict[str, float], settings: dict[str, Any], usd: float
) -> None:
    assert_monthly_cost(MEETINGS, monthly_usage, load, settings, usd)


def test_polling_a_job_costs_at_most_half_a_cent_per_meeting() -> None:
    usage = monthly_usage(MEETINGS.settings(load={"meetingsPerMonth": 1_000, "hoursEach": 2}))
    assert usage["meetings-workflow"]["transitions"] < 200 * 1_000
