"""What a stack costs a month: `make cost` for one, `make cost-diff` for two stacks or two git revisions.

The program is run as a preview; no policy is asked. A revision is checked out as a worktree below `.local/` and runs
there in a process of its own, with this revision's tools, so that two revisions never share a module.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from components.settings import SettingsError
from guardrails.model.resource_types import PLATFORM
from guardrails.model.subsystem_names import parse_subsystem
from guardrails.pricing.estimate import CostLine, CostReport, PricedResource, estimate_cost
from guardrails.pricing.price_book import load_prices
from local import ROOT, CannotRun
from local.preview import program_run, stack_files
from local.preview.preview_provider import PreviewProvider
from local.preview.property_values import UNKNOWN, Secret, revealed
from local.preview.resource_graph import Graph, Resource
from local.preview.stack_files import StackFileError
from local.terminal_output import terminal

WORKTREES = ROOT / ".local" / "worktrees"
WORKING_TREE = "."
"""Names what is not committed yet, where a revision is asked for."""
DEAREST = 5


class CannotPrice(CannotRun):
    """There is nothing to price; the message says what to mend."""


@dataclass(frozen=True)
class StackCost:
    """One stack's month."""

    label: str
    """The stack's name, or a git revision with it."""
    report: CostReport
    budget: float

    @property
    def guardrails(self) -> float:
        """Dollars for watching and protecting, which the requirements' own tables have not."""
        return sum(line.usd for line in self.report.lines if load_prices()[line.price].guardrail)

    def as_json(self) -> dict[str, Any]:
        """The same for machines."""
        report = self.report
        return {
            "schemaVersion": 1,
            "label": self.label,
            "monthlyUsd": round(report.total, 2),
            "budgetUsd": self.budget,
            "guardrailsUsd": round(self.guardrails, 2),
            **{
                name: {key: round(usd, 4) for key, usd in report.sum_by(name).items()}
                for name in ("subsystem", "service", "block", "price")
            },
            "lines": [vars(line) for line in report.lines],
            "unpriced": list(report.unpriced),
            "gaps": list(report.gaps),
            "problems": list(report.problems),
        }

    @classmethod
    def from_json(cls, loaded: Mapping[str, Any]) -> "StackCost":
        """From what another process wrote."""
        lines = tuple(CostLine(**line) for line in loaded["lines"])
        report = CostReport(lines, tuple(loaded["unpriced"]), tuple(loaded["gaps"]), tuple(loaded["problems"]))
        return cls(str(loaded["label"]), report, float(loaded["budgetUsd"]))


@dataclass(frozen=True)
class Difference:
    """One block that costs more or less, or is only in one of two."""

    block: str
    before: float
    after: float

    @property
    def change(self) -> float:
        """Dollars a month more."""
        return self.after - self.before


def cost_report(stack: str, *, free_tiers: bool = False) -> StackCost:
    """What one stack of this working tree costs; with free tiers, as if the account ran nothing else."""
    try:
        run = program_run.run(stack_files.read(stack), PreviewProvider(), preview=True)
    except (SettingsError, StackFileError, program_run.ProgramError) as error:
        raise CannotPrice(str(error)) from error
    return of_graph(stack, run.graph, free_tiers=free_tiers)


def of_graph(label: str, graph: Graph, *, free_tiers: bool = False) -> StackCost:
    """What a recorded program costs."""
    platform = next((one for one in graph if one.type == PLATFORM), None)
    if platform is None:
        raise CannotPrice(f"{label} has no platform, so nothing says how much it is used")
    report = estimate_cost((priced(one, graph) for one in graph), platform.inputs["usage"], free_tiers=free_tiers)
    return StackCost(label, report, float(platform.inputs["budget"]))


def priced(one: Resource, graph: Graph) -> PricedResource:
    """A resource as the estimate sees it: known properties only, secrets left out."""
    block = graph[one.parent].name if one.parent else one.name
    return PricedResource(one.type, one.name, block, parse_subsystem(block), _known(one.inputs))


def _known(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _known(inner) for key, inner in value.items() if inner is not UNKNOWN}
    if isinstance(value, list):
        return [None if inner is UNKNOWN else _known(inner) for inner in value]
    return revealed(value) if isinstance(value, Secret) else value


def cost_diff(before: str, after: str, stack: str = "prod") -> tuple[StackCost, StackCost, list[Difference]]:
    """Two stacks, or one stack at two git revisions; the blocks whose cost differs, largest change first."""
    first, second = _either(before, stack), _either(after, stack)
    was, now = first.report.sum_by("block"), second.report.sum_by("block")
    differences = [Difference(block, was.get(block, 0), now.get(block, 0)) for block in {*was, *now}]
    changed = [one for one in differences if abs(one.change) >= 0.005]
    return first, second, sorted(changed, key=lambda one: (-abs(one.change), one.block))


def _either(name: str, stack: str) -> StackCost:
    if name == WORKING_TREE:
        return cost_report(stack)
    return cost_report(name) if name in stack_files.stacks() else at_revision(name, stack)


def at_revision(revision: str, stack: str) -> StackCost:
    """What a stack cost at a git revision, priced with that revision's own price book."""
    commit = _git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}").strip()
    if not commit:
        raise CannotPrice(
            f"{revision!r} is neither a stack ({', '.join(stack_files.stacks())}) nor a revision that git knows"
        )
    WORKTREES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=WORKTREES) as folder:
        tree = Path(folder) / "tree"
        _git("worktree", "add", "--detach", "--quiet", str(tree), commit)
        try:
            found = subprocess.run(
                [sys.executable, "-m", "local", "cost", "--stack", stack, "--json"],
                cwd=tree,
                env={**os.environ, "PYTHONPATH": f"{tree}{os.pathsep}{tree / 'policies'}"},
                capture_output=True,
                text=True,
                check=False,
            )
        finally:
            _git("worktree", "remove", "--force", str(tree))
    if not found.stdout:  # above its budget it is priced all the same, though the command fails
        raise CannotPrice(f"{revision} cannot be priced: {(found.stderr.strip().splitlines() or ['no reason'])[-1]}")
    return StackCost.from_json({**json.loads(found.stdout), "label": f"{stack} at {revision}"})


def _git(*arguments: str) -> str:
    return subprocess.run(["git", "-C", str(ROOT), *arguments], capture_output=True, text=True, check=False).stdout  # noqa: S607


def show(cost: StackCost, console: Console | None = None) -> None:
    """Prints one stack's month: by subsystem, by service, what drives it, what is missing."""
    out = console or terminal()
    report = cost.report
    out.print(f"[bold]{escape(cost.label)}[/]: ${report.total:,.2f} a month, budget ${cost.budget:,.2f}\n")
    for what in ("subsystem", "service"):
        sums = report.sum_by(what).items()
        rows = [(escape(name), f"{usd:,.2f}", f"[dim]{usd / report.total:.0%}[/]") for name, usd in sums]
        out.print(_table((what,), ("USD", "share"), rows))
    drivers = [
        (escape(line.block), line.price, f"{line.quantity:,.0f}", f"{line.usd:,.2f}")
        for line in sorted(report.lines, key=lambda line: -line.usd)[:DEAREST]
    ]
    out.print(_table(("dearest lines", "price"), ("quantity", "USD"), drivers))
    out.print(f"\nof which watching and protecting: ${cost.guardrails:,.2f}")
    _remarks(out, report)


def show_diff(
    before: StackCost, after: StackCost, differences: Iterable[Difference], console: Console | None = None
) -> None:
    """Prints what costs more and what less, as a pull request would show it."""
    out = console or terminal()
    change = after.report.total - before.report.total
    out.print(
        f"[bold]{escape(before.label)}[/] ${before.report.total:,.2f} → [bold]{escape(after.label)}[/] "
        f"${after.report.total:,.2f}: {change:+,.2f} a month\n"
    )
    rows = [
        (escape(one.block), f"{one.before:,.2f}", f"{one.after:,.2f}", f"{one.change:+,.2f}") for one in differences
    ]
    out.print(_table(("block",), ("before", "after", "change"), rows) if rows else "No block costs more or less.")
    _remarks(out, after.report)


def diff_as_json(before: StackCost, after: StackCost, differences: Iterable[Difference]) -> dict[str, Any]:
    """The same for machines."""
    return {
        "schemaVersion": 1,
        "before": before.as_json(),
        "after": after.as_json(),
        "changeUsd": round(after.report.total - before.report.total, 2),
        "blocks": [{**vars(one), "change": one.change} for one in differences],
    }


def cost_command(stack: str, *, as_json: bool, free_tiers: bool = False) -> int:
    """`make cost`: 0 within the budget, 1 above it or where usage is misspelt; CannotPrice where there is nothing."""
    cost = cost_report(stack, free_tiers=free_tiers)
    if as_json:
        print(json.dumps(cost.as_json(), indent=2))
    else:
        show(cost)
    return 1 if cost.report.total > cost.budget or cost.report.problems else 0


def diff_command(before: str, after: str, *, stack: str, as_json: bool) -> int:
    """`make cost-diff`: 0; CannotPrice where one of both has nothing to price."""
    found = cost_diff(before, after, stack)
    if as_json:
        print(json.dumps(diff_as_json(*found), indent=2))
    else:
        show_diff(*found)
    return 0


def _remarks(out: Console, report: CostReport) -> None:
    for label, remarks in (("unpriced", report.unpriced), ("gap", report.gaps), ("misspelt", report.problems)):
        for one in remarks:
            out.print(f"[yellow]{label}[/] {escape(one)}", soft_wrap=True)


def _table(words: Sequence[str], numbers: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    """A table whose columns of numbers stand to the right."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in words:
        table.add_column(column)
    for column in numbers:
        table.add_column(column, justify="right")
    for row in rows:
        table.add_row(*row)
    return table
