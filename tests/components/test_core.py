"""Tests of physical names, the names of resources on AWS: within every service's limit, and unique."""

import pytest

from components.core import InvalidName, Kind, Subsystem, physical_name
from tests.fake_engine import context


@pytest.mark.parametrize(
    ("kind", "length"),
    [
        *((Kind.EVENT_ARCHIVE, 48), (Kind.BACKUP_PLAN, 50), (Kind.BUCKET, 63), (Kind.ROLE, 64), (Kind.QUEUE, 80)),
        (Kind.COMPUTE_ENVIRONMENT, 100),  # the provider appends 27 characters, and 128 are allowed
    ],
)
def test_a_name_that_is_too_long_is_refused(kind: Kind, length: int) -> None:
    assert physical_name(kind, "p", "x" * (length - 2)) == f"p-{'x' * (length - 2)}"
    with pytest.raises(InvalidName, match=f"has {length + 1} characters, but at most {length} are allowed"):
        physical_name(kind, "p", "x" * (length - 1))
    with pytest.raises(InvalidName, match="has 49 characters, but at most 48 are allowed"):
        context().underscored_name(Kind.MEMORY, Subsystem.LIVESTREAM, "x" * 34)


@pytest.mark.parametrize("invalid_part", ["Upper", "a--b", "-a", "a-", "a_b", "", "ü"])
def test_a_part_outside_the_alphabet_is_refused(invalid_part: str) -> None:
    with pytest.raises(InvalidName, match="cannot be part of"):
        physical_name(Kind.QUEUE, "polyphony", invalid_part)


def test_two_resources_with_the_same_name_are_refused() -> None:
    names = context()
    name = names.name(Kind.QUEUE, Subsystem.VOICE_QA, "x")
    assert names.name(Kind.QUEUE, Subsystem.VOICE_QA, "x") == name, "the same resource gets its name again"
    assert names.underscored_name(Kind.MEMORY, Subsystem.LIVESTREAM, "memory") == "polyphony_test_memory"
    with pytest.raises(InvalidName, match="two memory stores would have the name polyphony_test_memory"):
        names.underscored_name(Kind.MEMORY, Subsystem.VOICE_QA, "memory")


def test_the_names_of_a_kind_are_listed_for_all_subsystems_or_for_one() -> None:
    names = context()
    for subsystem, short_name in ((Subsystem.MEETINGS, "b"), (Subsystem.INGESTION, "a"), (Subsystem.MEETINGS, "a")):
        names.name(Kind.QUEUE, subsystem, short_name)
    names.name(Kind.TABLE, Subsystem.MEETINGS, "c")
    expected = [f"polyphony-test-{name}" for name in ("ingestion-a", "meetings-a", "meetings-b")]
    assert names.names(Kind.QUEUE) == expected
    assert names.names(Kind.QUEUE, Subsystem.MEETINGS) == expected[1:]


def test_a_tag_value_that_aws_refuses_is_refused() -> None:
    with pytest.raises(InvalidName, match="cannot be the value of tag Reason"):
        context().tags(Subsystem.INGESTION, "x", {"Reason": "one; two"})
