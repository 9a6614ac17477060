"""Whatever text comes in, what goes out is one line that every store takes."""

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from handlers.common.texts import cleaned


def test_spaces_are_one_and_control_characters_and_halves_of_pairs_are_none() -> None:
    assert cleaned(" a\n\tb\u0007 \u00a0 c\u2028d\ud800 ") == "a b c d"
    assert cleaned("cafe\u0301") == "caf\u00e9"
    assert cleaned("\u0000 \u0000") == ""


@given(st.text())
def test_what_is_clean_stays_as_it_is(text: str) -> None:
    once = cleaned(text)
    assert cleaned(once) == once
    assert not any(unicodedata.category(one) in {"Cc", "Cs"} for one in once)
    once.encode()
