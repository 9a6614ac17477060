"""Tests of the tables in `docs/cost.md`: their amounts are those of the cost model for prod.

In the table of the requirements' figures, the column "model" of a row says what is estimated:

- a subsystem, without the prices of monitoring and protection
- services or prices of a subsystem, for example `ingestion: AWS Glue`
- the difference that one setting makes, for example `ingestion.spark.executionClass: FLEX`
"""

import json
from collections.abc import Iterator

import pytest

from guardrails.pricing.cost_estimate import CostReport
from guardrails.pricing.prices import Evidence, load_prices
from local import ROOT
from local.preview import stack_files
from local.preview.cost import format_share, price_graph
from tests.whole_program import ONE_WORKER, change_section, graph, run_whole_program

NO_ESTIMATE = "—"

pytestmark = ONE_WORKER


@pytest.fixture(scope="module")
def prod() -> CostReport:
    return price_graph("prod", graph("prod")).report


def iterate_rows(chapter: str) -> Iterator[list[str]]:
    """Yield the cells of each row of the table in a chapter, without its two head rows."""
    text = (ROOT / "docs/cost.md").read_text(encoding="utf-8").partition(f"\n## {chapter}\n")[2].partition("\n## ")[0]
    for line in [line for line in text.splitlines() if line.startswith("|")][2:]:
        yield [cell.strip() for cell in line.strip("|").split("|")]


def estimate(model: str, prod: CostReport) -> float:
    subject, _, value = model.partition(": ")
    if "." in subject:
        section, block, setting = subject.split(".")
        settings = json.loads(stack_files.read_stack("prod").values[f"polyphony:{section}"]).get(block, {})
        config = change_section("prod", section, **{block: {**settings, setting: value}})
        return abs(price_graph("prod", run_whole_program(config).graph).report.total - prod.total)
    lines, prices = [line for line in prod.lines if line.subsystem == subject], load_prices()
    if not value:
        return sum(line.usd for line in lines if not prices[line.price].monitoring_or_protection)
    names = set(value.split(", "))
    assert names <= prices.keys() | {price.service for price in prices.values()}, model
    return sum(line.usd for line in lines if names & {line.service, line.price})


def test_every_estimate_on_the_page_is_that_of_the_cost_model(prod: CostReport) -> None:
    wrong = {}
    for figure, _, written, model, _ in iterate_rows("The figures of the requirements"):
        expected = NO_ESTIMATE if model == NO_ESTIMATE else f"{estimate(model.strip('`'), prod):,.2f}"
        if written != expected:
            wrong[figure] = expected
    assert wrong == {}, "docs/cost.md must have these estimates"


def test_the_page_lists_all_costs_at_prices_of_secondary_sources_with_their_share(prod: CostReport) -> None:
    prices, usd = load_prices(), prod.sum_by("price")
    secondary = {name: usd[name] for name in usd if prices[name].evidence is Evidence.SECONDARY}
    expected = [
        [*names, f"{amount:,.2f}", format_share(amount, prod.total)]
        for names, amount in (
            *(((f"`{name}`", prices[name].service), amount) for name, amount in secondary.items()),
            (("together", ""), sum(secondary.values())),
        )
    ]
    rows = "\n".join(f"| {' | '.join(row)} |" for row in expected)
    assert list(iterate_rows("Prices from secondary sources")) == expected, (
        f"docs/cost.md must have these rows:\n{rows}"
    )
