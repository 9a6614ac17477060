"""Splits texts into sentences, from which the local Bedrock makes its answers by fixed rules."""

import re
from collections.abc import Iterator

# A full stop inside a word does not end the sentence, for example in "Inflation was 1.5 percent."
_SENTENCE = re.compile(r"(?:[^.!?]|[.!?](?=\S))+[.!?]?")


def split_sentences(text: str) -> Iterator[str]:
    """Yield the sentences of a text, with their punctuation marks and without white space around them."""
    for match in _SENTENCE.finditer(text):
        yield match[0].strip()
