"""The diagrams are Mermaid, are readable, and show what the graph says: no more and no less."""

import json

import pytest

from components.blocks.naming.context import Subsystem
from local import ROOT
from local.__main__ import main
from local.generate import documented_graph, generated_files
from local.generate.architecture_page import around, flowchart, overview
from local.generate.diagram_edges import Edge, Undrawn, edges, statements
from local.generate.diagram_nodes import Node, Shape, key, nodes
from local.preview.resource_graph import Graph
from tests.local.generate.mermaid_grammar import blocks, parsed
from tests.whole_program import DOCUMENTED

pytestmark = DOCUMENTED

PAGE = ROOT / "docs" / "architecture.md"
MOST_NODES = 20


@pytest.fixture(scope="module")
def graph() -> Graph:
    return documented_graph.graph()


@pytest.fixture(scope="module")
def arrows(graph: Graph) -> list[Edge]:
    return edges(graph)


def test_the_generated_pages_are_fresh() -> None:
    assert generated_files.stale(generated_files.PAGES) == [], "run `make docs` and commit what it writes"


def test_every_diagram_is_mermaid_and_small_enough_to_read() -> None:
    diagrams = [parsed(one) for one in blocks(PAGE.read_text())]
    assert len(diagrams) == 1 + len(Subsystem), "one of the whole and one a subsystem"
    for found in diagrams:
        assert found.arrows
        assert len(found.nodes) <= MOST_NODES
        assert found.alone() == set()


def test_a_quote_in_a_label_does_not_end_it() -> None:
    one = Node("ingestion", 'ingestion-a"b', Shape.QUEUE)
    parsed(flowchart([Edge(one, one, 'says "x"')]).removeprefix("```mermaid\n").removesuffix("```"))


def test_every_function_queue_store_and_workflow_is_somewhere(graph: Graph, arrows: list[Edge]) -> None:
    joined = {end for one in arrows for end in (one.tail, one.head)}
    alone = {one.name for one in nodes(graph).values() if one not in joined}
    assert alone == {"foundation-audit-logs"}, "nothing reaches it: is it used?"


def test_no_subsystem_reaches_into_another(arrows: list[Edge]) -> None:
    crossing = [
        one
        for one in arrows
        if one.tail.subsystem != one.head.subsystem
        and {one.tail.subsystem, one.head.subsystem}.isdisjoint({"", "foundation"})
    ]
    assert crossing == []


def test_every_grant_of_a_function_on_a_table_or_bucket_is_an_arrow(graph: Graph, arrows: list[Edge]) -> None:
    known, drawn = nodes(graph), {(one.tail.name, one.head.name) for one in arrows}
    functions = {
        one.inputs["role"].rpartition("/")[2]: known["lambda", one.inputs["name"]].name
        for one in graph.customs()
        if one.kind == "Function"
    }
    checked = 0
    for role, statement in statements(graph):
        for resource in statement["Resource"] if role in functions else ():
            if resource.split(":")[2:3] in (["s3"], ["dynamodb"]):
                assert (functions[role], known[key(resource)].name) in drawn
                checked += 1
    assert checked > 40


def test_every_event_source_is_an_arrow(graph: Graph, arrows: list[Edge]) -> None:
    known, woken = nodes(graph), {(one.tail.name, one.head.name) for one in arrows if "triggers" in one.label}
    mappings = [one.inputs for one in graph.customs() if one.kind == "EventSourceMapping"]
    assert woken == {(known[key(one["eventSourceArn"])].name, known[key(one["functionName"])].name) for one in mappings}


def test_an_event_goes_from_whoever_may_send_it_to_whoever_waits_for_it(arrows: list[Edge]) -> None:
    found = {(one.tail.name, one.head.name) for one in arrows if "Episode Deleted" in one.label}
    assert ("livestream-episodes", "livestream-deletions") in found


def test_dead_letters_and_alarms_are_left_out(graph: Graph) -> None:
    assert not [one.name for one in nodes(graph).values() if one.name.endswith(("-dlq", "-failed", "-failures"))]


def test_a_grant_that_nothing_knows_stops_the_page(graph: Graph, monkeypatch: pytest.MonkeyPatch) -> None:
    [policy] = [one for one in graph.customs() if one.name == "ingestion-steps-grants"]
    document = json.loads(policy.inputs["policy"])
    document["Statement"].append(
        {"Effect": "Allow", "Action": ["kinesis:PutRecord"], "Resource": ["arn:aws:kinesis:us-east-1:1:stream/x"]}
    )
    monkeypatch.setitem(policy.inputs, "policy", json.dumps(document))
    with pytest.raises(Undrawn, match="kinesis:PutRecord"):
        edges(graph)


def test_who_makes_the_pages_is_told_what_they_lack(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def lacks() -> str:
        raise Undrawn("write its chapter")

    monkeypatch.setattr(generated_files, "PAGES", {"docs/architecture.md": lacks})
    assert main(["generate", "pages"]) == 2
    assert capsys.readouterr().err == "write its chapter\n"


def test_the_foundation_is_what_every_subsystem_stands_on(graph: Graph) -> None:
    said = overview(graph)
    for subsystem in Subsystem:
        if subsystem is not Subsystem.FOUNDATION:
            assert f"inside_{subsystem.package} -.->" in said
    copied = {one.tail.name for one in around(graph, Subsystem.FOUNDATION) if one.label == "daily backup"}
    assert copied == {"ingestion-files", "livestream-null-check", "meetings-meetings", "voice-qa-sessions"}
