"""Strict parser for the part of Mermaid's grammar that the diagrams may use.

Each supported form was checked with Mermaid's own parser. Check a new form in the same way before you add it.
"""

import re
from dataclasses import dataclass, field

ID = r"[a-z][a-z0-9_]*"
TEXT = r'"[^"\n<>]*"'
SHAPES = "|".join(
    (
        rf"\({TEXT}\)",
        rf"\[/{TEXT}/\]",
        rf"\[\({TEXT}\)\]",
        rf"\{{\{{{TEXT}\}}\}}",
        rf"\[\[{TEXT}\]\]",
        rf">{TEXT}\]",
        rf"\(\[{TEXT}\]\)",
        rf"\[{TEXT}\]",
    )
)
LINE = re.compile(
    rf" +(?P<node>{ID})(?:{SHAPES})"
    rf"|  (?P<tail>{ID}) (?:-->|-\.->)(?:\|{TEXT}\|)? (?P<head>{ID})"
    rf"|  subgraph (?P<box>{ID})\[{TEXT}\]"
    r"|  (?P<end>end)"
)
RESERVED = {"end", "graph", "subgraph", "flowchart", "class", "style", "click", "default", "linkstyle", "direction"}


@dataclass
class Flowchart:
    """Nodes and arrows of a flowchart."""

    nodes: dict[str, str] = field(default_factory=dict)
    """Nodes with the box that contains them, or an empty text."""
    boxes: list[str] = field(default_factory=list)
    arrows: list[tuple[str, str]] = field(default_factory=list)

    def unconnected_nodes(self) -> set[str]:
        """Return the nodes without an arrow to them or to their box."""
        ends = {end for arrow in self.arrows for end in arrow}
        return {node for node, box in self.nodes.items() if node not in ends and box not in ends}


def list_diagrams(page: str) -> list[str]:
    """Return the diagrams of a page."""
    return re.findall(r"^```mermaid\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)


def parse_diagram(diagram: str) -> Flowchart:
    """Parse a diagram. Fail if it has a form that some version of Mermaid may not draw."""
    head, *lines = diagram.splitlines()
    assert head == "flowchart LR"
    chart = Flowchart()
    current_box = ""
    for line in lines:
        match = LINE.fullmatch(line)
        assert match, f"unsupported form: {line}"
        if match["box"]:
            assert not current_box, f"a box within a box: {line}"
            current_box = match["box"]
            chart.boxes.append(current_box)
        elif match["end"]:
            assert current_box, "an end without a box"
            current_box = ""
        elif match["node"]:
            assert match["node"] not in chart.nodes, f"the node is declared twice: {line}"
            chart.nodes[match["node"]] = current_box
        else:
            chart.arrows.append((match["tail"], match["head"]))
    assert not current_box, "a box has no end"
    assert len(set(chart.boxes)) == len(chart.boxes), "two boxes have the same name"
    assert set(chart.boxes).isdisjoint(chart.nodes), "a box and a node have the same name"
    assert {end for arrow in chart.arrows for end in arrow} <= {*chart.nodes, *chart.boxes}, (
        "an arrow has an undeclared end"
    )
    assert RESERVED.isdisjoint({*chart.nodes, *chart.boxes}), "a name is a keyword of Mermaid"
    return chart
