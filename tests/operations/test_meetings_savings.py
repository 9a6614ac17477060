"""What meetings cost before and after a day, as Cost Explorer answers; questions and answers are held to its own model."""

from argparse import Namespace
from datetime import date, timedelta
from typing import Any

import boto3
import pytest
from botocore.stub import ANY, Stubber

from guardrails.pricing.requirement_costs.meetings import DOCUMENT
from operations import meetings_savings
from operations.command_context import CommandContext
from operations.command_errors import CommandRefused

CHANGE = date(2026, 1, 15)
S3, BATCH, SONNET = (
    "Amazon Simple Storage Service",
    "Amazon Elastic Container Service",
    "Claude Sonnet 4.5 (Amazon Bedrock Edition)",
)
Costs = dict[str, tuple[float, float]]
"""Service → USD a day before and since the change."""


class Explorer:
    """Cost Explorer, which is asked twice: by the tags, and for the account."""

    def __init__(self) -> None:
        self.ce = boto3.client("ce", region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test")
        self.stub = Stubber(self.ce)
        self.said: list[str] = []

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
        context = CommandContext(lambda _: self.ce, lambda: 0.0, lambda _: None, self.said.append)
        with self.stub:
            return meetings_savings.run(
                context, Namespace(stack="dev", environment=None, since=since, days=days), today
            )

    def row(self, name: str) -> list[float]:
        [line] = [one for one in self.said if one.startswith(name)]
        return [float(one) for one in line[32:].split()]


def test_each_step_is_a_months_cost_beside_what_is_expected_of_it() -> None:
    explorer = Explorer()
    tags = [("Project", "polyphony"), ("Environment", "dev"), ("Subsystem", "meetings")]
    wanted = {"And": [{"Tags": {"Key": key, "Values": [one], "MatchOptions": ["EQUALS"]}} for key, one in tags]}
    explorer.answers({S3: (1.0, 0.5), BATCH: (0.5, 0.1), "Amazon Transcribe": (2.0, 2.0)}, Filter=wanted)
    explorer.answers({SONNET: (0.3, 0.2), S3: (9.0, 9.0)})
    assert explorer.run() == 0
    assert explorer.row("S3 lifecycle") == [30, 15, 15, 6.5]
    assert explorer.row("Batch with Spot") == [15, 3, 12, 12]
    assert explorer.row("Claude Haiku") == [9, 6, 3, 6]
    assert explorer.row("Amazon Transcribe") == [60, 60, 0]
    assert explorer.row("all") == [114, 84, 30, 29]


def test_every_page_counts() -> None:
    explorer = Explorer()
    explorer.answers({S3: (1.0, 1.0)}, token="more", Filter=ANY)
    explorer.answers({S3: (1.0, 1.0)}, Filter=ANY, NextPageToken="more")
    explorer.answers({})
    assert explorer.run() == 0
    assert explorer.row("S3 lifecycle")[0] == 60


def test_tags_activated_since_are_no_savings_and_it_says_so() -> None:
    explorer = Explorer()
    explorer.answers({S3: (0.0, 1.0)}, Filter=ANY)
    explorer.answers({})
    explorer.run()
    assert any("no cost was recorded before" in one for one in explorer.said)


def test_without_any_cost_it_says_what_to_look_at() -> None:
    explorer = Explorer()
    explorer.answers({}, Filter=ANY)
    with pytest.raises(CommandRefused, match="activated for cost allocation"):
        explorer.run()


@pytest.mark.parametrize("given", [{"since": "yesterday"}, {"days": 2}, {"today": CHANGE + timedelta(1)}])
def test_what_says_nothing_is_refused_before_it_is_paid_for(given: dict[str, Any]) -> None:
    with pytest.raises(CommandRefused):
        Explorer().run(**given)


def test_what_is_expected_is_what_the_requirement_says() -> None:
    assert [one.expected for one in meetings_savings.STEPS] == [one.document for one in DOCUMENT.steps]
