"""`docs/architecture.md`: the text beside this file, with its diagrams put in."""

from pathlib import Path

from components.blocks.context import Subsystem
from local.graph import Graph
from local.pages import documented, overview
from local.pages.edges import Edge, Undrawn, edges
from local.pages.mermaid import flowchart
from local.pages.standing import standing

TEXT = Path(__file__).with_suffix(".md")


def text() -> str:
    """The whole page."""
    graph = documented.graph()
    page = TEXT.read_text(encoding="utf-8").replace("{overview}", overview.diagram(graph))
    for subsystem in Subsystem:
        if f"{{{subsystem}}}" not in page:
            raise Undrawn(f"{TEXT.name} has no place for the diagram of {subsystem}: write its chapter")
        page = page.replace(f"{{{subsystem}}}", flowchart(around(graph, subsystem)))
    return page


def around(graph: Graph, subsystem: Subsystem) -> list[Edge]:
    """The arrows of one subsystem: within it, and to what is outside the program."""
    found = [one for one in edges(graph) if subsystem in {one.tail.subsystem, one.head.subsystem}]
    return sorted([*found, *standing(graph)]) if subsystem is Subsystem.FOUNDATION else found
