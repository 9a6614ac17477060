"""Tests that the faster replacements of functions of the Pulumi SDK return the same results as the originals."""

from contextlib import nullcontext, suppress
from operator import attrgetter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pulumi.output import Unknown
from pulumi.runtime import rpc

from local.preview import program_run
from local.preview.faster_sdk import contains_unknowns, use_faster_sdk
from tests.whole_program import ONE_WORKER, backend_alone, run_whole_program

UNKNOWN: Any = Unknown
"""The class of unknown values, as `Any`, because its constructor has no annotations."""
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


COMPARED_FIELDS = attrgetter("urn", "id", "parent", "inputs", "outputs", "depends_on", "property_dependencies")


@ONE_WORKER
def test_the_program_registers_the_same_resources_with_and_without_the_replacements(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # With a network, because many inputs depend on a subnet's id, which is unknown in a preview.
    config = backend_alone("dev", "ingestion", networkAttached=True)
    run_with_replacements = run_whole_program(config)
    monkeypatch.setattr(program_run, "use_faster_sdk", nullcontext)
    run_with_sdk = run_whole_program(config)
    assert sorted(map(COMPARED_FIELDS, run_with_replacements.graph)) == sorted(map(COMPARED_FIELDS, run_with_sdk.graph))
    assert run_with_replacements.outputs == run_with_sdk.outputs
    assert run_with_replacements.messages == run_with_sdk.messages


def test_the_functions_of_the_sdk_are_restored_after_an_error() -> None:
    original = rpc.contains_unknowns
    with suppress(ZeroDivisionError), use_faster_sdk():
        assert rpc.contains_unknowns is not original
        raise ZeroDivisionError
    assert rpc.contains_unknowns is original
