"""Strict parser for the part of Mermaid's grammar that the diagrams may use.

Each supported form was checked with Mermaid's own parser. Check a new form in the same way before you add it.
"""

import re
from collections.abc import Iterator
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
NODE = re.compile(rf" +({ID})(?:{SHAPES})")
ARROW = re.compile(rf"  ({ID}) (?:-->|-\.->)(?:\|{TEXT}\|)? ({ID})")
BOX = re.compile(rf"  subgraph ({ID})\[{TEXT}\]")
RESERVED = {"end", "graph", "subgraph", "flowchart", "class", "style", "click", "default", "linkstyle", "direction"}


class Refused(Exception):
    """A line does not match the grammar or uses an undeclared node."""


@dataclass
class Flowchart:
    """Nodes and arrows of a flowchart."""

    nodes: dict[str, str] = field(default_factory=dict)
    """Nodes with the box that contains them, or an empty text."""
    boxes: list[str] = field(default_factory=list)
    arrows: list[tuple[str, str]] = field(default_factory=list)

    def alone(self) -> set[str]:
        """Return the nodes without an arrow to them or to their box."""
        joined = {end for arrow in self.arrows for end in arrow}
        return {node for node, box in self.nodes.items() if node not in joined and box not in joined}


def blocks(page: str) -> Iterator[str]:
    """Return the diagrams of a page."""
    for match in re.finditer(r"^```mermaid\n(.*?)^```$", page, re.MULTILINE | re.DOTALL):
        yield match[1]


def parsed(diagram: str) -> Flowchart:
    """Parse a diagram. Raise Refused if a version of Mermaid might not draw it."""
    head, *lines = diagram.splitlines()
    if head != "flowchart LR":
        raise Refused(head)
    chart = Flowchart()
    box = ""
    for line in lines:
        box = _read(line, chart, box)
    if box:
        raise Refused("a box that does not end")
    declared = {*chart.nodes, *chart.boxes}
    if undeclared := {end for arrow in chart.arrows for end in arrow} - declared:
        raise Refused(f"never declared: {sorted(undeclared)}")
    if taken := RESERVED & declared:
        raise Refused(f"words of Mermaid's own: {sorted(taken)}")
    return chart


def _read(line: str, chart: Flowchart, box: str) -> str:
    """Parse a line; return the name of the box that contains the next line."""
    if match := BOX.fullmatch(line):
        if box or match[1] in chart.boxes:
            raise Refused(f"a box within a box, or one of the same name: {line}")
        chart.boxes.append(match[1])
        return match[1]
    if line == "  end":
        if not box:
            raise Refused("an end without a beginning")
        return ""
    if match := NODE.fullmatch(line):
        if match[1] in {*chart.nodes, *chart.boxes}:
            raise Refused(f"a name that is declared twice: {line}")
        chart.nodes[match[1]] = box
    elif match := ARROW.fullmatch(line):
        chart.arrows.append((match[1], match[2]))
    else:
        raise Refused(line)
    return box
