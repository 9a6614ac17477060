import pytest

from local.emulation.bedrock.sentences import split_sentences


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        (
            "One ends. Two asks? Three shouts! Four has no mark",
            ["One ends.", "Two asks?", "Three shouts!", "Four has no mark"],
        ),
        ("Inflation was 1.5 percent. It fell.", ["Inflation was 1.5 percent.", "It fell."]),
        ("", []),
    ],
)
def test_a_full_stop_inside_a_word_ends_no_sentence(text: str, sentences: list[str]) -> None:
    assert list(split_sentences(text)) == sentences
