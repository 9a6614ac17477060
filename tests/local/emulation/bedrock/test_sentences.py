"""Tests of the division of a text into sentences, from which the local Bedrock makes its answers."""

import pytest

from local.emulation.bedrock.sentences import split_sentences


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        (
            "One ends. Two asks? Three shouts! Four has no mark",
            ["One ends.", "Two asks?", "Three shouts!", "Four has no mark"],
        ),
        ("Really?! Inflation was 1.5 percent.", ["Really?!", "Inflation was 1.5 percent."]),
        ("", []),
    ],
)
def test_a_sentence_ends_at_a_punctuation_mark_but_not_at_a_decimal_point(text: str, sentences: list[str]) -> None:
    assert list(split_sentences(text)) == sentences
