"""Tests of `make cost-diff`: stacks with the recorded program, a git revision, and names that are neither."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from local.__main__ import main
from local.preview import cost_difference, program_run, stack_files
from local.preview.cost import CannotPrice
from local.preview.cost_difference import compare_costs, price_revision
from local.preview.preview_provider import PreviewProvider
from local.preview.stack_files import StackConfig
from tests.whole_program import ONE_WORKER, previewed

pytestmark = ONE_WORKER


@pytest.fixture
def shared_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replace the program runs of the command by the runs that all tests share."""

    runs = {stack: previewed(stack) for stack in ("dev", "prod")}

    def return_shared_run(config: StackConfig, _provider: PreviewProvider, *, preview: bool) -> program_run.ProgramRun:
        assert preview
        assert config == stack_files.read_stack(config.stack)
        found = runs[config.stack]
        return program_run.ProgramRun(found.graph, found.outputs, found.messages)

    monkeypatch.setattr(program_run, "run_program", return_shared_run)


@pytest.mark.usefixtures("shared_runs")
def test_two_stacks_differ_by_block_and_the_differences_add_up() -> None:
    before, after, differences = compare_costs("dev", "prod")
    assert [abs(difference.change) for difference in differences] == sorted(
        (abs(difference.change) for difference in differences), reverse=True
    )
    assert sum(difference.change for difference in differences) == pytest.approx(
        after.report.total - before.report.total, abs=0.05
    )
    stream = io.StringIO()
    cost_difference.print_cost_difference(before, after, differences, Console(file=stream, width=140, highlight=False))
    assert f"{after.report.total - before.report.total:+,.2f} a month" in stream.getvalue()
    assert cost_difference.difference_to_json(before, after, differences)["blocks"][0]["block"] == differences[0].block
    assert main(["cost-diff", "dev", "prod", "--json"]) == 0
    assert compare_costs(".", "prod")[2] == [], "a stack does not differ from itself"


def test_a_name_that_is_neither_a_stack_nor_a_revision_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(CannotPrice, match=r"'nothing' is neither a stack .* nor a git revision"):
        price_revision("nothing", "prod")
    assert main(["cost", "--stack", "nowhere"]) == 2
    assert main(["cost-diff", "--", "--output=x", "prod"]) == 2
    assert "nowhere" in capsys.readouterr().err


def test_a_revision_is_priced_from_its_own_files_and_its_worktree_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cost_difference, "WORKTREES", tmp_path)
    found = price_revision("HEAD", "dev")
    assert found.label == "dev at HEAD"
    assert found.report.total > 0
    assert found.budget > 0
    assert list(tmp_path.iterdir()) == []
