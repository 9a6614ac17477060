"""Tests of the rule by which the first items of a partial result become stable."""

from hypothesis import given
from hypothesis import strategies as st

from local.emulation.speech.stable_prefix import StablePrefix


def play(*versions: str, interval: float = 0.25) -> list[tuple[str, str]]:
    """Return the text and the stable part after each version. A version follows the previous one after `interval`."""
    prefix = StablePrefix()
    return [
        (" ".join(prefix.add(version.split(), at * interval)), " ".join(prefix.stable))
        for at, version in enumerate(versions)
    ]


def test_an_item_is_stable_once_an_update_has_not_changed_it() -> None:
    assert play("a b", "a c", "a c d") == [("a b", ""), ("a c", "a"), ("a c d", "a c")]


def test_an_item_that_is_only_a_moment_old_is_not_stable() -> None:
    assert play("a b", "a b", "a b", interval=0.1) == [("a b", ""), ("a b", ""), ("a b", "a b")]


def test_a_stable_item_is_kept_when_the_model_changes_it() -> None:
    assert play("a b c", "a b c", "a b c", "x b c d")[-1] == ("a b c d", "a b c")


def test_no_word_is_lost_or_doubled_when_the_model_inserts_or_removes_an_item() -> None:
    assert play("a b c", "a b c", "a b c", "a x b c d")[-1][0] == "a b c d"
    assert play("a x b c", "a x b c", "a x b c", "a b c d")[-1][0] == "a x b c d"


@given(st.lists(st.lists(st.sampled_from("abc"), max_size=6), min_size=1, max_size=8))
def test_stable_items_only_grow_and_begin_each_later_version(versions: list[list[str]]) -> None:
    prefix = StablePrefix()
    for at, version in enumerate(versions):
        before = list(prefix.stable)
        kept = prefix.add(version, at / 4)
        assert kept[: len(before)] == before
        assert prefix.stable[: len(before)] == before
        assert kept[: len(prefix.stable)] == prefix.stable
