"""Tests that the faster replacements return the same results as the SDK's functions."""

from contextlib import nullcontext
from operator import attrgetter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pulumi.output import Unknown
from pulumi.runtime import rpc

from local.preview import program_run
from local.preview.faster_sdk import contains_unknowns, use_faster_sdk
from tests.whole_program import ONE_WORKER, ONLY_INGESTION, changed_in, recorded

UNKNOWN: Any = Unknown
"""Typed here, because the SDK's function has no annotations."""
TEXTS = st.text("ab", max_size=2)
LEAVES = st.none() | TEXTS | st.integers() | st.builds(UNKNOWN)
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner))


@given(VALUES)
def test_an_unknown_value_is_found_at_any_depth(value: Any) -> None:
    assert contains_unknowns(value) == rpc.contains_unknowns(value)


def test_a_value_that_contains_itself_is_searched_once() -> None:
    value: list[object] = [{}]
    value.append({"itself": value})
    assert not contains_unknowns(value)
    value.append([UNKNOWN()])
    assert contains_unknowns(value)


def test_a_property_may_have_the_name_of_a_dict_method() -> None:
    class Filter(dict[str, object]):
        values = ("shadows", "the method")  # type: ignore[assignment]

    assert contains_unknowns(Filter(one=UNKNOWN()))
    assert not contains_unknowns(Filter(one="1"))


read_facts = attrgetter("urn", "id", "parent", "inputs", "outputs", "depends_on", "property_dependencies")


@ONE_WORKER
def test_a_run_registers_the_same_resources_with_the_sdks_functions(monkeypatch: pytest.MonkeyPatch) -> None:
    # With a network, because many inputs depend on a subnet's id, which is unknown in a preview.
    config = changed_in("dev", {"ingestion": {"networkAttached": True}, **ONLY_INGESTION})
    ours = recorded(config)
    monkeypatch.setattr(program_run, "use_faster_sdk", nullcontext)
    theirs = recorded(config)
    assert sorted(map(read_facts, ours.graph)) == sorted(map(read_facts, theirs.graph))
    assert (ours.outputs, ours.messages) == (theirs.outputs, theirs.messages)


def test_the_sdks_functions_are_restored_also_after_a_failure() -> None:
    before = rpc.contains_unknowns

    def fail() -> None:
        with use_faster_sdk():
            assert rpc.contains_unknowns is not before
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert rpc.contains_unknowns is before
