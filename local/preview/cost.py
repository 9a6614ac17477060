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


class CannotPrice(CannotRun):
    """The cost of a stack cannot be estimated. The message states the reason."""


@dataclass(frozen=True)
class StackCost:
    """Estimated monthly cost of one stack."""

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
        """Monthly cost in dollars by price, of the prices that another source than AWS states. Highest first."""
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
        """Return the cost from the JSON that another process printed."""
        lines = tuple(CostLine(**line) for line in loaded["lines"])
        return cls(str(loaded["label"]), CostReport(lines, tuple(loaded["unpriced"])), float(loaded["budgetUsd"]))


def price_stack(stack: str, *, free_tiers: bool = False) -> StackCost:
    """Return the cost of a stack in the working tree.

    With `free_tiers`, AWS's free amounts are subtracted, as if nothing else in the account used them.
    """
    run = program_run.run_program(stack_files.read_stack(stack), PreviewProvider(), preview=True)
    return price_graph(stack, run.graph, free_tiers=free_tiers)


def price_graph(label: str, graph: Graph, *, free_tiers: bool = False) -> StackCost:
    """Return the cost of the resources in a graph. Raise CannotPrice if the published usage is missing or does not match
    the resources.
    """
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
    """Return a resource in the form that `guardrails.pricing` reads, without properties that are still unknown."""
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


def print_cost(cost: StackCost, console: Console | None = None) -> None:
    """Print the cost of one stack by subsystem, by service and by single line. Then print the prices from secondary
    sources, with their shares of the total, and the unpriced resources.
    """
    out = console or create_console()
    report = cost.report
    out.print(f"[bold]{escape(cost.label)}[/]: ${report.total:,.2f} a month, budget ${cost.budget:,.2f}\n")
    for dimension in ("subsystem", "service"):
        sums = report.sum_by(dimension).items()
        rows = [(escape(name), f"{usd:,.2f}", f"[dim]{format_share(usd, report.total)}[/]") for name, usd in sums]
        out.print(create_table((dimension,), ("USD", "share"), rows))
    lines = [
        (escape(line.block), line.price, f"{line.quantity:,.0f}", f"{line.usd:,.2f}")
        for line in sorted(report.lines, key=lambda line: -line.usd)
    ]
    out.print(create_table(("block", "price"), ("quantity", "USD"), lines))
    out.print(f"\nmonitoring and protection (included): ${cost.monitoring_and_protection_usd:,.2f}")
    secondary_usd = cost.secondary_usd
    rows = [(name, f"{usd:,.2f}", format_share(usd, report.total)) for name, usd in secondary_usd.items()]
    total = sum(secondary_usd.values())
    rows.append(("together", f"{total:,.2f}", format_share(total, report.total)))
    out.print(create_table(("price from a secondary source, to be checked",), ("USD", "share"), rows))
    print_unpriced(out, report)


def format_share(usd: float, total: float) -> str:
    """Return a part of the total in percent. The total is zero if the free tiers cover everything."""
    return f"{usd / total:.0%}" if total else "-"


def command(stack: str, *, as_json: bool, free_tiers: bool = False) -> int:
    """Print the cost for `make cost`. Return 1 if it exceeds the budget, and 0 otherwise."""
    cost = price_stack(stack, free_tiers=free_tiers)
    if as_json:
        print(json.dumps(cost.as_json(), indent=2))
    else:
        print_cost(cost)
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
