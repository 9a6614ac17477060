"""The one diagram of the whole: who reaches which subsystem, what each asks of AWS, and what all of them stand on."""

from collections import Counter
from collections.abc import Iterator

from local.graph import Graph
from local.pages.edges import CALLERS, Edge, edges
from local.pages.mermaid import fenced, node, quoted
from local.pages.nodes import Node, Shape, nodes
from local.pages.standing import standing

FOUNDATION = "foundation"
COUNTED = (Shape.FUNCTION, Shape.QUEUE, Shape.STORE, Shape.WORKFLOW, Shape.JOB)
AT_THE_DOOR = {Shape.ENTRY, Shape.CALLER}


def diagram(graph: Graph) -> str:
    """The overview."""
    arrows = edges(graph)
    members = sorted({*nodes(graph).values(), *(end for one in arrows for end in (one.tail, one.head))})
    outside = sorted({end for one in arrows for end in (one.tail, one.head) if end.shape is Shape.SERVICE})
    asked = [one for one in outside if any(_is_asked(arrow, one) for arrow in arrows)]
    lines = ["flowchart LR", f"  {node(CALLERS)}", *_boxes(members), *(f"  {node(one)}" for one in asked)]
    return fenced([*lines, *sorted(set(_entering(arrows))), *sorted(set(_asking(arrows))), *_standing(graph)])


def _is_asked(arrow: Edge, service: Node) -> bool:
    return arrow.head == service and arrow.tail.subsystem not in {"", FOUNDATION}


def _boxes(members: list[Node]) -> Iterator[str]:
    for subsystem in sorted({one.subsystem for one in members if one.subsystem}):
        own = [one for one in members if one.subsystem == subsystem]
        yield f'  subgraph {_box(subsystem)}["{subsystem}"]'
        if subsystem == FOUNDATION:
            yield from (f"    {node(one)}" for one in own)
        else:
            yield from (f"    {node(one)}" for one in own if one.shape in AT_THE_DOOR)
            yield f'    {_inside(subsystem)}["{quoted(_counted(own))}"]'
        yield "  end"


def _counted(own: list[Node]) -> str:
    counts = Counter(one.shape for one in own)
    return ", ".join(
        f"{counts[shape]} {shape}{'' if counts[shape] == 1 else 's'}" for shape in COUNTED if counts[shape]
    )


def _entering(arrows: list[Edge]) -> Iterator[str]:
    """From callers to entries, and from browsers to a subsystem's buckets."""
    for one in arrows:
        if one.tail == CALLERS:
            head = one.head.id if one.head.shape in AT_THE_DOOR else _inside(one.head.subsystem)
            yield f'  {CALLERS.id} -->|"{quoted(one.label)}"| {head}'
        elif one.tail.shape in AT_THE_DOOR and one.head.shape in COUNTED and one.tail.subsystem == one.head.subsystem:
            yield f"  {one.tail.id} --> {_inside(one.tail.subsystem)}"


def _asking(arrows: list[Edge]) -> Iterator[str]:
    for one in arrows:
        if one.tail.subsystem and one.head.shape is Shape.SERVICE:
            yield f"  {_inside(one.tail.subsystem)} --> {one.head.id}"


def _standing(graph: Graph) -> Iterator[str]:
    """Who stands on the foundation: rings there, has its accesses logged or its tables copied. The page says what."""
    leaning = {one.tail.subsystem for one in standing(graph)}
    leaning |= {one.inputs["tags"]["Subsystem"] for one in graph.customs() if one.kind == "MetricAlarm"}
    for subsystem in sorted(leaning - {"", FOUNDATION}):
        yield f"  {_inside(subsystem)} -.-> {_box(FOUNDATION)}"


def _box(subsystem: str) -> str:
    return f"box_{subsystem.replace('-', '_')}"


def _inside(subsystem: str) -> str:
    return f"inside_{subsystem.replace('-', '_')}"
