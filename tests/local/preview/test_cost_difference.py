"""Tests of `make cost-diff`, which compares the costs of two stacks or git revisions."""

import io
import json
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from local.__main__ import main
from local.preview import cost_difference, program_run, stack_files
from local.preview.cost import CannotPrice, StackCost
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
        shared = runs[config.stack]
        return program_run.ProgramRun(shared.graph, shared.outputs, shared.messages)

    monkeypatch.setattr(program_run, "run_program", return_shared_run)


@pytest.mark.usefixtures("shared_runs")
def test_the_difference_of_two_stacks_is_listed_by_block_the_largest_changes_first() -> None:
    before, after, differences = compare_costs("dev", "prod")
    changes = [difference.change for difference in differences]
    total_change = after.report.total - before.report.total
    assert changes == sorted(changes, key=abs, reverse=True)
    assert sum(changes) == pytest.approx(total_change, abs=0.05)
    out = io.StringIO()
    cost_difference.print_cost_difference(before, after, differences, Console(file=out, width=140, highlight=False))
    assert f"{total_change:+,.2f} a month" in out.getvalue()
    assert cost_difference.difference_to_json(before, after, differences)["blocks"][0]["block"] == differences[0].block
    assert main(["cost-diff", "dev", "prod", "--json"]) == 0


@pytest.mark.usefixtures("shared_runs")
def test_the_working_tree_is_priced_as_the_stack_prod_by_default() -> None:
    _, _, differences = compare_costs(".", "prod")  # the dot stands for the working tree
    assert differences == []


def test_a_name_that_is_neither_a_stack_nor_a_revision_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(CannotPrice, match=r"'nothing' is neither a stack .* nor a git revision"):
        price_revision("nothing", "prod")
    assert main(["cost", "--stack", "nowhere"]) == 2
    assert main(["cost-diff", "--", "--output=x", "prod"]) == 2, "git must not read the name as an option"
    assert "nowhere" in capsys.readouterr().err


def test_a_revision_is_priced_from_its_own_files_and_its_worktree_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The program of the test's repository only prints a cost. The working tree no longer has it."""
    repository, worktrees = tmp_path / "repository", tmp_path / "worktrees"
    monkeypatch.setattr(cost_difference, "ROOT", repository)
    monkeypatch.setattr(cost_difference, "WORKTREES", worktrees)
    cost = StackCost("dev", previewed("dev").cost, previewed("dev").budget)
    program = repository / "local" / "__main__.py"
    program.parent.mkdir(parents=True)
    document = json.dumps(cost.as_json())
    program.write_text(
        f"import sys\nassert sys.argv[1:] == ['cost', '--stack', 'dev', '--json']\nprint({document!r})\n"
    )
    author = ("-c", "user.name=test", "-c", "user.email=test@example.com")

    def commit() -> None:
        for arguments in (("init", "-q"), ("add", "."), (*author, "commit", "-q", "-m", "Change the program")):
            subprocess.run(["git", *arguments], cwd=repository, check=True)  # noqa: S603, S607

    commit()
    program.write_text("import sys\nsys.exit('Traceback\\nthe settings are invalid')\n")
    commit()
    program.unlink()
    assert price_revision("HEAD~1", "dev") == replace(cost, label="dev at HEAD~1")
    with pytest.raises(CannotPrice, match="HEAD cannot be priced: the settings are invalid"):
        price_revision("HEAD", "dev")
    assert list(worktrees.iterdir()) == []
