"""Tests of `make cost` with the recorded program: table, JSON and exit status, and the variables that make passes."""

import io
import json
import os
import re
import subprocess
from dataclasses import replace
from unittest.mock import Mock

import pytest
from rich.console import Console

from guardrails.pricing.cost_estimate import CostReport
from local import ROOT
from local.__main__ import main
from local.preview import cost
from local.preview.cost import StackCost, price_graph
from tests.policies import policy_harness
from tests.whole_program import ONE_WORKER, graph

pytestmark = ONE_WORKER


@pytest.fixture
def prod_cost() -> StackCost:
    return price_graph("prod", graph("prod"))


def render_cost(stack_cost: StackCost) -> str:
    stream = io.StringIO()
    cost.print_cost(stack_cost, Console(file=stream, width=140, highlight=False))
    return stream.getvalue()


def test_the_table_has_subsystems_services_every_line_and_monitoring_cost(prod_cost: StackCost) -> None:
    text = render_cost(prod_cost)
    for part in (
        "prod: $",
        "budget $500.00",
        "ingestion",
        "Amazon S3",
        "s3_storage",
        "monitoring and protection (included): $",
    ):
        assert part in text

    for line in prod_cost.report.lines:
        assert re.search(rf"^{re.escape(line.block)} +{line.price} +[\d,]+ +{line.usd:,.2f}$", text, re.MULTILINE)


def test_a_total_of_zero_has_no_shares(prod_cost: StackCost) -> None:
    free_line = replace(prod_cost.report.lines[0], usd=0.0)
    text = render_cost(replace(prod_cost, report=CostReport((free_line,))))
    assert "prod: $0.00 a month" in text
    assert free_line.service in text


def test_the_program_has_no_unread_usage_and_no_unpriced_resource(prod_cost: StackCost) -> None:
    assert prod_cost.report.problems == ()
    assert prod_cost.report.unpriced == ()


def test_the_command_and_the_pack_compute_the_same_estimate(prod_cost: StackCost) -> None:
    context = policy_harness.build_context("prod")
    found = policy_harness.run_policies(
        [policy_harness.BY_NAME["cost-estimate"]], policy_harness.messages_from_graph(graph("prod")), context
    )
    assert found[0].message.startswith(f"About ${prod_cost.report.total:,.2f} a month")


def test_a_report_is_equal_after_writing_and_reading_json(prod_cost: StackCost) -> None:
    assert StackCost.from_json(json.loads(json.dumps(prod_cost.as_json()))) == prod_cost


def test_free_tiers_are_left_out_by_default(prod_cost: StackCost) -> None:
    free = price_graph("prod", graph("prod"), free_tiers=True)
    assert free.report.total < prod_cost.report.total
    assert free.report.sum_by("price").get("lambda_request") is None
    assert free.report.sum_by("price")["s3_storage"] == prod_cost.report.sum_by("price")["s3_storage"]


@pytest.mark.parametrize("free", [False, True])
def test_the_command_fails_above_the_budget_and_passes_on_free_tiers(
    monkeypatch: pytest.MonkeyPatch, prod_cost: StackCost, free: bool
) -> None:
    for budget, status in ((prod_cost.budget, 0), (1, 1)):
        report = Mock(return_value=StackCost("prod", prod_cost.report, budget))
        monkeypatch.setattr(cost, "price_stack", report)
        assert main(["cost", "--stack", "prod", "--json", *["--free"] * free]) == status
        report.assert_called_once_with("prod", free_tiers=free)


@pytest.mark.parametrize(
    ("typed", "runs"),
    [
        (["cost", "STACK=prod"], "local cost --stack prod"),
        (["cost", "STACK=prod", "FREE=1"], "local cost --stack prod --free"),
        (["cost-diff", "A=HEAD~1"], 'local cost-diff "HEAD~1" "." --stack prod'),
        (["cost-diff", "STACK=dev"], 'local cost-diff "HEAD" "." --stack dev'),
    ],
)
def test_make_passes_its_variables_to_the_command(typed: list[str], runs: str) -> None:
    done = subprocess.run(  # noqa: S603 - the arguments are those above
        ["make", "--dry-run", "--old-file=.venv/.locked", *typed],  # noqa: S607
        cwd=ROOT,
        # A minimal environment, because make passes its state to child processes if the tests run under make.
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=True,
    )
    assert [line.strip() for line in done.stdout.splitlines()] == [f".venv/bin/python -m {runs}"]


def test_make_refuses_a_variable_in_small_letters() -> None:
    done = subprocess.run(
        ["make", "--dry-run", "preview", "stack=prod"],  # noqa: S607
        cwd=ROOT,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "There is no variable `stack`. Variables have capital letters, for example STACK=prod" in done.stderr
