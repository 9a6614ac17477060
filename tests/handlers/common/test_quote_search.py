"""Tests of the search for a quote in the passages of a transcript, which finds a quote only if it was said."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.common.text import QuoteSearch, split_words
from handlers.livestream.transcript.cues import Cue

CUES = (
    Cue(0, 1_000, "Well, good evening.", "Ann"),
    Cue(1_000, 3_000, "We ran “six hundred” ferries -", "Ann"),
    Cue(3_000, 5_000, "last spring; don't laugh!", "Ann"),
    Cue(5_000, 6_000, "Six hundred ferries?", "Bob"),
)


def find_quote(text: str, quote: str) -> str | None:
    """Return the text of the match in a single passage."""
    match = QuoteSearch([Cue(0, 1, text)]).find(quote)
    return match.quote if match else None


@pytest.mark.parametrize(
    ("quote", "found", "start_ms", "end_ms", "speaker"),
    [
        ("Good evening", "good evening", 0, 1_000, "Ann"),
        ("we RAN six  hundred ferries", "We ran “six hundred” ferries", 1_000, 3_000, "Ann"),
        ("six-hundred ferries last spring", "six hundred” ferries - last spring", 1_000, 5_000, "Ann"),
        ("spring, dont laugh", "spring; don't laugh", 3_000, 5_000, "Ann"),
        ("don\u2019t laugh", "don't laugh", 3_000, 5_000, "Ann"),
        ("laugh: six", "laugh! Six", 3_000, 6_000, None),
    ],
)
def test_case_spaces_and_punctuation_are_ignored(
    quote: str, found: str, start_ms: int, end_ms: int, speaker: str | None
) -> None:
    match = QuoteSearch(CUES).find(quote)
    assert match is not None
    assert (match.quote, match.start_ms, match.end_ms, match.speaker) == (found, start_ms, end_ms, speaker)


@pytest.mark.parametrize(
    "quote",
    [
        "we ran hundred ferries",
        "ferries hundred six",
        "good even",
        "ood evening",
        "six hundred ferries ran",
        "ferries",
        "...",
        "",
        "Bob six hundred",
    ],
)
def test_a_quote_with_missing_added_moved_or_cut_words_is_not_found(quote: str) -> None:
    assert QuoteSearch(CUES).find(quote) is None


@pytest.mark.parametrize(
    ("text", "quote", "found"),
    [
        ("Unemployment fell to 4%.", "Unemployment fell to 4%.", "Unemployment fell to 4%"),
        ("Unemployment fell to 4%.", "unemployment fell to 4", "Unemployment fell to 4%"),
        ("It fell to 4\u00a0% then.", "fell to 4", "fell to 4\u00a0%"),
        ("$5 million was lost, he said.", "5 million was lost", "$5 million was lost"),
        ("A loss of (-$5) was had.", "$5 was had", "-$5) was had"),
        ("-40 degrees was measured", "40 degrees was measured", "-40 degrees was measured"),
        ("It was \u221240\u00b0 in town: 40\u00b0!", "40\u00b0 in town: 40", "\u221240\u00b0 in town: 40\u00b0"),
        ("It grew by .5 percent", ".5 percent", ".5 percent"),
        ("It fell -.5 points", ".5 points", "-.5 points"),
        ("COVID-19 rose again", "19 rose again", "19 rose again"),
        ("the total--40 people", "40 people", "40 people"),
        ("And then ...40 people", "40 people", "40 people"),
        ("Well -good evening, all.", "good evening", "good evening"),
        ("He said 'go home' twice", "go home'", "go home"),
        ("It fell to 4 percent.", "It fell to 4%", "It fell to 4"),
    ],
)
def test_a_match_includes_exactly_the_signs_that_belong_to_its_numbers(text: str, quote: str, found: str) -> None:
    assert find_quote(text, quote) == found


@given(
    st.from_regex(r"\A[-+\u2212]?[$\u20ac\u00a3]?[0-9]{1,3}(?:\.[0-9])?[ \u00a0]?[%\u2030\u00b0]?\Z"),
    st.sampled_from(["{} was lost", "he said {}", "of {} more", "so: {}, he said", "well ({}) then"]),
)
def test_an_amount_at_either_end_of_a_match_is_complete(amount: str, sentence: str) -> None:
    amount = amount.strip()
    text = sentence.format(amount)
    start = text.index(amount)
    for quote in (text[: start + len(amount)], text[start:]):
        found = find_quote(text, quote)
        assert found is None or (amount in found and found in text)


def test_the_match_nearest_to_the_given_passage_is_returned() -> None:
    search = QuoteSearch(CUES)
    matches = [search.find("six hundred", passage) for passage in (None, 0, 3, 99)]
    assert [match.start_ms if match else None for match in matches] == [1_000, 1_000, 5_000, 5_000]


def test_scripts_without_spaces_are_compared_by_character() -> None:
    text = "去年の春、六百隻のフェリーを運航しました。"
    assert find_quote(text, "六百隻のフェリー") == "六百隻のフェリー"
    assert find_quote(text, "六百台のフェリー") is None


def test_words_with_other_vowel_signs_or_accents_do_not_match() -> None:
    search = QuoteSearch([Cue(0, 1, "किताब और जॊब cote caf\u00e9")])
    assert search.find("कताब और") is None
    assert search.find("cote cafe") is None
    assert search.find("COTE CAFE\u0301") is not None


@pytest.mark.parametrize(
    ("quote", "passages"),
    [
        ("six hundred ferries", {1, 3}),
        ("ferries last", {1, 2}),
        ("good evening we ran", {0, 1}),
        ("well good evening we ran", {0, 1}),
        ("oh well good evening", {0}),
        ("nobody said this", set()),
        ("...", set()),
    ],
)
def test_passages_are_found_that_contain_a_quote_or_consist_of_a_part_of_it(quote: str, passages: set[int]) -> None:
    assert QuoteSearch(CUES).find_passages(quote) == passages


@given(st.text(max_size=80))
def test_words_have_correct_offsets(text: str) -> None:
    end = 0
    for word, start, stop in split_words(text):
        assert word
        assert end <= start < stop <= len(text)
        assert [part for part, _, _ in split_words(text[start:stop])] == [word]
        end = stop


@given(st.lists(st.text("ab1 ,.'-$%\u2019东", max_size=20), min_size=1, max_size=6), st.data())
def test_a_match_for_a_section_of_a_transcript_has_the_sections_words(texts: list[str], data: st.DataObject) -> None:
    cues = [Cue(number, number + 1, text) for number, text in enumerate(texts)]
    transcript = " ".join(texts)
    start = data.draw(st.integers(0, len(transcript)))
    section = transcript[start : data.draw(st.integers(start, len(transcript)))]
    match = QuoteSearch(cues).find(section)
    if match is not None:
        assert match.quote in transcript
        assert [word for word, _, _ in split_words(match.quote)] == [word for word, _, _ in split_words(section)]


def test_a_crafted_quote_is_searched_quickly() -> None:
    search = QuoteSearch([Cue(0, 1, "a " * 4_000)])
    assert search.find("a " * 300 + "b") is None
    assert search.find("a " * 4_001) is None
