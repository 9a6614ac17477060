"""`docs/security.md`: the text beside this file, with its tables put in."""

from collections.abc import Iterator
from pathlib import Path

from components.blocks.context import Subsystem
from local.graph import Graph
from local.pages import documented, entries, grants

TEXT = Path(__file__).with_suffix(".md")


def text() -> str:
    """The whole page."""
    graph = documented.graph()
    page = TEXT.read_text(encoding="utf-8")
    parts = {
        "entries": entries.entries(graph),
        "roles": _roles(graph),
        "admitted": grants.admitted(graph),
        "exceptions": entries.exceptions(),
    }
    for name, lines in parts.items():
        page = page.replace(f"{{{name}}}", "\n".join(lines).strip("\n"))
    return page


def _roles(graph: Graph) -> Iterator[str]:
    for subsystem in Subsystem:
        yield f"\n### {subsystem.capitalize()}"
        yield from grants.roles(graph, subsystem)
