"""Monthly cost of a stack (`make cost`), estimated from the resources that the program registers.

The program runs as in a preview, but without the policy pack. A component of the program, which has the type
`PLATFORM`, publishes the budget and the expected usage of each block. A block is a component that contains resources,
for example a function with its role.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from guardrails.pricing.cost_estimate import CannotEstimate, CostLine, CostReport, PricedResource, estimate_cost
from guardrails.pricing.prices import Evidence, load_prices
from guardrails.resource_types import PLATFORM
from local import CannotRun
from local.preview import program_run, stack_files
from local.preview.preview_provider import PreviewProvider
from local.preview.resource_graph import Graph, Resource
from local.property_values import UNKNOWN, Secret, reveal_secrets
from local.terminal_output import create_console

MIN_SHOWN_USD = 0.005
"""Smaller amounts would be shown as 0.00."""


class CannotPrice(CannotRun):
    """The cost of a stack cannot be estimated. The message states the reason."""


@dataclass(frozen=True)
class StackCost:
    """Estimated monthly cost of one stack. `policies/guardrails/pricing/prices.toml` lists the prices by name."""

    label: str
    """Name of the stack, with the git revision if there is one."""
    report: CostReport
    budget: float
    """Monthly budget of the stack in dollars."""

    @property
    def monitoring_and_protection_usd(self) -> float:
        """Monthly cost in dollars at the prices that `prices.toml` marks as `monitoring_or_protection`."""
        return sum(line.usd for line in self.report.lines if load_prices()[line.price].monitoring_or_protection)

    @property
    def secondary_usd(self) -> dict[str, float]:
        """Monthly cost in dollars by price, for prices that AWS does not state, or contradicts. Highest first."""
        sums = self.report.sum_by("price").items()
        return {name: usd for name, usd in sums if load_prices()[name].evidence is Evidence.SECONDARY}

    def as_json(self) -> dict[str, Any]:
        """Return the cost as JSON."""
        report = self.report
        return {
            "schemaVersion": 1,
            "label": self.label,
            "monthlyUsd": round(report.total, 2),
            "budgetUsd": self.budget,
            "guardrailsUsd": round(self.monitoring_and_protection_usd, 2),  # Programs that read the JSON use this name.
            **{
                name: {key: round(usd, 4) for key, usd in report.sum_by(name).items()}
                for name in ("subsystem", "service", "block", "price")
            },
            "lines": [vars(line) for line in report.lines],
            "unpriced": list(report.unpriced),
        }

    @classmethod
    def from_json(cls, loaded: Mapping[str, Any]) -> "StackCost":
        """Return the cost from `as_json`, which another process printed."""
        lines = tuple(CostLine(**line) for line in loaded["lines"])
        return cls(str(loaded["label"]), CostReport(lines, tuple(loaded["unpriced"])), float(loaded["budgetUsd"]))


def price_stack(stack: str, *, free_tiers: bool = False) -> StackCost:
    """Return the cost of a stack in the working tree.

    With `free_tiers`, AWS's free amounts are subtracted, as if nothing else in the account used them.
    """
    run = program_run.run_program(stack_files.read_stack(stack), PreviewProvider(), preview=True)
    return price_graph(stack, run.graph, free_tiers=free_tiers)


def price_graph(label: str, graph: Graph, *, free_tiers: bool = False) -> StackCost:
    """Return the cost of a graph. Raise CannotPrice if the published usage is missing or does not match the resources."""
    platform = next((resource for resource in graph if resource.type == PLATFORM), None)
    if platform is None:
        raise CannotPrice(
            f"{label} has no resource of type {PLATFORM}. This resource publishes the expected usage, without which the cost "
            "cannot be estimated."
        )
    resources = (to_priced_resource(resource, graph) for resource in graph)
    try:
        report = estimate_cost(resources, platform.inputs["usage"], free_tiers=free_tiers)
    except CannotEstimate as error:
        raise CannotPrice(f"The cost of {label} cannot be estimated:\n{error}") from error
    return StackCost(label, report, float(platform.inputs["budget"]))


def to_priced_resource(resource: Resource, graph: Graph) -> PricedResource:
    """Return a resource and its block in the form that `guardrails.pricing` reads, without unknown properties."""
    block = graph[resource.parent] if resource.parent else resource
    return PricedResource(resource.type, resource.name, block.name, block.type, _without_unknowns(resource.inputs))


def _without_unknowns(value: Any) -> Any:
    """Return a value without unknown properties, and with secrets unwrapped.

    An unknown item of a list becomes None, so the list keeps its length.
    """
    if isinstance(value, Mapping):
        return {key: _without_unknowns(inner) for key, inner in value.items() if inner is not UNKNOWN}
    if isinstance(value, list):
        return [None if inner is UNKNOWN else _without_unknowns(inner) for inner in value]
    return reveal_secrets(value) if isinstance(value, Secret) else value


def print_cost(cost: StackCost, console: Console | None = None, *, verbose: bool = False) -> None:
    """Print the unpriced resources, and the cost of one stack by service and by subsystem. The total comes last.

    With `verbose`, begin with every line of the estimate, and with every price from a secondary source.
    """
    out = console or create_console()
    report = cost.report
    secondary_total = sum(cost.secondary_usd.values())
    if verbose:
        lines = [
            (escape(line.block), line.price, f"{line.quantity:,.0f}", f"{line.usd:,.2f}")
            for line in sorted(report.lines, key=lambda line: -line.usd)
        ]
        out.print(create_table(("block", "price"), ("quantity", "USD"), lines), "")
        secondary = {**cost.secondary_usd, "together": secondary_total}
        out.print(_create_share_table("price from a secondary source, to be checked", secondary, report.total), "")
    print_unpriced(out, report)
    out.print(_create_share_table("service", report.sum_by("service"), report.total), "")
    print_subsystems(out, report, cost.budget)
    out.print(f"of this for monitoring and protection: {cost.monitoring_and_protection_usd:,.2f}")
    share = format_share(secondary_total, report.total)
    out.print(f"of this at prices from secondary sources: {secondary_total:,.2f} ({share})")


def print_subsystems(out: Console, report: CostReport, budget: float) -> None:
    """Print the monthly cost of each subsystem, with its three most expensive blocks, and the total."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("monthly cost")
    table.add_column("USD", justify="right")
    table.add_column("most expensive", style="dim")
    for subsystem, usd in report.sum_by("subsystem").items():
        blocks = [
            f"{block} {usd_of_block:,.2f}"
            for block, usd_of_block in report.sum_by("block").items()
            if any(line.block == block and line.subsystem == subsystem for line in report.lines)
        ]
        table.add_row(subsystem, f"{usd:,.2f}", ", ".join(blocks[:3]))
    table.add_row("[bold]total[/]", f"[bold]{report.total:,.2f}[/]", f"budget {budget:,.2f}")
    out.print(table)


def _create_share_table(heading: str, sums: Mapping[str, float], total: float) -> Table:
    """Return a table of dollars with their shares of the total, without rows below half a cent."""
    rows = [
        (escape(name), f"{usd:,.2f}", f"[dim]{format_share(usd, total)}[/]")
        for name, usd in sums.items()
        if usd >= MIN_SHOWN_USD
    ]
    return create_table((heading,), ("USD", "share"), rows)


def format_share(usd: float, total: float) -> str:
    """Return a part of the total in percent. Return `-` if the free tiers cover everything, so that the total is zero."""
    return f"{usd / total:.0%}" if total else "-"


def command(stack: str, *, as_json: bool, free_tiers: bool = False, verbose: bool = False) -> int:
    """Print the cost for `make cost`. Return 1 if it exceeds the budget, and 0 otherwise."""
    cost = price_stack(stack, free_tiers=free_tiers)
    if as_json:
        print(json.dumps(cost.as_json(), indent=2))
    else:
        print_cost(cost, verbose=verbose)
    return 1 if cost.report.total > cost.budget else 0


def print_unpriced(out: Console, report: CostReport) -> None:
    """Print the resources without a price."""
    for resource in report.unpriced:
        out.print(f"[yellow]unpriced[/] {escape(resource)}", soft_wrap=True)


def create_table(text_columns: Sequence[str], number_columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    """Return a table with text columns, then right-aligned number columns."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in text_columns:
        table.add_column(column)
    for column in number_columns:
        table.add_column(column, justify="right")
    for row in rows:
        table.add_row(*row)
    return table
