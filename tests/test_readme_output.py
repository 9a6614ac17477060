"""Tests that the README shows the actual output of commands."""

import re

import pytest

from components.settings import SettingsError, load_settings
from local import ROOT
from local.preview import cost, report
from tests.components.settings.stack_config import stack_config
from tests.document_samples import read_code_block, strip_lines
from tests.whole_program import ONE_WORKER, previewed

pytestmark = ONE_WORKER


def test_the_readme_shows_the_output_of_a_preview_of_prod(capsys: pytest.CaptureFixture[str]) -> None:
    report.print_preview(previewed("prod"))
    output_sample = read_code_block("README.md", "`make preview STACK=prod` prints all resources")
    assert len(output_sample) > 8
    assert set(output_sample) <= strip_lines(capsys.readouterr().out)


def test_the_readme_shows_plan_and_cost_of_the_demos_stack() -> None:
    preview = previewed("local")
    output_sample = "\n".join(read_code_block("README.md", "Excerpt of its output"))
    assert f"{len(preview.graph.customs())} resources, {len(preview.policies)} policies evaluated" in output_sample
    assert f"{len(preview.mandatory)} mandatory findings; about ${preview.cost.total:,.2f} a month" in output_sample
    assert re.findall(r"(\d+) resources at", output_sample) == [str(len(preview.graph.customs()))]


def test_the_readme_shows_the_error_about_an_invalid_stack_file() -> None:
    config = stack_config({"foundation.logs.retentionDays": 8, "ingestion.intak": {}})
    with pytest.raises(SettingsError) as error:
        load_settings(config, "dev")
    output_sample = read_code_block("README.md", "the error lists all problems")
    printed = str(error.value).splitlines()
    assert len(output_sample) == len(printed)
    assert all(line.startswith(sample.removesuffix("…")) for line, sample in zip(printed, output_sample, strict=True))


@pytest.mark.parametrize("stack", ["dev", "staging", "prod"])
def test_the_readme_shows_the_cost_of_each_stack(stack: str) -> None:
    preview = previewed(stack)
    priced = cost.price_graph(stack, preview.graph)
    assert priced.report.total == preview.cost.total
    row = f"| {stack} | {priced.report.total:.0f} | {priced.monitoring_and_protection_usd:.0f} |"
    assert row in (ROOT / "README.md").read_text(encoding="utf-8")
