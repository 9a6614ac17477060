"""Tests of physical names, the names of resources on AWS: within every service's limit, stable and unique."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.blocks.naming.context import Subsystem
from components.blocks.naming.physical_names import InvalidName, Kind, physical_name, stack_part, underscored_name
from tests.fake_engine import context

part = st.from_regex(r"\A[a-z0-9]{1,20}(-[a-z0-9]{1,20}){0,4}\Z")
account = st.from_regex(r"\A[0-9]{12}\Z")


@given(kind=st.sampled_from(Kind), parts=st.lists(part, min_size=1, max_size=5), suffix=st.one_of(st.just(""), account))
def test_a_name_fits_its_services_limit_and_alphabet(kind: Kind, parts: list[str], suffix: str) -> None:
    name = physical_name(kind, parts, suffix)
    assert len(name) <= kind.limit
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name)
    assert name == physical_name(kind, parts, suffix)
    assert name.endswith(suffix)


@given(
    kind=st.sampled_from(Kind),
    first_parts=st.lists(part, min_size=1, max_size=5),
    second_parts=st.lists(part, min_size=1, max_size=5),
)
def test_two_different_names_stay_different_after_shortening(
    kind: Kind, first_parts: list[str], second_parts: list[str]
) -> None:
    if "-".join(first_parts) != "-".join(second_parts):
        assert physical_name(kind, first_parts) != physical_name(kind, second_parts)


@pytest.mark.parametrize(("kind", "max_length"), [(Kind.COMPUTE_ENVIRONMENT, 128), (Kind.SECURITY_GROUP, 255)])
def test_a_name_prefix_leaves_room_for_the_providers_suffix(kind: Kind, max_length: int) -> None:
    """The provider's suffix is a hyphen and 26 characters."""
    assert len(physical_name(kind, ["x" * 300])) + 1 + 26 <= max_length


def test_only_a_long_name_is_changed_and_keeps_its_start_and_ends_in_a_hash() -> None:
    assert physical_name(Kind.QUEUE, ["polyphony", "dev", "ingestion", "intake"]) == "polyphony-dev-ingestion-intake"
    name = physical_name(Kind.ROLE, ["polyphony", "dev", "ingestion", "x" * 60])
    assert len(name) == 64
    assert re.fullmatch(r"polyphony-dev-ingestion-x+-[0-9a-f]{8}", name)


@pytest.mark.parametrize("invalid_part", ["Upper", "a--b", "-a", "a-", "a_b", "", "ü"])
def test_a_part_outside_the_alphabet_is_refused(invalid_part: str) -> None:
    with pytest.raises(InvalidName, match="cannot be part of"):
        physical_name(Kind.QUEUE, ["polyphony", invalid_part])


def test_similar_stack_names_stay_different_and_need_a_letter_or_digit() -> None:
    assert [stack_part(stack) for stack in ("dev", "feature-x", "2026")] == ["dev", "feature-x", "2026"]
    parts = [stack_part(stack) for stack in ("feature-x", "feature/x", "Feature-X", "feature_x")]
    assert len(set(parts)) == 4
    assert all(name_part.startswith("feature-x") for name_part in parts)
    with pytest.raises(InvalidName, match="has no letter or digit"):
        stack_part("___")


def test_two_resources_with_the_same_name_are_refused() -> None:
    named_context = context(stack="a")
    named_context.name(Kind.QUEUE, Subsystem.INGESTION, "x")
    assert named_context.name(Kind.QUEUE, Subsystem.INGESTION, "x")  # the same resource may get its name again
    # Another resource, `z` of the foundation, already has the name that the next call would return.
    named_context._reserved_names[Kind.QUEUE, "polyphony-a-ingestion-y"] = ("foundation", "z")
    with pytest.raises(InvalidName, match="two queues would have the name polyphony-a-ingestion-y"):
        named_context.name(Kind.QUEUE, Subsystem.INGESTION, "y")


word_strategy = st.from_regex(r"\A[a-zA-Z][a-zA-Z0-9]{0,60}\Z")


@given(stack=part, other_stack=part, word=word_strategy, other_word=word_strategy)
def test_underscored_names_fit_and_stay_unique(stack: str, other_stack: str, word: str, other_word: str) -> None:
    name = underscored_name(Kind.MEMORY, ["polyphony", stack], word)
    assert re.fullmatch(r"[a-zA-Z][a-zA-Z0-9_]{0,47}", name)
    if (stack, word) != (other_stack, other_word):
        assert name != underscored_name(Kind.MEMORY, ["polyphony", other_stack], other_word)


def test_an_underscored_name_ends_in_one_word_and_is_used_once() -> None:
    for invalid_word in ("", "1st", "a-b", "a_b", "ü"):
        with pytest.raises(InvalidName, match="Begin with a letter"):
            underscored_name(Kind.MEMORY, ["polyphony", "dev"], invalid_word)
    named_context = context()
    assert named_context.underscored_name(Kind.MEMORY, Subsystem.LIVESTREAM, "memory") == "polyphony_test_memory"
    with pytest.raises(InvalidName, match="two memory stores would have the name polyphony_test_memory"):
        named_context.underscored_name(Kind.MEMORY, Subsystem.VOICE_QA, "memory")


def test_the_names_of_a_kind_are_listed_for_all_subsystems_or_for_one() -> None:
    named_context = context()
    for subsystem, short_name in ((Subsystem.MEETINGS, "b"), (Subsystem.INGESTION, "a"), (Subsystem.MEETINGS, "a")):
        named_context.name(Kind.QUEUE, subsystem, short_name)
    named_context.name(Kind.TABLE, Subsystem.MEETINGS, "c")
    names = [f"polyphony-test-{name}" for name in ("ingestion-a", "meetings-a", "meetings-b")]
    assert named_context.names(Kind.QUEUE) == names
    assert named_context.names(Kind.QUEUE, Subsystem.MEETINGS) == names[1:]
