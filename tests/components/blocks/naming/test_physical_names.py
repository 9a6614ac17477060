"""Physical names: within every service's limit, stable, and never two things under one."""

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
def test_a_name_fits_its_service_and_its_alphabet(kind: Kind, parts: list[str], suffix: str) -> None:
    name = physical_name(kind, parts, suffix)
    assert len(name) <= kind.limit
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name)
    assert name == physical_name(kind, parts, suffix)
    assert name.endswith(suffix)


@given(
    kind=st.sampled_from(Kind), one=st.lists(part, min_size=1, max_size=5), two=st.lists(part, min_size=1, max_size=5)
)
def test_two_things_never_get_one_name_by_shortening(kind: Kind, one: list[str], two: list[str]) -> None:
    if "-".join(one) != "-".join(two):
        assert physical_name(kind, one) != physical_name(kind, two)


@pytest.mark.parametrize(("kind", "most"), [(Kind.COMPUTE_ENVIRONMENT, 128), (Kind.SECURITY_GROUP, 255)])
def test_what_the_provider_adds_to_a_prefix_has_room(kind: Kind, most: int) -> None:
    """A hyphen of ours, and 26 letters of its own."""
    assert len(physical_name(kind, ["x" * 300])) + 1 + 26 <= most


def test_a_short_name_is_left_as_it_is() -> None:
    assert physical_name(Kind.QUEUE, ["polyphony", "dev", "ingestion", "intake"]) == "polyphony-dev-ingestion-intake"


def test_a_long_name_keeps_its_start_and_ends_in_a_hash() -> None:
    name = physical_name(Kind.ROLE, ["polyphony", "dev", "ingestion", "x" * 60])
    assert len(name) == 64
    assert re.fullmatch(r"polyphony-dev-ingestion-x+-[0-9a-f]{8}", name)


@pytest.mark.parametrize("bad", ["Upper", "a--b", "-a", "a-", "a_b", "", "ü"])
def test_a_part_outside_the_alphabet_is_refused(bad: str) -> None:
    with pytest.raises(InvalidName, match="cannot be part of"):
        physical_name(Kind.QUEUE, ["polyphony", bad])


def test_stacks_that_look_alike_do_not_share_names_and_one_needs_a_letter_or_digit() -> None:
    assert [stack_part(one) for one in ("dev", "feature-x", "2026")] == ["dev", "feature-x", "2026"]
    parts = [stack_part(stack) for stack in ("feature-x", "feature/x", "Feature-X", "feature_x")]
    assert len(set(parts)) == 4
    assert all(one.startswith("feature-x") for one in parts)
    with pytest.raises(InvalidName, match="has no letter or digit"):
        stack_part("___")


def test_two_things_of_one_name_are_refused() -> None:
    where = context(stack="a")
    where.name(Kind.QUEUE, Subsystem.INGESTION, "x")
    assert where.name(Kind.QUEUE, Subsystem.INGESTION, "x")  # the same thing may be named again
    where._named[Kind.QUEUE, "polyphony-a-ingestion-y"] = ("foundation", "z")
    with pytest.raises(InvalidName, match="two queues would be called polyphony-a-ingestion-y"):
        where.name(Kind.QUEUE, Subsystem.INGESTION, "y")


word = st.from_regex(r"\A[a-zA-Z][a-zA-Z0-9]{0,60}\Z")


@given(stack=part, other=part, last=word, another=word)
def test_names_without_hyphens_fit_and_are_never_shared(stack: str, other: str, last: str, another: str) -> None:
    name = underscored_name(Kind.MEMORY, ["polyphony", stack], last)
    assert re.fullmatch(r"[a-zA-Z][a-zA-Z0-9_]{0,47}", name)
    if (stack, last) != (other, another):
        assert name != underscored_name(Kind.MEMORY, ["polyphony", other], another)


def test_a_name_without_hyphens_ends_in_one_word_and_is_given_once() -> None:
    for bad in ("", "1st", "a-b", "a_b", "ü"):
        with pytest.raises(InvalidName, match="begin with a letter"):
            underscored_name(Kind.MEMORY, ["polyphony", "dev"], bad)
    where = context()
    assert where.underscored_name(Kind.MEMORY, Subsystem.LIVESTREAM, "memory") == "polyphony_test_memory"
    with pytest.raises(InvalidName, match="two memory stores would be called polyphony_test_memory"):
        where.underscored_name(Kind.MEMORY, Subsystem.VOICE_QA, "memory")


def test_a_bucket_carries_the_account() -> None:
    assert context().name(Kind.BUCKET, Subsystem.INGESTION, "landing").endswith("-123456789012")
