"""Tests of `make cost`, which prints the monthly cost of a stack: the table, the JSON, the exit status, and the variables
that make passes to the command. The stack is prod, as a preview has recorded it.
"""

import io
import json
import os
import re
import subprocess
from dataclasses import replace
from unittest.mock import Mock

import pytest
from rich.console import Console

from guardrails.pricing.cost_estimate import CannotEstimate, CostReport
from local import ROOT
from local.__main__ import main
from local.preview import cost
from local.preview.cost import CannotPrice, StackCost, price_graph
from tests.policies.program import Program
from tests.whole_program import ONE_WORKER, graph

pytestmark = ONE_WORKER


@pytest.fixture
def prod_cost() -> StackCost:
    return price_graph("prod", graph("prod"))


def render_cost(stack_cost: StackCost, *, verbose: bool = False) -> str:
    stream = io.StringIO()
    cost.print_cost(stack_cost, Console(file=stream, width=140, highlight=False), verbose=verbose)
    return stream.getvalue()


def test_the_totals_by_subsystem_come_last_and_no_row_is_zero(prod_cost: StackCost) -> None:
    text = render_cost(prod_cost)
    services, subsystems = text.split("monthly cost ")
    assert re.search(r"^Amazon S3 +[\d.]+ +\d+%$", services, re.MULTILINE)
    for name, usd in prod_cost.report.sum_by("subsystem").items():
        assert re.search(rf"^{name} +{usd:,.2f}  {name}", subsystems, re.MULTILINE)
    assert re.search(rf"^total +{prod_cost.report.total:,.2f}  budget 500.00", subsystems, re.MULTILINE)
    assert f"monitoring and protection: {prod_cost.monitoring_and_protection_usd:,.2f}" in subsystems
    assert " 0.00" not in text
    assert "s3_storage" not in text


def test_every_line_is_listed_on_request(prod_cost: StackCost, monkeypatch: pytest.MonkeyPatch) -> None:
    (command,) = dry_run_make("cost", "STACK=prod", "VERBOSE=1").stdout.splitlines()
    stream = io.StringIO()
    monkeypatch.setattr(cost, "price_stack", Mock(return_value=prod_cost))
    monkeypatch.setattr(cost, "create_console", lambda: Console(file=stream, width=140, highlight=False))
    assert main(command.split(" -m local ")[1].split()) == 0
    text = stream.getvalue()
    for line in prod_cost.report.lines:
        assert re.search(rf"^{re.escape(line.block)} +{line.price} +[\d,]+ +{line.usd:,.2f}$", text, re.MULTILINE)


def test_the_table_has_the_prices_of_secondary_sources_with_their_share_of_the_total(prod_cost: StackCost) -> None:
    text, total = render_cost(prod_cost, verbose=True), prod_cost.report.total
    secondary = {"transcribe_streaming_minute", "transcribe_batch_minute", "mediaconvert_minute", "memory_record"}
    assert secondary <= prod_cost.secondary_usd.keys()
    assert "glue_dpu_hour" not in prod_cost.secondary_usd
    together = sum(prod_cost.secondary_usd.values())
    for name, usd in (*prod_cost.secondary_usd.items(), ("together", together)):
        if usd < 0.005:
            continue
        assert re.search(rf"^{name} +{usd:,.2f} +{usd / total:.0%}$", text, re.MULTILINE), name


def test_a_total_of_zero_has_no_shares(prod_cost: StackCost) -> None:
    free_line = replace(prod_cost.report.lines[0], usd=0.0)
    text = render_cost(replace(prod_cost, report=CostReport((free_line,))))
    assert re.search(r"^total +0.00  budget", text, re.MULTILINE)
    assert "secondary sources: 0.00 (-)" in text


def test_every_resource_has_a_price(prod_cost: StackCost) -> None:
    assert prod_cost.report.unpriced == ()


def test_usage_that_does_not_match_the_resources_is_an_error_of_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cost, "estimate_cost", Mock(side_effect=CannotEstimate("no price rule reads a.b")))
    with pytest.raises(CannotPrice, match=r"The cost of prod cannot be estimated:\nno price rule reads a\.b"):
        price_graph("prod", graph("prod"))


def test_the_command_and_the_policy_about_cost_compute_the_same_estimate(prod_cost: StackCost) -> None:
    [message] = Program().find("cost-estimate").values()
    assert message.startswith(f"About ${prod_cost.report.total:,.2f} a month")


def test_a_report_is_equal_after_writing_and_reading_json(prod_cost: StackCost) -> None:
    assert StackCost.from_json(json.loads(json.dumps(prod_cost.as_json()))) == prod_cost


def test_free_tiers_reduce_the_cost_only_on_request(prod_cost: StackCost) -> None:
    cost_with_free_tiers = price_graph("prod", graph("prod"), free_tiers=True)
    assert cost_with_free_tiers.report.total < prod_cost.report.total
    assert cost_with_free_tiers.report.sum_by("price").get("lambda_request") is None
    assert cost_with_free_tiers.report.sum_by("price")["s3_storage"] == prod_cost.report.sum_by("price")["s3_storage"]


@pytest.mark.parametrize("free_tiers", [False, True])
def test_the_command_fails_above_the_budget_and_passes_the_option_free_on(
    monkeypatch: pytest.MonkeyPatch, prod_cost: StackCost, free_tiers: bool
) -> None:
    for budget, status in ((prod_cost.budget, 0), (1, 1)):
        price_stack = Mock(return_value=StackCost("prod", prod_cost.report, budget))
        monkeypatch.setattr(cost, "price_stack", price_stack)
        assert main(["cost", "--stack", "prod", "--json", *["--free"] * free_tiers]) == status
        price_stack.assert_called_once_with("prod", free_tiers=free_tiers)


def dry_run_make(*arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run make with `--dry-run`, which prints the commands instead of running them."""
    return subprocess.run(  # noqa: S603 - only the arguments of these tests
        ["make", "--dry-run", "--old-file=.venv/.locked", *arguments],  # noqa: S607
        cwd=ROOT,
        # A minimal environment, because make passes its state to child processes if the tests run under make.
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("arguments", "command"),
    [
        (["cost", "STACK=prod"], "local cost --stack prod"),
        (["cost", "STACK=prod", "FREE=1", "VERBOSE=1"], "local cost --stack prod --free --verbose"),
        (["cost-diff", "A=HEAD~1"], 'local cost-diff "HEAD~1" "." --stack prod'),
        (["cost-diff", "STACK=dev"], 'local cost-diff "HEAD" "." --stack dev'),
    ],
)
def test_make_passes_its_variables_to_the_command(arguments: list[str], command: str) -> None:
    result = dry_run_make(*arguments)
    assert result.returncode == 0
    assert [line.strip() for line in result.stdout.splitlines()] == [f".venv/bin/python -m {command}"]


def test_make_refuses_a_variable_in_small_letters() -> None:
    result = dry_run_make("preview", "stack=prod")
    assert result.returncode == 2
    assert "There is no variable `stack`. Variables have capital letters, for example STACK=prod" in result.stderr
