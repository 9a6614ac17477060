"""Generator of `docs/architecture.md`: fills the diagrams into the template beside this file.

The diagrams are Mermaid flowcharts and only use syntax that every version of Mermaid supports.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from components.blocks.naming.context import Subsystem
from local.generate import documented_graph
from local.generate.diagram_edges import CALLERS, Edge, MissingFromDiagram, list_edges
from local.generate.diagram_nodes import Key, Node, Shape, list_nodes, to_node_key
from local.preview.resource_graph import Graph

TEXT = Path(__file__).with_suffix(".md")
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
COUNTED = (Shape.FUNCTION, Shape.QUEUE, Shape.STORE, Shape.WORKFLOW, Shape.JOB)
ENTRY_SHAPES = {Shape.ENTRY, Shape.CALLER}
ALERT_SOURCES = {
    "budgets.amazonaws.com": "budgets",
    "cloudwatch.amazonaws.com": "alarms",
    "costalerts.amazonaws.com": "cost anomalies",
    "events.amazonaws.com": "event rules",
}


def text() -> str:
    """Return the page."""
    graph = documented_graph.build_stack_graph()
    page = TEXT.read_text(encoding="utf-8").replace("{overview}", overview(graph))
    for subsystem in Subsystem:
        if f"{{{subsystem}}}" not in page:
            raise MissingFromDiagram(
                f"{TEXT.name} lacks {{{subsystem}}}. Add a chapter with this placeholder for the diagram."
            )
        page = page.replace(f"{{{subsystem}}}", flowchart(select_edges(graph, subsystem)))
    return page


def select_edges(graph: Graph, subsystem: Subsystem) -> list[Edge]:
    """Return the arrows of one subsystem, both within it and to nodes outside."""
    edges = [edge for edge in list_edges(graph) if subsystem in {edge.tail.subsystem, edge.head.subsystem}]
    return sorted([*edges, *_foundation_arrows(graph)]) if subsystem is Subsystem.FOUNDATION else edges


def flowchart(arrows: Sequence[Edge]) -> str:
    """Return a flowchart of the arrows and their nodes, with one box for each subsystem."""
    groups: dict[str, list[Node]] = {}
    for node in sorted(_ends(arrows)):
        groups.setdefault(node.subsystem, []).append(node)
    lines = [line for name, members in groups.items() for line in _box(name, map(_node, members))]
    return _fenced([*lines, *(_arrow(edge.tail.id, edge.head.id, edge.label) for edge in arrows)])


def overview(graph: Graph) -> str:
    """Return the diagram of the whole platform: callers, subsystems, AWS services that they call, and the foundation."""
    arrows = list_edges(graph)
    members = sorted({*list_nodes(graph).values(), *_ends(arrows)})
    called = {edge.head for edge in arrows if edge.tail.subsystem not in {"", Subsystem.FOUNDATION}}
    lines = [f"  {_node(CALLERS)}"]
    for subsystem in sorted({node.subsystem for node in members if node.subsystem}):
        own = [node for node in members if node.subsystem == subsystem]
        lines += _box(subsystem, map(_node, own) if subsystem == Subsystem.FOUNDATION else _summary(subsystem, own))
    lines += (f"  {_node(node)}" for node in sorted(called) if node.shape is Shape.SERVICE)
    entry_arrows, service_arrows = sorted(set(_entry_arrows(arrows))), sorted(set(_service_arrows(arrows)))
    return _fenced([*lines, *entry_arrows, *service_arrows, *_foundation_users(graph)])


def _ends(arrows: Iterable[Edge]) -> set[Node]:
    return {end for edge in arrows for end in (edge.tail, edge.head)}


def _summary(subsystem: str, own: Sequence[Node]) -> Iterator[str]:
    """Return the entries of a subsystem, and a node with the numbers of its resources."""
    yield from (_node(node) for node in own if node.shape in ENTRY_SHAPES)
    counts = Counter(node.shape for node in own)
    parts = (f"{counts[shape]} {shape}{'' if counts[shape] == 1 else 's'}" for shape in COUNTED if counts[shape])
    yield f'{_id("inside", subsystem)}["{", ".join(parts)}"]'


def _entry_arrows(arrows: Iterable[Edge]) -> Iterator[str]:
    """Return the arrows from callers to entries, and from entries and browsers into a subsystem."""
    for edge in arrows:
        if edge.tail == CALLERS:
            inside = edge.head.shape not in ENTRY_SHAPES
            yield _arrow(CALLERS.id, _id("inside", edge.head.subsystem) if inside else edge.head.id, edge.label)
            continue
        is_internal = edge.head.shape in COUNTED and edge.tail.subsystem == edge.head.subsystem
        if edge.tail.shape in ENTRY_SHAPES and is_internal:
            yield _arrow(edge.tail.id, _id("inside", edge.tail.subsystem))


def _service_arrows(arrows: Iterable[Edge]) -> Iterator[str]:
    for edge in arrows:
        if edge.tail.subsystem and edge.head.shape is Shape.SERVICE:
            yield _arrow(_id("inside", edge.tail.subsystem), edge.head.id)


def _foundation_users(graph: Graph) -> Iterator[str]:
    """Return an arrow to the foundation for each subsystem with alarms, access logs or backups."""
    users = {edge.tail.subsystem for edge in _foundation_arrows(graph)}
    users |= {resource.inputs["tags"]["Subsystem"] for resource in graph.customs() if resource.kind == "MetricAlarm"}
    for subsystem in sorted(users - {"", Subsystem.FOUNDATION}):
        yield f"  {_id('inside', subsystem)} -.-> {_id('box', Subsystem.FOUNDATION)}"


def _foundation_arrows(graph: Graph) -> Iterator[Edge]:
    """Return the arrows of the foundation's diagram: access logs, backups, and sources of alerts."""
    nodes_by_key = list_nodes(graph)
    for resource in graph.customs():
        match resource.kind:
            case "BucketLogging":
                target = nodes_by_key["s3", resource.inputs["targetBucket"]]
                yield Edge(nodes_by_key["s3", resource.inputs["bucket"]], target, "access logs")
            case "TopicPolicy":
                yield from _alert_arrows(resource.inputs["policy"], nodes_by_key)
            case "Selection":
                [chosen] = resource.inputs["selectionTags"]
                [vault] = [node for (service, _), node in nodes_by_key.items() if service == "backup"]
                for table in graph.customs():
                    if table.kind == "Table" and table.inputs["tags"].get(chosen["key"]) == chosen["value"]:
                        yield Edge(nodes_by_key["dynamodb", table.inputs["name"]], vault, "daily backup")


def _alert_arrows(policy: str, known: Mapping[Key, Node]) -> Iterator[Edge]:
    for statement in json.loads(policy)["Statement"]:
        if statement["Effect"] == "Allow":
            for service in statement["Principal"]["Service"]:
                source = Node("", ALERT_SOURCES[service], Shape.SERVICE)
                yield Edge(source, known[to_node_key(statement["Resource"])], "publish")


def _fenced(lines: Iterable[str]) -> str:
    """Return a flowchart as a Markdown code block."""
    return "\n".join(["```mermaid", "flowchart LR", *lines, "```"])


def _box(name: str, members: Iterable[str]) -> Iterator[str]:
    """Return nodes in a named box, or without a box if the name is empty."""
    if not name:
        yield from (f"  {member}" for member in members)
        return
    yield f'  subgraph {_id("box", name)}["{name}"]'
    yield from (f"    {member}" for member in members)
    yield "  end"


def _node(node: Node) -> str:
    return node.id + DRAWN[node.shape].format(_escape(node.label))


def _arrow(tail: str, head: str, label: str = "") -> str:
    text = f'|"{_escape(label)}"|' if label else ""
    return f"  {tail} -->{text} {head}"


def _escape(text: str) -> str:
    """Escape a text for use between double quotes in Mermaid."""
    return text.replace('"', "#quot;")


def _id(kind: str, subsystem: str) -> str:
    return f"{kind}_{subsystem.replace('-', '_')}"
