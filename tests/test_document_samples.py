"""What documents show of a command's output is what it prints: whoever changes the one changes the other."""

import re

import pytest

from local import ROOT
from local.preview import cost, report
from tests.document_samples import read_code_block, strip_lines
from tests.whole_program import ONE_WORKER, previewed

pytestmark = ONE_WORKER


def test_the_readme_shows_what_a_preview_of_production_says(capsys: pytest.CaptureFixture[str]) -> None:
    report.show(previewed("prod"))
    shown = read_code_block("README.md", "`make preview STACK=prod` prints the plan as a tree")
    assert len(shown) > 15
    assert set(shown) <= strip_lines(capsys.readouterr().out)


def test_the_readme_shows_the_plan_and_price_of_the_stack_that_a_demo_brings_up() -> None:
    found = previewed("local")
    shown = "\n".join(read_code_block("README.md", "What `make demo` printed"))
    assert f"{len(found.graph.customs())} resources, {len(found.rules)} policies asked" in shown
    assert f"{len(found.mandatory)} mandatory findings; about ${found.cost.total:,.2f} a month" in shown
    assert re.findall(r"(\d+) resources at", shown) == [str(len(found.graph.customs()))]


@pytest.mark.parametrize("stack", ["dev", "staging", "prod"])
def test_the_readme_says_what_each_stack_costs(stack: str) -> None:
    found = previewed(stack)
    priced = cost.of_graph(stack, found.graph)
    assert priced.report.total == found.cost.total
    row = f"| {stack} | {priced.report.total:.0f} | {priced.guardrails:.0f} |"
    assert row in (ROOT / "README.md").read_text(encoding="utf-8")
