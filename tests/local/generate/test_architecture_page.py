"""Tests of the architecture page: valid diagrams with exactly the arrows of the resource graph.

A subsystem is one of the five backends, or the foundation, whose resources all backends use.
"""

import json

import pytest

from components.blocks.naming.context import Subsystem
from local import ROOT
from local.generate import architecture_page, documented_resource_graph, generated_files
from local.generate.architecture_page import render_overview, select_edges
from local.generate.diagram_edges import Edge, MissingFromDiagram, list_edges, list_role_statements
from local.generate.diagram_nodes import Node, Shape, map_nodes, to_node_key
from local.preview.resource_graph import Graph
from tests.local.generate.mermaid_grammar import list_diagrams, parse_diagram
from tests.whole_program import ONE_WORKER_FOR_DOCUMENTS

pytestmark = ONE_WORKER_FOR_DOCUMENTS

PAGE = ROOT / "docs" / "architecture.md"
MAX_NODES = 20


@pytest.fixture(scope="module")
def graph() -> Graph:
    return documented_resource_graph.build_stack_graph()


@pytest.fixture(scope="module")
def edges(graph: Graph) -> list[Edge]:
    return list_edges(graph)


def list_arrows(edges: list[Edge], label: str = "") -> set[tuple[str, str]]:
    """Return the names of the nodes that the arrows with a text in their label connect."""
    return {(edge.tail.name, edge.head.name) for edge in edges if label in edge.label}


def test_the_generated_pages_are_fresh() -> None:
    assert generated_files.find_stale_files(generated_files.PAGES) == [], "run `make docs` and commit the changed files"


def test_every_diagram_is_valid_mermaid_with_at_most_twenty_nodes() -> None:
    diagrams = [parse_diagram(diagram) for diagram in list_diagrams(PAGE.read_text())]
    assert len(diagrams) == 1 + len(Subsystem), "one diagram is the overview, and each subsystem has one"
    for diagram in diagrams:
        assert diagram.arrows
        assert len(diagram.nodes) <= MAX_NODES
        assert diagram.unconnected_nodes() == set()


def test_every_function_queue_store_and_workflow_except_the_audit_logs_has_an_arrow(
    graph: Graph, edges: list[Edge]
) -> None:
    connected = {end for edge in edges for end in (edge.tail, edge.head)}
    unconnected = {node.name for node in map_nodes(graph).values() if node not in connected}
    assert unconnected == {"foundation-audit-logs"}, "a node without arrows may be unused"


def test_an_arrow_connects_two_subsystems_only_if_one_is_the_foundation(edges: list[Edge]) -> None:
    # The nodes of AWS services and clients belong to no subsystem.
    subsystems = [{edge.tail.subsystem, edge.head.subsystem} - {"", "foundation"} for edge in edges]
    assert max(map(len, subsystems)) == 1


def test_every_grant_of_a_function_on_a_table_or_bucket_is_an_arrow(graph: Graph, edges: list[Edge]) -> None:
    nodes = map_nodes(graph)
    function_names = {
        function.inputs["role"].rpartition("/")[2]: nodes["lambda", function.inputs["name"]].name
        for function in graph.customs()
        if function.kind == "Function"
    }
    grants = {
        (function_names[role], nodes[to_node_key(resource)].name)
        for role, statement in list_role_statements(graph)
        if role in function_names
        for resource in statement["Resource"]
        if resource.startswith(("arn:aws:s3:", "arn:aws:dynamodb:"))
    }
    assert len(grants) > 20
    assert grants <= list_arrows(edges)


def test_every_event_source_is_an_arrow(graph: Graph, edges: list[Edge]) -> None:
    nodes = map_nodes(graph)
    mappings = [resource.inputs for resource in graph.customs() if resource.kind == "EventSourceMapping"]
    assert list_arrows(edges, "triggers") == {
        (nodes[to_node_key(mapping["eventSourceArn"])].name, nodes[to_node_key(mapping["functionName"])].name)
        for mapping in mappings
    }


def test_an_event_has_an_arrow_from_its_publisher_to_its_consumer(edges: list[Edge]) -> None:
    assert ("livestream-episodes", "livestream-deletions") in list_arrows(edges, "Episode Deleted")


def test_dead_letter_queues_are_omitted(graph: Graph) -> None:
    assert not [node.name for node in map_nodes(graph).values() if node.name.endswith(("-dlq", "-failed", "-failures"))]


def test_a_permission_on_a_service_without_a_node_is_an_error(graph: Graph, monkeypatch: pytest.MonkeyPatch) -> None:
    [policy] = [resource for resource in graph.customs() if resource.name == "ingestion-steps-grants"]
    document = json.loads(policy.inputs["policy"])
    document["Statement"].append(
        {"Effect": "Allow", "Action": ["kinesis:PutRecord"], "Resource": ["arn:aws:kinesis:us-east-1:1:stream/x"]}
    )
    monkeypatch.setitem(policy.inputs, "policy", json.dumps(document))
    with pytest.raises(MissingFromDiagram, match="kinesis:PutRecord"):
        list_edges(graph)


def test_the_overview_can_have_an_arrow_from_the_foundation_to_a_service(
    graph: Graph, edges: list[Edge], monkeypatch: pytest.MonkeyPatch
) -> None:
    vault = next(node for node in map_nodes(graph).values() if node.subsystem == Subsystem.FOUNDATION)
    added = Edge(vault, Node("", "a service", Shape.SERVICE), "calls")
    monkeypatch.setattr(architecture_page, "list_edges", lambda _graph: sorted([*edges, added]))
    [overview] = list_diagrams(f"{render_overview(graph)}\n")
    assert (added.tail.id, added.head.id) in parse_diagram(overview).arrows


def test_the_overview_connects_every_subsystem_with_the_foundation(graph: Graph) -> None:
    output = render_overview(graph)
    for subsystem in Subsystem:
        if subsystem is not Subsystem.FOUNDATION:
            assert f"inside_{subsystem.package} -.->" in output, "the dotted arrow leads to the foundation"


def test_an_arrow_leads_from_each_table_with_a_backup_to_the_foundation(graph: Graph) -> None:
    tables = {edge.tail.name for edge in select_edges(graph, Subsystem.FOUNDATION) if edge.label == "daily backup"}
    assert tables == {"ingestion-files", "livestream-null-check", "meetings-meetings", "voice-qa-sessions"}
