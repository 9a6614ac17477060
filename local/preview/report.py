"""The preview for people: a tree of components, what was found, what it costs, what it gives out.

Colour on a terminal, plain text in a pipe: rich decides by what it writes to.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.tree import Tree

from local.preview.policy_pack_process import Judgement
from local.preview.property_values import Props, shown
from local.preview.resource_graph import Graph, Resource
from local.terminal_output import terminal

if TYPE_CHECKING:
    from local.preview.preview import Preview

STYLES = {"mandatory": "bold red", "advisory": "yellow", "remediate": "cyan", "unknown": "dim"}


def show(found: "Preview", console: Console | None = None) -> None:
    """Prints a preview."""
    out = console or terminal()
    out.print(_plan(found.graph, found.config.stack))
    out.print(_counts(found.graph))
    _changes(out, found)
    _warnings(out, found)
    _refusals(out, found)
    _findings(out, found)
    cost(out, found)
    _outputs(out, found)
    verdict = "[green]may be deployed[/]" if found.deployable else "[bold red]must not be deployed as it is[/]"
    out.print(f"\nstack {escape(found.config.stack)} {verdict}", soft_wrap=True)


@contextmanager
def working(what: str, *, quiet: bool) -> Iterator[None]:
    """Says what is being done while it is being done; on a terminal only."""
    console = Console(stderr=True)
    if quiet or not console.is_terminal:
        yield
        return
    with console.status(what):
        yield


def _plan(graph: Graph, stack: str) -> Tree:
    tree = Tree(f"[bold]stack {escape(stack)}[/]: {len(graph.customs())} resources")
    _branch(tree, graph, graph.stack)
    return tree


def _branch(tree: Tree, graph: Graph, of: Resource) -> None:
    """Components with their counts; a component's own resources in one line, by kind."""
    for child in graph.children(of.urn):
        if child.custom:
            continue
        own = Counter(one.kind for one in graph.children(child.urn) if one.custom)
        kinds = ", ".join(kind if count == 1 else f"{kind} x{count}" for kind, count in sorted(own.items()))
        label = f"[bold]{escape(child.name)}[/] [dim]{escape(child.kind)}[/]"
        _branch(tree.add(f"{label}{f': {escape(kinds)}' if kinds else ''}"), graph, child)


def _counts(graph: Graph) -> str:
    services = Counter(one.type.split(":")[1].split("/")[0] for one in graph.customs())
    return "by service: " + ", ".join(f"{name} {count}" for name, count in sorted(services.items()))


def _changes(out: Console, found: "Preview") -> None:
    if found.changes is None:
        return
    counts = Counter(action for action, _ in found.changes)
    out.print("on this machine: " + ", ".join(f"{count} {action}" for action, count in sorted(counts.items())))
    for action, urn in found.changes:
        if action not in {"same", "create"}:
            out.print(f"  {action:8} {escape(urn.rpartition('::')[2])}")


def _warnings(out: Console, found: "Preview") -> None:
    for warning in (*found.config.warnings, *found.messages):
        out.print(f"[yellow]warning[/] {escape(warning)}", soft_wrap=True)


def _refusals(out: Console, found: "Preview") -> None:
    if found.refusals:
        out.print(f"\n[bold red]{len(found.refusals)} values that AWS would refuse[/]")
    for one in found.refusals:
        out.print(f"  {escape(str(one))}", soft_wrap=True)


def _findings(out: Console, found: "Preview") -> None:
    undecided = sum(one.level == "unknown" for one in found.judgements)
    out.print(
        f"\n[bold]policies[/]: {len(found.rules)} asked, {len(found.mandatory)} mandatory findings, "
        f"{sum(one.level == 'advisory' for one in found.judgements)} notes, {undecided} cannot be known before "
        "a deployment",
        soft_wrap=True,
    )
    for one in sorted((one for one in found.judgements if one.level != "unknown"), key=_order):
        name = one.urn.rpartition("::")[2]
        style = STYLES.get(one.level, "")
        out.print(f"  [{style}]{one.level:9}[/] {one.policy} · {escape(name)}: {escape(one.message)}", soft_wrap=True)
    for urn, count in sorted(Counter(one.urn for one in found.judgements if one.level == "unknown").items()):
        # Each policy that reads it says the same: it names an id that AWS is yet to invent.
        name = escape(urn.rpartition("::")[2])
        out.print(
            f"  [{STYLES['unknown']}]unknown[/]   {name}: {count} policies judge it when it is deployed", soft_wrap=True
        )
    for change in found.remediations:
        changed = {key: value for key, value in change.after.items() if change.before.get(key) != value}
        out.print(
            f"  [{STYLES['remediate']}]remedied[/]  {change.policy} · {escape(change.urn.rpartition('::')[2])}: "
            f"{escape(', '.join(f'{key} → {shown(value)}' for key, value in changed.items()))}",
            soft_wrap=True,
        )


def _order(one: Judgement) -> tuple[int, str, str]:
    return (list(STYLES).index(one.level), one.policy, one.urn)


def cost(out: Console, found: "Preview") -> None:
    """Prints what a month costs, by subsystem."""
    out.print()
    table = Table(title=None, box=None, pad_edge=False, header_style="bold")
    table.add_column("monthly cost")
    table.add_column("USD", justify="right")
    table.add_column("dearest", style="dim")
    for subsystem, usd in found.cost.sum_by("subsystem").items():
        blocks = [
            (block, cost)
            for block, cost in found.cost.sum_by("block").items()
            if any(line.block == block and line.subsystem == subsystem for line in found.cost.lines)
        ]
        table.add_row(subsystem, f"{usd:,.2f}", ", ".join(f"{block} {cost:,.2f}" for block, cost in blocks[:3]))
    table.add_row("[bold]total[/]", f"[bold]{found.cost.total:,.2f}[/]", f"budget {found.budget:,.2f}")
    out.print(table)
    for one in found.cost.unpriced:
        out.print(f"  unpriced: {escape(one)}")


def _outputs(out: Console, found: "Preview") -> None:
    out.print("\n[bold]outputs[/]")
    values(out, found.outputs)


def values(out: Console, outputs: Props) -> None:
    """Prints outputs, secrets by name."""
    for name, value in outputs.items():
        out.print(f"  {escape(name)}:")
        _values(out, shown(value), 4)


def _values(out: Console, value: object, indent: int) -> None:
    if not isinstance(value, dict):
        out.print(f"{' ' * indent}{escape(str(value))}", soft_wrap=True)
        return
    for key, inner in sorted(value.items()):
        if isinstance(inner, dict):
            out.print(f"{' ' * indent}{escape(key)}:")
            _values(out, inner, indent + 2)
        else:
            out.print(f"{' ' * indent}{escape(key)}: {escape(str(inner))}", soft_wrap=True)
