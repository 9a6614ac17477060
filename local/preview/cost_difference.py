"""Difference in monthly cost between two stacks, or between two git revisions of a stack (`make cost-diff`).

A git revision is checked out into a temporary worktree below `.local/`. The revision's own program and prices are used
there, in a separate process with the current virtual environment.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape

from local import ROOT
from local.preview import stack_files
from local.preview.cost import MIN_SHOWN_USD, CannotPrice, StackCost, create_table, price_stack, print_unpriced
from local.terminal_output import create_console

WORKTREES = ROOT / ".local" / "worktrees"
WORKING_TREE = "."
"""Argument that means the working tree with its uncommitted changes, in place of a git revision."""


@dataclass(frozen=True)
class BlockCostDifference:
    """Cost of one block on both sides of the comparison, or zero on a side that lacks the block."""

    block: str
    """Pulumi name of the block, a component that contains priced resources."""
    before: float
    """Dollars a month."""
    after: float
    """Dollars a month."""

    @property
    def change(self) -> float:
        """Additional cost in dollars a month."""
        return self.after - self.before


def compare_costs(
    before: str, after: str, stack: str = "prod"
) -> tuple[StackCost, StackCost, list[BlockCostDifference]]:
    """Return both costs, and the blocks whose cost differs by half a cent or more, with the largest change first.

    `before` and `after` are each the name of a stack, a git revision at which `stack` is priced, or `.` for `stack` in
    the working tree.
    """
    first, second = _price_side(before, stack), _price_side(after, stack)
    first_blocks, second_blocks = first.report.sum_by("block"), second.report.sum_by("block")
    differences = [
        BlockCostDifference(block, first_blocks.get(block, 0), second_blocks.get(block, 0))
        for block in {*first_blocks, *second_blocks}
    ]
    changed = [difference for difference in differences if abs(difference.change) >= MIN_SHOWN_USD]
    return first, second, sorted(changed, key=lambda difference: (-abs(difference.change), difference.block))


def _price_side(name: str, stack: str) -> StackCost:
    """Return the cost of one side of the comparison. A stack takes precedence over a git revision of the same name."""
    if name == WORKING_TREE:
        return price_stack(stack)
    return price_stack(name) if name in stack_files.list_stacks() else price_revision(name, stack)


def price_revision(revision: str, stack: str) -> StackCost:
    """Return the cost of a stack at a git revision, with the prices of that revision."""
    commit = _git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}").strip()
    if not commit:
        raise CannotPrice(
            f"{revision!r} is neither a stack ({', '.join(stack_files.list_stacks())}) nor a git revision of this repository."
        )
    WORKTREES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=WORKTREES) as folder:
        tree = Path(folder) / "tree"
        _git("worktree", "add", "--detach", "--quiet", str(tree), commit)
        try:
            process = subprocess.run(
                [sys.executable, "-m", "local", "cost", "--stack", stack, "--json"],
                cwd=tree,
                # The packages come from the current environment, and all modules of the project from the worktree.
                env={**os.environ, "PYTHONPATH": f"{tree}{os.pathsep}{tree / 'policies'}"},
                capture_output=True,
                text=True,
                check=False,
            )
        finally:
            _git("worktree", "remove", "--force", str(tree))
    # The exit status is ignored. If the cost exceeds the budget, the command fails, but only after it printed the cost.
    if not process.stdout:
        error_lines = process.stderr.strip().splitlines()
        raise CannotPrice(f"{revision} cannot be priced: {error_lines[-1] if error_lines else 'no error message'}")
    return StackCost.from_json({**json.loads(process.stdout), "label": f"{stack} at {revision}"})


def _git(*arguments: str) -> str:
    """Run git and return its output, which is empty if a revision does not exist."""
    return subprocess.run(["git", "-C", str(ROOT), *arguments], capture_output=True, text=True, check=False).stdout  # noqa: S607


def print_cost_difference(
    before: StackCost, after: StackCost, differences: Iterable[BlockCostDifference], console: Console | None = None
) -> None:
    """Print both totals, and the blocks whose cost differs."""
    out = console or create_console()
    change = after.report.total - before.report.total
    out.print(
        f"[bold]{escape(before.label)}[/] ${before.report.total:,.2f} → [bold]{escape(after.label)}[/] "
        f"${after.report.total:,.2f}: {change:+,.2f} a month\n"
    )
    rows = [
        (escape(block.block), f"{block.before:,.2f}", f"{block.after:,.2f}", f"{block.change:+,.2f}")
        for block in differences
    ]
    out.print(
        create_table(("block",), ("before", "after", "change"), rows) if rows else "The cost of no block changes."
    )
    print_unpriced(out, after.report)


def difference_to_json(
    before: StackCost, after: StackCost, differences: Iterable[BlockCostDifference]
) -> dict[str, Any]:
    """Return the comparison as JSON."""
    return {
        "schemaVersion": 1,
        "before": before.as_json(),
        "after": after.as_json(),
        "changeUsd": round(after.report.total - before.report.total, 2),
        "blocks": [{**vars(difference), "change": difference.change} for difference in differences],
    }


def command(before: str, after: str, *, stack: str, as_json: bool) -> int:
    """Print the difference for `make cost-diff` and return 0."""
    comparison = compare_costs(before, after, stack)
    if as_json:
        print(json.dumps(difference_to_json(*comparison), indent=2))
    else:
        print_cost_difference(*comparison)
    return 0
