"""Diagrams as Mermaid's flowcharts, in the few forms that every version of it draws."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from local.pages.edges import Edge
from local.pages.nodes import Node, Shape

DRAWN = {
    Shape.FUNCTION: '("{}")',
    Shape.QUEUE: '[/"{}"/]',
    Shape.STORE: '[("{}")]',
    Shape.WORKFLOW: '{{{{"{}"}}}}',
    Shape.JOB: '[["{}"]]',
    Shape.ENTRY: '>"{}"]',
    Shape.CALLER: '(["{}"])',
    Shape.SERVICE: '["{}"]',
}


def flowchart(arrows: Sequence[Edge]) -> str:
    """The nodes that the arrows join, those of a subsystem in a box of its own, then the arrows."""
    found = sorted({node for one in arrows for node in (one.tail, one.head)})
    groups: dict[str, list[Node]] = {}
    for node in found:
        groups.setdefault(node.subsystem, []).append(node)
    lines = ["flowchart LR", *_declared(groups), *(_arrow(one) for one in arrows)]
    return fenced(lines)


def fenced(lines: Iterable[str]) -> str:
    """A diagram as Markdown shows it."""
    return "\n".join(["```mermaid", *lines, "```"])


def node(one: Node) -> str:
    """A node's declaration."""
    return one.id + DRAWN[one.shape].format(quoted(one.label))


def quoted(text: str) -> str:
    """A text between double quotes."""
    return text.replace('"', "#quot;")


def _declared(groups: Mapping[str, Sequence[Node]]) -> Iterator[str]:
    for name, members in groups.items():
        if not name:
            yield from (f"  {node(one)}" for one in members)
            continue
        yield f'  subgraph box_{name.replace("-", "_")}["{name}"]'
        yield from (f"    {node(one)}" for one in members)
        yield "  end"


def _arrow(one: Edge) -> str:
    return f'  {one.tail.id} -->|"{quoted(one.label)}"| {one.head.id}'
