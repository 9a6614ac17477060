"""Monthly cost of a stack (`make cost`), and the difference between two stacks or git revisions (`make cost-diff`).

The program runs as in a preview, without the policy pack. A git revision is checked out as a worktree below `.local/`
and runs there in a separate process with the current virtual environment, so two revisions never share a module.
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
from guardrails.pricing.cost_estimate import CostLine, CostReport, PricedResource, estimate_cost
from guardrails.pricing.price_book import load_prices
from local import ROOT, CannotRun
from local.preview import program_run, stack_files
from local.preview.preview_provider import PreviewProvider
from local.preview.property_values import UNKNOWN, Secret, reveal_secrets
from local.preview.resource_graph import Graph, Resource
from local.preview.stack_files import StackFileError
from local.terminal_output import create_console

WORKTREES = ROOT / ".local" / "worktrees"
"""Folder of the temporary git worktrees."""
WORKING_TREE = "."
"""Name of the working tree, with uncommitted changes, in place of a git revision."""
MAX_SHOWN_LINES = 5
"""Number of the most expensive lines to print."""


class CannotPrice(CannotRun):
    """The stack cannot be priced. The message says what to fix."""


@dataclass(frozen=True)
class StackCost:
    """Monthly cost of one stack."""

    label: str
    """Name of the stack, with the git revision if there is one."""
    report: CostReport
    """Priced lines, and what has no price."""
    budget: float
    """Monthly budget of the stack in dollars."""

    @property
    def guardrails(self) -> float:
        """Cost of monitoring and protection in dollars, which the requirements' cost tables do not contain."""
        return sum(line.usd for line in self.report.lines if load_prices()[line.price].guardrail)

    def as_json(self) -> dict[str, Any]:
        """Return the cost as JSON."""
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
        """Return the cost from the JSON that another process printed."""
        lines = tuple(CostLine(**line) for line in loaded["lines"])
        report = CostReport(lines, tuple(loaded["unpriced"]), tuple(loaded["gaps"]), tuple(loaded["problems"]))
        return cls(str(loaded["label"]), report, float(loaded["budgetUsd"]))


@dataclass(frozen=True)
class Difference:
    """Cost of one block before and after. A block that exists on one side only costs zero on the other."""

    block: str
    """Pulumi name of the block (a component of the program)."""
    before: float
    """Dollars a month."""
    after: float
    """Dollars a month."""

    @property
    def change(self) -> float:
        """Additional cost in dollars a month."""
        return self.after - self.before


def cost_report(stack: str, *, free_tiers: bool = False) -> StackCost:
    """Return the cost of a stack in the working tree.

    With `free_tiers`, the AWS free tiers are subtracted, as if the account contained nothing else.
    """
    try:
        run = program_run.run_program(stack_files.read_stack(stack), PreviewProvider(), preview=True)
    except (SettingsError, StackFileError, program_run.ProgramError) as error:
        raise CannotPrice(str(error)) from error
    return price_graph(stack, run.graph, free_tiers=free_tiers)


def price_graph(label: str, graph: Graph, *, free_tiers: bool = False) -> StackCost:
    """Return the cost of the resources in a graph. Raise CannotPrice if it lacks the platform's usage figures."""
    platform = next((resource for resource in graph if resource.type == PLATFORM), None)
    if platform is None:
        raise CannotPrice(f"{label} has no resource of type {PLATFORM}, which publishes the usage figures.")
    report = estimate_cost(
        (to_priced_resource(resource, graph) for resource in graph), platform.inputs["usage"], free_tiers=free_tiers
    )
    return StackCost(label, report, float(platform.inputs["budget"]))


def to_priced_resource(resource: Resource, graph: Graph) -> PricedResource:
    """Return a resource in the form that the cost model takes, without properties that are still unknown."""
    block = graph[resource.parent].name if resource.parent else resource.name
    return PricedResource(
        resource.type, resource.name, block, parse_subsystem(block), _without_unknowns(resource.inputs)
    )


def _without_unknowns(value: Any) -> Any:
    """Return a value without its unknown properties. An unknown item of a list becomes None, so the list keeps its length."""
    if isinstance(value, Mapping):
        return {key: _without_unknowns(inner) for key, inner in value.items() if inner is not UNKNOWN}
    if isinstance(value, list):
        return [None if inner is UNKNOWN else _without_unknowns(inner) for inner in value]
    return reveal_secrets(value) if isinstance(value, Secret) else value


def cost_diff(before: str, after: str, stack: str = "prod") -> tuple[StackCost, StackCost, list[Difference]]:
    """Compare two stacks, or one stack at two git revisions.

    Return both costs, and the blocks whose cost differs by half a cent or more, with the largest change first.
    """
    first, second = _price_side(before, stack), _price_side(after, stack)
    first_blocks, second_blocks = first.report.sum_by("block"), second.report.sum_by("block")
    differences = [
        Difference(block, first_blocks.get(block, 0), second_blocks.get(block, 0))
        for block in {*first_blocks, *second_blocks}
    ]
    changed = [difference for difference in differences if abs(difference.change) >= 0.005]
    return first, second, sorted(changed, key=lambda difference: (-abs(difference.change), difference.block))


def _price_side(name: str, stack: str) -> StackCost:
    """Return the cost of one side of a comparison. `name` is a stack, a git revision of `stack`, or `.` for the working tree."""
    if name == WORKING_TREE:
        return cost_report(stack)
    return cost_report(name) if name in stack_files.list_stacks() else price_revision(name, stack)


def price_revision(revision: str, stack: str) -> StackCost:
    """Return the cost of a stack at a git revision, with the price book of that revision."""
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
                env={**os.environ, "PYTHONPATH": f"{tree}{os.pathsep}{tree / 'policies'}"},
                capture_output=True,
                text=True,
                check=False,
            )
        finally:
            _git("worktree", "remove", "--force", str(tree))
    # The exit status does not matter: the command also prints the cost of a stack that exceeds its budget.
    if not process.stdout:
        error_lines = process.stderr.strip().splitlines()
        raise CannotPrice(f"{revision} cannot be priced: {error_lines[-1] if error_lines else 'no error message'}")
    return StackCost.from_json({**json.loads(process.stdout), "label": f"{stack} at {revision}"})


def _git(*arguments: str) -> str:
    return subprocess.run(["git", "-C", str(ROOT), *arguments], capture_output=True, text=True, check=False).stdout  # noqa: S607


def print_cost(cost: StackCost, console: Console | None = None) -> None:
    """Print the cost of one stack: by subsystem, by service, its most expensive lines, and what has no price."""
    out = console or create_console()
    report = cost.report
    out.print(f"[bold]{escape(cost.label)}[/]: ${report.total:,.2f} a month, budget ${cost.budget:,.2f}\n")
    for dimension in ("subsystem", "service"):
        sums = report.sum_by(dimension).items()
        rows = [(escape(name), f"{usd:,.2f}", f"[dim]{_format_share(usd, report.total)}[/]") for name, usd in sums]
        out.print(_create_table((dimension,), ("USD", "share"), rows))
    lines = [
        (escape(line.block), line.price, f"{line.quantity:,.0f}", f"{line.usd:,.2f}")
        for line in sorted(report.lines, key=lambda line: -line.usd)[:MAX_SHOWN_LINES]
    ]
    out.print(_create_table(("most expensive lines", "price"), ("quantity", "USD"), lines))
    out.print(f"\nmonitoring and protection (included): ${cost.guardrails:,.2f}")
    _print_remarks(out, report)


def _format_share(usd: float, total: float) -> str:
    """Return a part of the total in percent. If the free tiers cover everything, the total is zero and has no parts."""
    return f"{usd / total:.0%}" if total else "-"


def print_cost_difference(
    before: StackCost, after: StackCost, differences: Iterable[Difference], console: Console | None = None
) -> None:
    """Print the blocks whose cost changes."""
    out = console or create_console()
    change = after.report.total - before.report.total
    out.print(
        f"[bold]{escape(before.label)}[/] ${before.report.total:,.2f} → [bold]{escape(after.label)}[/] "
        f"${after.report.total:,.2f}: {change:+,.2f} a month\n"
    )
    rows = [
        (
            escape(difference.block),
            f"{difference.before:,.2f}",
            f"{difference.after:,.2f}",
            f"{difference.change:+,.2f}",
        )
        for difference in differences
    ]
    out.print(
        _create_table(("block",), ("before", "after", "change"), rows) if rows else "The cost of no block changes."
    )
    _print_remarks(out, after.report)


def difference_to_json(before: StackCost, after: StackCost, differences: Iterable[Difference]) -> dict[str, Any]:
    """Return the comparison as JSON."""
    return {
        "schemaVersion": 1,
        "before": before.as_json(),
        "after": after.as_json(),
        "changeUsd": round(after.report.total - before.report.total, 2),
        "blocks": [{**vars(difference), "change": difference.change} for difference in differences],
    }


def cost_command(stack: str, *, as_json: bool, free_tiers: bool = False) -> int:
    """Print the cost for `make cost`.

    Return 0 within the budget, and 1 above it or if a usage figure matches no resource. Raise CannotPrice if the stack
    cannot be priced.
    """
    cost = cost_report(stack, free_tiers=free_tiers)
    if as_json:
        print(json.dumps(cost.as_json(), indent=2))
    else:
        print_cost(cost)
    return 1 if cost.report.total > cost.budget or cost.report.problems else 0


def cost_difference_command(before: str, after: str, *, stack: str, as_json: bool) -> int:
    """Print the difference for `make cost-diff` and return 0. Raise CannotPrice if one side cannot be priced."""
    comparison = cost_diff(before, after, stack)
    if as_json:
        print(json.dumps(difference_to_json(*comparison), indent=2))
    else:
        print_cost_difference(*comparison)
    return 0


def _print_remarks(out: Console, report: CostReport) -> None:
    """Print resource types without a price, gaps in the usage, and usage figures that match no resource."""
    for label, remarks in (("unpriced", report.unpriced), ("gap", report.gaps), ("misspelt", report.problems)):
        for remark in remarks:
            out.print(f"[yellow]{label}[/] {escape(remark)}", soft_wrap=True)


def _create_table(text_columns: Sequence[str], number_columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    """Return a table with text columns, then right-aligned number columns."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in text_columns:
        table.add_column(column)
    for column in number_columns:
        table.add_column(column, justify="right")
    for row in rows:
        table.add_row(*row)
    return table
