"""Tests of the command `savings`, which compares the costs of meetings before and after a date.

botocore validates the requests to Cost Explorer and its stubbed responses.
"""

from argparse import Namespace
from datetime import date, timedelta
from typing import Any

import boto3
import pytest
from botocore.stub import ANY, Stubber

from operations import meetings_savings_report
from operations.command_context import CommandContext
from operations.command_errors import CommandFailed

CHANGE_DATE = date(2026, 1, 15)
S3, BATCH, SONNET = (
    "Amazon Simple Storage Service",
    "Amazon Elastic Container Service",
    "Claude Sonnet 4.5 (Amazon Bedrock Edition)",
)
"""Names of services in Cost Explorer. Jobs of AWS Batch run on Amazon ECS, which bills them."""
Costs = dict[str, tuple[float, float]]
"""USD per day before and after the change, by service."""


class CostExplorer:
    """Stub of Cost Explorer. The command requests first the costs with the stack's tags, then those of the account,
    because Bedrock's models have no tags.
    """

    def __init__(self) -> None:
        self.ce = boto3.client("ce", region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test")
        self.stub = Stubber(self.ce)
        self.printed: list[str] = []

    def add_response(self, costs: Costs, *, token: str | None = None, **request: Any) -> None:
        """Add the response to the next request, with the costs of ten days before and ten days after the change."""
        results = []
        for day in (CHANGE_DATE + timedelta(number) for number in range(-10, 10)):
            amounts = {name: str(after if day >= CHANGE_DATE else before) for name, (before, after) in costs.items()}
            metrics = {name: {"UnblendedCost": {"Amount": amount}} for name, amount in amounts.items()}
            groups = [{"Keys": [name], "Metrics": metric} for name, metric in metrics.items()]
            results.append({"TimePeriod": {"Start": str(day), "End": str(day + timedelta(1))}, "Groups": groups})
        expected = {"TimePeriod": ANY, "Granularity": "DAILY", "Metrics": ["UnblendedCost"], "GroupBy": ANY, **request}
        response = {"ResultsByTime": results, **({"NextPageToken": token} if token else {})}
        self.stub.add_response("get_cost_and_usage", response, expected)

    def run(self, since: str = "2026-01-15", days: int = 10, today: date = CHANGE_DATE + timedelta(10)) -> int:
        context = CommandContext(lambda _: self.ce, lambda: 0.0, lambda _: None, self.printed.append)
        options = Namespace(stack="dev", environment=None, since=since, days=days)
        with self.stub:
            return meetings_savings_report.run(context, options, today)

    def read_row(self, name: str) -> list[float]:
        """Return the numbers in the printed row: monthly cost before and after, saving, and expected saving."""
        [line] = [line for line in self.printed if line.startswith(name)]
        return [float(number) for number in line[32:].split()]


def test_each_step_shows_its_monthly_cost_and_expected_saving() -> None:
    explorer = CostExplorer()
    tags = [("Project", "polyphony"), ("Environment", "dev"), ("Subsystem", "meetings")]
    tag_filter = {"And": [{"Tags": {"Key": key, "Values": [value], "MatchOptions": ["EQUALS"]}} for key, value in tags]}
    explorer.add_response({S3: (1.0, 0.5), BATCH: (0.5, 0.1), "Amazon Transcribe": (2.0, 2.0)}, Filter=tag_filter)
    explorer.add_response({SONNET: (0.3, 0.2), S3: (9.0, 9.0)})  # only the models' costs are used
    assert explorer.run() == 0
    assert explorer.read_row("S3 lifecycle") == [30, 15, 15, 6.5]
    assert explorer.read_row("Batch with Spot") == [15, 3, 12, 12]
    assert explorer.read_row("Claude Haiku") == [9, 6, 3, 6]
    assert explorer.read_row("Amazon Transcribe") == [60, 60, 0]
    assert explorer.read_row("all") == [114, 84, 30, 29], "also with the expected savings of the steps without costs"


def test_the_costs_of_all_result_pages_are_added() -> None:
    explorer = CostExplorer()
    explorer.add_response({S3: (1.0, 1.0)}, token="more", Filter=ANY)
    explorer.add_response({S3: (1.0, 1.0)}, Filter=ANY, NextPageToken="more")
    explorer.add_response({})
    assert explorer.run() == 0
    assert explorer.read_row("S3 lifecycle")[0] == 60


def test_a_step_without_costs_before_the_change_is_reported_as_such() -> None:
    explorer = CostExplorer()
    explorer.add_response({S3: (0.0, 1.0)}, Filter=ANY)
    explorer.add_response({})
    explorer.run()
    assert any("no cost was recorded before" in line for line in explorer.printed)


def test_the_error_for_missing_costs_names_the_cost_allocation_tags() -> None:
    explorer = CostExplorer()
    explorer.add_response({}, Filter=ANY)
    with pytest.raises(CommandFailed, match="activated for cost allocation"):
        explorer.run()


@pytest.mark.parametrize("options", [{"since": "yesterday"}, {"days": 2}, {"today": CHANGE_DATE + timedelta(1)}])
def test_invalid_options_are_refused_before_a_paid_request(options: dict[str, Any]) -> None:
    with pytest.raises(CommandFailed):
        CostExplorer().run(**options)
