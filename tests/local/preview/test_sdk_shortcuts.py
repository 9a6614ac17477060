"""The SDK's functions that the local platform does in fewer steps give what the SDK's own give."""

from contextlib import nullcontext
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pulumi.output import Unknown
from pulumi.runtime import rpc

from local.preview import program_run
from local.preview.resource_graph import Graph
from local.preview.sdk_shortcuts import contains_unknowns, quicker_sdk
from tests.whole_program import ONE_WORKER, changed, recorded

UNKNOWN: Any = Unknown
"""The SDK says nothing of its type."""
LEAVES = st.none() | st.text(max_size=2) | st.integers() | st.builds(UNKNOWN)
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=2), inner))


@given(VALUES)
def test_what_is_unknown_is_found_wherever_it_is(value: Any) -> None:
    assert contains_unknowns(value) == rpc.contains_unknowns(value)


def test_a_value_that_holds_itself_has_an_end() -> None:
    value: list[object] = [{}]
    value.append({"itself": value})
    assert not contains_unknowns(value)
    value.append([UNKNOWN()])
    assert contains_unknowns(value)


def test_a_property_may_be_called_as_a_method_of_dictionaries_is() -> None:
    class Filter(dict[str, object]):
        values = ("shadows", "the method")  # type: ignore[assignment]

    assert contains_unknowns(Filter(one=UNKNOWN()))
    assert not contains_unknowns(Filter(one="1"))


def facts(graph: Graph) -> dict[str, tuple[Any, ...]]:
    return {one.urn: (one.id, one.parent, one.inputs, one.outputs, one.depends_on, one.made_of) for one in graph}


@ONE_WORKER
def test_a_stack_is_the_same_with_the_sdks_own(monkeypatch: pytest.MonkeyPatch) -> None:
    # With a network: of a subnet's id, which no preview knows, most is made that is unknown.
    config = changed("dev", "ingestion", networkAttached=True)
    ours = recorded(config)
    monkeypatch.setattr(program_run, "quicker_sdk", nullcontext)
    theirs = recorded(config)
    assert facts(ours.graph) == facts(theirs.graph)
    assert (ours.outputs, ours.messages) == (theirs.outputs, theirs.messages)


def test_the_sdk_is_as_it_was_afterwards_also_after_a_failure() -> None:
    before = rpc.contains_unknowns

    def fail() -> None:
        with quicker_sdk():
            assert rpc.contains_unknowns is not before
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert rpc.contains_unknowns is before
