"""Generator of `docs/architecture.md`: fills an overview and a diagram for each subsystem into `architecture_page.md`.

The foundation, which all subsystems use, is drawn like a subsystem. `diagram_nodes` and `diagram_edges` derive the nodes
and edges from the program's resources. This module draws them as Mermaid flowcharts, with syntax that every version of
Mermaid supports.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from components.blocks.naming.context import Subsystem
from local.generate import documented_resource_graph
from local.generate.diagram_edges import CALLERS, Edge, MissingFromDiagram, list_edges
from local.generate.diagram_nodes import Key, Node, Shape, map_nodes, to_node_key
from local.preview.resource_graph import Graph

TEMPLATE = Path(__file__).with_suffix(".md")
"""Text of the page, with placeholders in braces for the diagrams."""
NODE_SYNTAX = {
    Shape.FUNCTION: '("{}")',
    Shape.QUEUE: '[/"{}"/]',
    Shape.STORE: '[("{}")]',
    Shape.WORKFLOW: '{{{{"{}"}}}}',
    Shape.JOB: '[["{}"]]',
    Shape.API: '>"{}"]',
    Shape.CALLER: '(["{}"])',
    Shape.SERVICE: '["{}"]',
}
"""Mermaid's syntax for a node of each shape, with a placeholder for the label."""
COUNTED_SHAPES = (Shape.FUNCTION, Shape.QUEUE, Shape.STORE, Shape.WORKFLOW, Shape.JOB)
"""Shapes of nodes that the overview only counts, in one summary node for each subsystem."""
ENTRY_SHAPES = {Shape.API, Shape.CALLER}
"""Shapes of a subsystem's entries, which the overview draws one by one. An entry is an API or a caller."""
ALERT_SOURCES = {
    # Label of each service that publishes to the topic of alerts, by service principal.
    "budgets.amazonaws.com": "budgets",
    "cloudwatch.amazonaws.com": "alarms",
    "costalerts.amazonaws.com": "cost anomalies",
    "events.amazonaws.com": "event rules",
}


def render_page() -> str:
    """Return the page."""
    graph = documented_resource_graph.build_stack_graph()
    page = TEMPLATE.read_text(encoding="utf-8").replace("{overview}", render_overview(graph))
    for subsystem in Subsystem:
        if f"{{{subsystem}}}" not in page:
            raise MissingFromDiagram(
                f"{TEMPLATE.name} lacks {{{subsystem}}}. Add a chapter with this placeholder for the diagram."
            )
        page = page.replace(f"{{{subsystem}}}", render_flowchart(select_edges(graph, subsystem)))
    return page


def select_edges(graph: Graph, subsystem: Subsystem) -> list[Edge]:
    """Return the edges that start or end in a subsystem. For the foundation, add the edges that only its diagram has."""
    edges = [edge for edge in list_edges(graph) if subsystem in {edge.tail.subsystem, edge.head.subsystem}]
    return sorted([*edges, *_list_foundation_edges(graph)]) if subsystem is Subsystem.FOUNDATION else edges


def render_flowchart(edges: Sequence[Edge]) -> str:
    """Return a flowchart of the edges and their nodes, with one box for each subsystem."""
    groups: dict[str, list[Node]] = {}
    for node in sorted(_list_ends(edges)):
        groups.setdefault(node.subsystem, []).append(node)
    lines = [line for name, members in groups.items() for line in _render_box(name, map(_render_node, members))]
    return _render_code_block([*lines, *(_render_arrow(edge.tail.id, edge.head.id, edge.label) for edge in edges)])


def render_overview(graph: Graph) -> str:
    """Return the diagram of the whole platform: callers, subsystems, the foundation, and the services that they call."""
    edges = list_edges(graph)
    members = sorted({*map_nodes(graph).values(), *_list_ends(edges)})
    calls = [edge for edge in edges if edge.tail.subsystem and edge.head.shape is Shape.SERVICE]
    lines = [f"  {_render_node(CALLERS)}"]
    for subsystem in sorted({node.subsystem for node in members if node.subsystem}):
        subsystem_nodes = [node for node in members if node.subsystem == subsystem]
        is_foundation = subsystem == Subsystem.FOUNDATION
        shown_nodes = (
            map(_render_node, subsystem_nodes) if is_foundation else _render_summary(subsystem, subsystem_nodes)
        )
        lines += _render_box(subsystem, shown_nodes)
    lines += (f"  {_render_node(service)}" for service in sorted({edge.head for edge in calls}))
    entry_arrows = sorted(set(_render_entry_arrows(edges)))
    service_arrows = sorted(set(_render_service_arrows(calls)))
    return _render_code_block([*lines, *entry_arrows, *service_arrows, *_render_foundation_users(graph)])


def _list_ends(edges: Iterable[Edge]) -> set[Node]:
    return {end for edge in edges for end in (edge.tail, edge.head)}


def _render_summary(subsystem: str, subsystem_nodes: Sequence[Node]) -> Iterator[str]:
    """Yield the entries of a subsystem, and its summary node, for example `3 functions, 2 queues, 1 store`."""
    yield from (_render_node(node) for node in subsystem_nodes if node.shape in ENTRY_SHAPES)
    counts = Counter(node.shape for node in subsystem_nodes)
    parts = (f"{counts[shape]} {shape}{'' if counts[shape] == 1 else 's'}" for shape in COUNTED_SHAPES if counts[shape])
    yield f'{_create_id("inside", subsystem)}["{", ".join(parts)}"]'


def _render_entry_arrows(edges: Iterable[Edge]) -> Iterator[str]:
    """Yield the arrows from callers to entries, and from each entry to the summary node of its subsystem.

    If callers reach a bucket directly, the arrow ends at the summary node, which stands for the bucket.
    """
    for edge in edges:
        if edge.tail == CALLERS:
            is_entry = edge.head.shape in ENTRY_SHAPES
            head = edge.head.id if is_entry else _create_id("inside", edge.head.subsystem)
            yield _render_arrow(CALLERS.id, head, edge.label)
            continue
        starts_at_entry = edge.tail.shape in ENTRY_SHAPES
        stays_in_subsystem = edge.tail.subsystem == edge.head.subsystem
        if starts_at_entry and stays_in_subsystem and edge.head.shape in COUNTED_SHAPES:
            yield _render_arrow(edge.tail.id, _create_id("inside", edge.tail.subsystem))


def _render_service_arrows(calls: Iterable[Edge]) -> Iterator[str]:
    """Yield an arrow to each service from the subsystem's summary node, or in the foundation, from the calling node."""
    for call in calls:
        is_foundation = call.tail.subsystem == Subsystem.FOUNDATION
        yield _render_arrow(call.tail.id if is_foundation else _create_id("inside", call.tail.subsystem), call.head.id)


def _render_foundation_users(graph: Graph) -> Iterator[str]:
    """Yield a dotted arrow to the foundation from each subsystem that has alarms, access logs or backups."""
    users = {edge.tail.subsystem for edge in _list_foundation_edges(graph)}
    users |= {resource.inputs["tags"]["Subsystem"] for resource in graph.customs() if resource.kind == "MetricAlarm"}
    for subsystem in sorted(users - {"", Subsystem.FOUNDATION}):
        yield f"  {_create_id('inside', subsystem)} -.-> {_create_id('box', Subsystem.FOUNDATION)}"


def _list_foundation_edges(graph: Graph) -> Iterator[Edge]:
    """Yield the edges that only the foundation's diagram shows: access logs, backups, and publishers of alerts."""
    nodes_by_key = map_nodes(graph)
    for resource in graph.customs():
        match resource.kind:
            case "BucketLogging":
                target = nodes_by_key["s3", resource.inputs["targetBucket"]]
                yield Edge(nodes_by_key["s3", resource.inputs["bucket"]], target, "access logs")
            case "TopicPolicy":
                yield from _list_alert_edges(resource.inputs["policy"], nodes_by_key)
            case "Selection":  # a backup selection, which chooses tables by a tag
                [tag] = resource.inputs["selectionTags"]
                [vault] = [node for (service, _), node in nodes_by_key.items() if service == "backup"]
                for table in graph.customs():
                    if table.kind == "Table" and table.inputs["tags"].get(tag["key"]) == tag["value"]:
                        yield Edge(nodes_by_key["dynamodb", table.inputs["name"]], vault, "daily backup")


def _list_alert_edges(policy: str, nodes_by_key: Mapping[Key, Node]) -> Iterator[Edge]:
    for statement in json.loads(policy)["Statement"]:
        if statement["Effect"] == "Allow":
            for service in statement["Principal"]["Service"]:
                source = Node("", ALERT_SOURCES[service], Shape.SERVICE)
                yield Edge(source, nodes_by_key[to_node_key(statement["Resource"])], "publish")


def _render_code_block(lines: Iterable[str]) -> str:
    """Return a flowchart as a Markdown code block."""
    return "\n".join(["```mermaid", "flowchart LR", *lines, "```"])


def _render_box(name: str, members: Iterable[str]) -> Iterator[str]:
    """Yield nodes in a box with a name, or without a box if the name is empty."""
    if not name:
        yield from (f"  {member}" for member in members)
        return
    yield f'  subgraph {_create_id("box", name)}["{name}"]'
    yield from (f"    {member}" for member in members)
    yield "  end"


def _render_node(node: Node) -> str:
    return node.id + NODE_SYNTAX[node.shape].format(_escape(node.label))


def _render_arrow(tail: str, head: str, label: str = "") -> str:
    text = f'|"{_escape(label)}"|' if label else ""
    return f"  {tail} -->{text} {head}"


def _escape(text: str) -> str:
    """Escape a text for use between double quotes in Mermaid."""
    return text.replace('"', "#quot;")


def _create_id(kind: str, subsystem: str) -> str:
    """Return the identifier of a subsystem's box (`box`), or of its summary node (`inside`)."""
    return f"{kind}_{subsystem.replace('-', '_')}"
