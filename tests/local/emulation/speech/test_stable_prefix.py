"""Tests of the rule by which the first items of a partial result become stable."""

from hypothesis import given
from hypothesis import strategies as st

from local.emulation.speech.stable_prefix import STABLE_VERSIONS, StablePrefix


def play(*versions: str) -> list[tuple[str, str]]:
    """Return the text and the stable part after each version."""
    prefix = StablePrefix()
    return [(" ".join(prefix.add(version.split())), " ".join(prefix.stable)) for version in versions]


def test_an_item_is_stable_once_it_has_not_changed_twice() -> None:
    assert play("a b", "a c", "a c d", "a c d e", "a c d e f") == [
        ("a b", ""),
        ("a c", ""),
        ("a c d", "a"),
        ("a c d e", "a c"),
        ("a c d e f", "a c d"),
    ]


def test_the_last_item_is_not_stable() -> None:
    assert play("a", "a", "a", "a b")[2:] == [("a", ""), ("a b", "a")]


def test_a_stable_item_is_kept_when_the_model_changes_it() -> None:
    assert play("a b c", "a b c", "a b c", "x b c d")[-1] == ("a b c d", "a b c")


def test_no_word_is_lost_or_doubled_when_the_model_inserts_or_removes_an_item() -> None:
    assert play("a b c", "a b c", "a b c", "a x b c d")[-1][0] == "a b c d"
    assert play("a x b c", "a x b c", "a x b c", "a b c d")[-1][0] == "a x b c d"


@given(st.lists(st.lists(st.sampled_from("abc"), max_size=6), min_size=1, max_size=8))
def test_stable_items_only_grow_and_begin_each_later_version(versions: list[list[str]]) -> None:
    prefix = StablePrefix()
    for count, version in enumerate(versions, start=1):
        before = list(prefix.stable)
        kept = prefix.add(version)
        assert kept[: len(before)] == before
        assert prefix.stable[: len(before)] == before
        assert kept[: len(prefix.stable)] == prefix.stable
        assert count >= STABLE_VERSIONS or prefix.stable == []
