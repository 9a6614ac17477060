"""Tests of the command `savings`. botocore validates requests and stubbed responses of Cost Explorer."""

from argparse import Namespace
from datetime import date, timedelta
from typing import Any

import boto3
import pytest
from botocore.stub import ANY, Stubber

from guardrails.pricing.requirements_cost_tables.meetings import COST_TABLE
from operations import meetings_cost_comparison
from operations.command_context import CommandContext
from operations.command_errors import CommandRefused

CHANGE = date(2026, 1, 15)
S3, BATCH, SONNET = (
    "Amazon Simple Storage Service",
    "Amazon Elastic Container Service",
    "Claude Sonnet 4.5 (Amazon Bedrock Edition)",
)
Costs = dict[str, tuple[float, float]]
"""USD per day before and after the change, by service."""


class Explorer:
    """Cost Explorer, which gets a request with tags and a request for the whole account."""

    def __init__(self) -> None:
        self.ce = boto3.client("ce", region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test")
        self.stub = Stubber(self.ce)
        self.printed: list[str] = []

    def answers(self, costs: Costs, *, days: int = 20, token: str | None = None, **asked: Any) -> None:
        first = CHANGE - timedelta(10)
        results = [
            {
                "TimePeriod": {"Start": str(first + timedelta(day)), "End": str(first + timedelta(day + 1))},
                "Groups": [
                    {
                        "Keys": [name],
                        "Metrics": {"UnblendedCost": {"Amount": str(cost[first + timedelta(day) >= CHANGE])}},
                    }
                    for name, cost in costs.items()
                ],
            }
            for day in range(days)
        ]
        expected = {"TimePeriod": ANY, "Granularity": "DAILY", "Metrics": ["UnblendedCost"], "GroupBy": ANY, **asked}
        response = {"ResultsByTime": results, **({"NextPageToken": token} if token else {})}
        self.stub.add_response("get_cost_and_usage", response, expected)

    def run(self, since: str = "2026-01-15", days: int = 10, today: date = CHANGE + timedelta(10)) -> int:
        context = CommandContext(lambda _: self.ce, lambda: 0.0, lambda _: None, self.printed.append)
        with self.stub:
            return meetings_cost_comparison.run(
                context, Namespace(stack="dev", environment=None, since=since, days=days), today
            )

    def row(self, name: str) -> list[float]:
        [line] = [item for item in self.printed if item.startswith(name)]
        return [float(entry) for entry in line[32:].split()]


def test_each_step_shows_its_monthly_cost_and_expected_saving() -> None:
    explorer = Explorer()
    tags = [("Project", "polyphony"), ("Environment", "dev"), ("Subsystem", "meetings")]
    wanted = {"And": [{"Tags": {"Key": key, "Values": [item], "MatchOptions": ["EQUALS"]}} for key, item in tags]}
    explorer.answers({S3: (1.0, 0.5), BATCH: (0.5, 0.1), "Amazon Transcribe": (2.0, 2.0)}, Filter=wanted)
    explorer.answers({SONNET: (0.3, 0.2), S3: (9.0, 9.0)})
    assert explorer.run() == 0
    assert explorer.row("S3 lifecycle") == [30, 15, 15, 6.5]
    assert explorer.row("Batch with Spot") == [15, 3, 12, 12]
    assert explorer.row("Claude Haiku") == [9, 6, 3, 6]
    assert explorer.row("Amazon Transcribe") == [60, 60, 0]
    assert explorer.row("all") == [114, 84, 30, 29]


def test_the_costs_of_all_result_pages_are_added() -> None:
    explorer = Explorer()
    explorer.answers({S3: (1.0, 1.0)}, token="more", Filter=ANY)
    explorer.answers({S3: (1.0, 1.0)}, Filter=ANY, NextPageToken="more")
    explorer.answers({})
    assert explorer.run() == 0
    assert explorer.row("S3 lifecycle")[0] == 60


def test_missing_costs_before_the_change_are_not_reported_as_savings() -> None:
    explorer = Explorer()
    explorer.answers({S3: (0.0, 1.0)}, Filter=ANY)
    explorer.answers({})
    explorer.run()
    assert any("no cost was recorded before" in line for line in explorer.printed)


def test_missing_costs_are_an_error_that_names_what_to_check() -> None:
    explorer = Explorer()
    explorer.answers({}, Filter=ANY)
    with pytest.raises(CommandRefused, match="activated for cost allocation"):
        explorer.run()


@pytest.mark.parametrize("given", [{"since": "yesterday"}, {"days": 2}, {"today": CHANGE + timedelta(1)}])
def test_invalid_options_are_refused_before_a_paid_request(given: dict[str, Any]) -> None:
    with pytest.raises(CommandRefused):
        Explorer().run(**given)


def test_the_expected_savings_match_the_requirements() -> None:
    assert [item.expected for item in meetings_cost_comparison.STEPS] == [
        step.stated_usd for step in COST_TABLE.promised_savings
    ]
