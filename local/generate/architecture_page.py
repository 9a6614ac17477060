"""`docs/architecture.md`: the text beside this file, with its diagrams put in.

Diagrams are Mermaid's flowcharts, in the few forms that every version of it draws.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from components.blocks.naming.context import Subsystem
from local.generate import documented_graph
from local.generate.diagram_edges import CALLERS, Edge, Undrawn, edges
from local.generate.diagram_nodes import Key, Node, Shape, key, nodes
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
AT_THE_DOOR = {Shape.ENTRY, Shape.CALLER}
RINGS = {
    "budgets.amazonaws.com": "budgets",
    "cloudwatch.amazonaws.com": "alarms",
    "costalerts.amazonaws.com": "cost anomalies",
    "events.amazonaws.com": "event rules",
}


def text() -> str:
    """The whole page."""
    graph = documented_graph.graph()
    page = TEXT.read_text(encoding="utf-8").replace("{overview}", overview(graph))
    for subsystem in Subsystem:
        if f"{{{subsystem}}}" not in page:
            raise Undrawn(f"{TEXT.name} has no place for the diagram of {subsystem}: write its chapter")
        page = page.replace(f"{{{subsystem}}}", flowchart(around(graph, subsystem)))
    return page


def around(graph: Graph, subsystem: Subsystem) -> list[Edge]:
    """The arrows of one subsystem: within it, and to what is outside the program."""
    found = [one for one in edges(graph) if subsystem in {one.tail.subsystem, one.head.subsystem}]
    return sorted([*found, *_standing(graph)]) if subsystem is Subsystem.FOUNDATION else found


def flowchart(arrows: Sequence[Edge]) -> str:
    """The nodes that the arrows join, those of a subsystem in a box of its own, then the arrows."""
    groups: dict[str, list[Node]] = {}
    for one in sorted(_ends(arrows)):
        groups.setdefault(one.subsystem, []).append(one)
    lines = [line for name, members in groups.items() for line in _box(name, map(_node, members))]
    return _fenced([*lines, *(_arrow(one.tail.id, one.head.id, one.label) for one in arrows)])


def overview(graph: Graph) -> str:
    """The one diagram of the whole: who reaches which subsystem, what each asks of AWS, and what all of them stand on."""
    arrows = edges(graph)
    members = sorted({*nodes(graph).values(), *_ends(arrows)})
    asked = {one.head for one in arrows if one.tail.subsystem not in {"", Subsystem.FOUNDATION}}
    lines = [f"  {_node(CALLERS)}"]
    for subsystem in sorted({one.subsystem for one in members if one.subsystem}):
        own = [one for one in members if one.subsystem == subsystem]
        lines += _box(subsystem, map(_node, own) if subsystem == Subsystem.FOUNDATION else _summary(subsystem, own))
    lines += (f"  {_node(one)}" for one in sorted(asked) if one.shape is Shape.SERVICE)
    return _fenced([*lines, *sorted(set(_entering(arrows))), *sorted(set(_asking(arrows))), *_leaning(graph)])


def _ends(arrows: Iterable[Edge]) -> set[Node]:
    return {end for one in arrows for end in (one.tail, one.head)}


def _summary(subsystem: str, own: Sequence[Node]) -> Iterator[str]:
    """How others reach a subsystem, and how many of what it has."""
    yield from (_node(one) for one in own if one.shape in AT_THE_DOOR)
    counts = Counter(one.shape for one in own)
    said = (f"{counts[shape]} {shape}{'' if counts[shape] == 1 else 's'}" for shape in COUNTED if counts[shape])
    yield f'{_id("inside", subsystem)}["{", ".join(said)}"]'


def _entering(arrows: Iterable[Edge]) -> Iterator[str]:
    """From callers to entries, and from browsers to a subsystem's buckets."""
    for one in arrows:
        if one.tail == CALLERS:
            inside = one.head.shape not in AT_THE_DOOR
            yield _arrow(CALLERS.id, _id("inside", one.head.subsystem) if inside else one.head.id, one.label)
        elif one.tail.shape in AT_THE_DOOR and one.head.shape in COUNTED and one.tail.subsystem == one.head.subsystem:
            yield _arrow(one.tail.id, _id("inside", one.tail.subsystem))


def _asking(arrows: Iterable[Edge]) -> Iterator[str]:
    for one in arrows:
        if one.tail.subsystem and one.head.shape is Shape.SERVICE:
            yield _arrow(_id("inside", one.tail.subsystem), one.head.id)


def _leaning(graph: Graph) -> Iterator[str]:
    """Who stands on the foundation: rings there, has its accesses logged or its tables copied. The page says what."""
    leaning = {one.tail.subsystem for one in _standing(graph)}
    leaning |= {one.inputs["tags"]["Subsystem"] for one in graph.customs() if one.kind == "MetricAlarm"}
    for subsystem in sorted(leaning - {"", Subsystem.FOUNDATION}):
        yield f"  {_id('inside', subsystem)} -.-> {_id('box', Subsystem.FOUNDATION)}"


def _standing(graph: Graph) -> Iterator[Edge]:
    """What all subsystems stand on, as arrows of the foundation's own diagram: access logs, copies, who rings."""
    known = nodes(graph)
    for one in graph.customs():
        match one.kind:
            case "BucketLogging":
                target = known["s3", one.inputs["targetBucket"]]
                yield Edge(known["s3", one.inputs["bucket"]], target, "accesses")
            case "TopicPolicy":
                yield from _ringing(one.inputs["policy"], known)
            case "Selection":
                [chosen] = one.inputs["selectionTags"]
                [vault] = [node for (service, _), node in known.items() if service == "backup"]
                for table in graph.customs():
                    if table.kind == "Table" and table.inputs["tags"].get(chosen["key"]) == chosen["value"]:
                        yield Edge(known["dynamodb", table.inputs["name"]], vault, "a copy a day")


def _ringing(policy: str, known: Mapping[Key, Node]) -> Iterator[Edge]:
    for statement in json.loads(policy)["Statement"]:
        if statement["Effect"] == "Allow":
            for service in statement["Principal"]["Service"]:
                yield Edge(Node("", RINGS[service], Shape.SERVICE), known[key(statement["Resource"])], "ring")


def _fenced(lines: Iterable[str]) -> str:
    """A diagram as Markdown shows it."""
    return "\n".join(["```mermaid", "flowchart LR", *lines, "```"])


def _box(name: str, members: Iterable[str]) -> Iterator[str]:
    """Nodes in a box of their own, or without one if they belong to no subsystem."""
    if not name:
        yield from (f"  {one}" for one in members)
        return
    yield f'  subgraph {_id("box", name)}["{name}"]'
    yield from (f"    {one}" for one in members)
    yield "  end"


def _node(one: Node) -> str:
    return one.id + DRAWN[one.shape].format(_quoted(one.label))


def _arrow(tail: str, head: str, label: str = "") -> str:
    said = f'|"{_quoted(label)}"|' if label else ""
    return f"  {tail} -->{said} {head}"


def _quoted(text: str) -> str:
    """A text between double quotes."""
    return text.replace('"', "#quot;")


def _id(kind: str, subsystem: str) -> str:
    return f"{kind}_{subsystem.replace('-', '_')}"
