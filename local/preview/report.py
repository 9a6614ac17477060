"""The command `make preview`, its text report, and the parts of the report that other commands print too.

The library Rich prints colours on a terminal, and plain text to a pipe.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.tree import Tree

from local.preview import sarif, stack_files
from local.preview.cost import print_subsystems
from local.preview.policy_pack_process import PolicyFinding
from local.preview.preview import Preview, preview
from local.preview.resource_graph import Graph, Resource
from local.property_values import Props, to_display_value
from local.terminal_output import create_console, format_count

STYLES = {"mandatory": "bold red", "advisory": "yellow"}
"""Rich style of each enforcement level. The report lists findings in this order of levels."""


def command(stack: str, *, as_json: bool, sarif_file: Path | None) -> int:
    """Print the preview for `make preview`. Return 0 if the stack can be deployed and priced, otherwise 1."""
    with show_spinner(f"previewing {stack}", quiet=as_json):
        result = preview(stack_files.read_stack(stack))
    if as_json:
        print(json.dumps(result.as_json(), indent=2))
    else:
        print_preview(result)
    if sarif_file is not None:  # This is last, so the preview is shown even if the file cannot be written.
        sarif_file.write_text(json.dumps(sarif.to_sarif(result), indent=2))
    return 0 if result.deployable and not result.cost_error else 1


def print_preview(result: Preview, console: Console | None = None) -> None:
    """Print a preview to a console, by default to standard output."""
    out = console or create_console()
    out.print(_build_tree(result.graph, result.config.stack))
    out.print(_count_by_service(result.graph))
    for warning in (*result.config.warnings, *result.messages):
        out.print(f"[yellow]warning[/] {escape(warning)}", soft_wrap=True)
    _print_errors(out, "invalid input", result.invalid_inputs)
    _print_errors(out, "handler fault", result.handler_faults)
    _print_findings(out, result)
    print_monthly_cost(out, result)
    out.print("\n[bold]outputs[/]")
    print_outputs(out, result.outputs)
    if not result.deployable:
        verdict = "[bold red]cannot be deployed[/]. Fix these errors:"
    elif result.cost_error:
        verdict = "can be deployed, but [bold red]its cost cannot be estimated[/]"
    elif result.messages:
        verdict = f"[yellow]can be deployed, but[/] {escape(' '.join(result.messages))}"
    else:
        verdict = "[green]can be deployed[/]"
    out.print(f"\nstack {escape(result.config.stack)} {verdict}", soft_wrap=True)
    # The errors are repeated here. A terminal shows the end of the output, and the first list of errors may be off screen.
    for error in (*result.invalid_inputs, *result.handler_faults):
        out.print(f"  {escape(str(error))}", soft_wrap=True)
    for finding in result.mandatory:
        _print_finding(out, finding)


@contextmanager
def show_spinner(text: str, *, quiet: bool) -> Iterator[None]:
    """Show a spinner with a text while the `with` block runs. Show nothing if `quiet`, or without a terminal."""
    console = Console(stderr=True)
    if quiet or not console.is_terminal:
        yield
        return
    with console.status(text):
        yield


def _build_tree(graph: Graph, stack: str) -> Tree:
    tree = Tree(f"[bold]stack {escape(stack)}[/]: {len(graph.customs())} resources")
    _add_components(tree, graph, graph.stack)
    return tree


def _add_components(tree: Tree, graph: Graph, parent: Resource) -> None:
    """Add the components below `parent` to the tree. A component's line counts its own custom resources by type."""
    for child in graph.children(parent.urn):
        if child.custom:
            continue
        counts = Counter(resource.kind for resource in graph.children(child.urn) if resource.custom)
        kinds = ", ".join(kind if count == 1 else f"{kind} x{count}" for kind, count in sorted(counts.items()))
        label = f"[bold]{escape(child.name)}[/] [dim]{escape(child.kind)}[/]"
        _add_components(tree.add(f"{label}{f': {escape(kinds)}' if kinds else ''}"), graph, child)


def _count_by_service(graph: Graph) -> str:
    services = Counter(resource.type.split(":")[1].split("/")[0] for resource in graph.customs())
    return "by service: " + ", ".join(f"{name} {count}" for name, count in sorted(services.items()))


def _print_errors(out: Console, kind: str, errors: Sequence[object]) -> None:
    """Print the number of errors of a kind, and then each error on its own line. Print nothing if there are none."""
    if errors:
        out.print(f"\n[bold red]{format_count(len(errors), kind)}[/]")
    for error in errors:
        out.print(f"  {escape(str(error))}", soft_wrap=True)


def _print_findings(out: Console, result: Preview) -> None:
    counts = Counter(finding.level for finding in result.findings)
    out.print(
        f"\n[bold]policies[/]: {len(result.policies)} evaluated, "
        f"{format_count(counts['mandatory'], 'mandatory finding')}, "
        f"{format_count(counts['advisory'], 'advisory finding')}",
        soft_wrap=True,
    )
    levels = list(STYLES)
    for finding in sorted(result.findings, key=lambda item: (levels.index(item.level), item.policy, item.urn)):
        _print_finding(out, finding)


def _print_finding(out: Console, finding: PolicyFinding) -> None:
    name = escape(finding.urn.rpartition("::")[2])
    level = f"[{STYLES.get(finding.level, '')}]{finding.level:9}[/]"
    message = escape(finding.message).replace("\n", f"\n{' ' * 12}")
    out.print(f"  {level} {finding.policy} · {name}: {message}", soft_wrap=True)


def print_monthly_cost(out: Console, result: Preview) -> None:
    """Print the monthly cost of each subsystem, and the resources without a price. Print the reason if it is unknown."""
    out.print()
    if result.cost_error:
        out.print(f"[bold red]monthly cost[/]: {escape(result.cost_error)}", soft_wrap=True)
        return
    print_subsystems(out, result.cost, result.budget)
    for resource in result.cost.unpriced:
        out.print(f"  unpriced: {escape(resource)}")


def print_outputs(out: Console, outputs: Props) -> None:
    """Print stack outputs as a tree with aligned values, and a marker in place of each secret."""
    _print_fields(out, {name: to_display_value(value) for name, value in outputs.items()}, 2)


def _print_fields(out: Console, fields: Mapping[str, object], indent: int) -> None:
    """Print plain values first, in an aligned column, and then each non-empty mapping below its name."""
    margin = " " * indent
    plain = {name: value for name, value in fields.items() if not (isinstance(value, Mapping) and value)}
    width = max(map(len, plain), default=0)
    for name, value in sorted(plain.items()):
        first, *others = _format_lines(value)
        out.print(f"{margin}{escape(name):{width}}  {escape(first)}", soft_wrap=True)
        for line in others:
            out.print(f"{margin}{'':{width}}  {escape(line)}", soft_wrap=True)
    for name, value in sorted(fields.items()):
        if isinstance(value, Mapping) and value:
            out.print(f"{margin}{escape(name)}")
            _print_fields(out, value, indent + 2)


def _format_lines(value: object) -> list[str]:
    """Return a value as lines: a text as it is, a list as one line or one line for each item, other values as JSON.

    A list is one line if no item contains a space.
    """
    if isinstance(value, str):
        return [value]
    if isinstance(value, list) and value:
        items = [line for item in value for line in _format_lines(item)]
        return items if any(" " in item for item in items) else [", ".join(items)]
    return [json.dumps(value)]
