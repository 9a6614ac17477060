"""The part of Mermaid's grammar that the diagrams may use, strictly: whatever is not of it is refused.

Small because every form in it was put to Mermaid's own parser; a new form has to be, too, before it is added.
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
    """A line that is not of the grammar, or speaks of what was not declared."""


@dataclass
class Flowchart:
    """What was declared and joined."""

    nodes: dict[str, str] = field(default_factory=dict)
    """With the box that each stands in, or nothing."""
    boxes: list[str] = field(default_factory=list)
    arrows: list[tuple[str, str]] = field(default_factory=list)

    def alone(self) -> set[str]:
        """Nodes that no arrow reaches, not even by their box."""
        joined = {end for arrow in self.arrows for end in arrow}
        return {node for node, box in self.nodes.items() if node not in joined and box not in joined}


def blocks(page: str) -> Iterator[str]:
    """Every diagram of a page."""
    for found in re.finditer(r"^```mermaid\n(.*?)^```$", page, re.MULTILINE | re.DOTALL):
        yield found[1]


def parsed(diagram: str) -> Flowchart:
    """A diagram that every version of Mermaid draws; Refused where it is not one."""
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
    """Adds a line; gives the box that the next one stands in."""
    if found := BOX.fullmatch(line):
        if box or found[1] in chart.boxes:
            raise Refused(f"a box within a box, or one of the same name: {line}")
        chart.boxes.append(found[1])
        return found[1]
    if line == "  end":
        if not box:
            raise Refused("an end without a beginning")
        return ""
    if found := NODE.fullmatch(line):
        if found[1] in {*chart.nodes, *chart.boxes}:
            raise Refused(f"a name that is declared twice: {line}")
        chart.nodes[found[1]] = box
    elif found := ARROW.fullmatch(line):
        chart.arrows.append((found[1], found[2]))
    else:
        raise Refused(line)
    return box
