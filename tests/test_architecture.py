"""Test of the page about the architecture: its diagrams have every queue, store and workflow of production."""

import re

import pytest

from local import ROOT
from local.generate.documented_resource_graph import build_stack_graph
from tests.whole_program import ONE_WORKER_FOR_DOCUMENTS

pytestmark = ONE_WORKER_FOR_DOCUMENTS

PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
DIAGRAMS = "\n".join(re.findall(r"^```mermaid\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL))
SHAPES = {
    "Function": '("',
    "Queue": '[/"',
    "Table": '[("',
    "Bucket": '[("',
    "StateMachine": '{{"',
}
"""Start of a node's text in Mermaid, by the kind of its resource."""
DEAD_LETTERS = ("-dlq", "-failed", "-failed-events")
"""Suffixes of the names of dead-letter queues, which the diagrams omit."""


def list_expected_nodes(kind: str) -> set[str]:
    """Return the nodes for the resources of a kind. The id of a node is the logical name of its resource."""
    names = {resource.name.rpartition("-")[0] for resource in build_stack_graph().customs() if resource.kind == kind}
    return {name.replace("-", "_") for name in names if not name.endswith(DEAD_LETTERS)}


@pytest.mark.parametrize("kind", SHAPES)
def test_the_diagrams_have_every_queue_store_and_workflow(kind: str) -> None:
    drawn_nodes = set(re.findall(rf"\b(\w+){re.escape(SHAPES[kind])}", DIAGRAMS))
    expected_nodes = list_expected_nodes(kind)
    assert expected_nodes
    if kind != "Function":
        assert expected_nodes - drawn_nodes == set()
    if kind in {"Function", "StateMachine"}:  # other resources have the shapes of stores and queues too
        assert drawn_nodes - expected_nodes == set(), "a node must not outlive its resource"
