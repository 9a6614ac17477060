"""Reader for transcripts in plain text without times: one cue for each sentence, with estimated times.

Fact claims are stored and listed by time, so every sentence needs a time. Each sentence starts when the previous one
ends, and lasts as long as an average speaker needs for it. `ParsedTranscript.timed` is False for such a transcript, so
the times of its claims are marked as estimates.
"""

import re
from collections.abc import Iterator
from itertools import chain

from handlers.common.text.text_cleaning import clean_text
from handlers.livestream.transcript.cues import (
    MAX_CHARACTERS,
    MAX_MS,
    SENTENCE_CHARACTERS,
    BadTranscript,
    Cue,
    TranscriptProblem,
)

CHARACTERS_PER_SECOND = 15
"""Speaking rate, about 150 English words per minute."""
_PARAGRAPH = re.compile(r"\n\s*\n")
"""Space between two paragraphs. It ends a sentence."""
_SENTENCE = re.compile(r"(?<=[.!?\u2026])[\"'\u201d\u2019)\]]*\s+|(?<=[\u3002\uff01\uff1f])")
"""End of a sentence. After a Western mark, closing quotes and brackets may follow, and white space must follow. After a
full-width mark, as in Chinese, nothing has to follow."""
_MARKUP = re.compile(r"<[?!a-z]|\{\\rtf|\[script info\]|%pdf-|%!ps", re.IGNORECASE)
"""Start of an XML, HTML, RTF, SubStation Alpha, PDF or PostScript file."""


def is_markup(text: str) -> bool:
    """Return True if the text starts like a markup or document format. Such a text must not be read as plain text."""
    return _MARKUP.match(text.lstrip()) is not None


def plain_cues(text: str) -> Iterator[Cue]:
    """Yield one cue for each sentence, or several cues for a very long sentence.

    Raise BadTranscript if the text has more than `MAX_CHARACTERS`, or takes longer than `MAX_MS` to speak.
    """
    if len(text) > MAX_CHARACTERS:
        raise BadTranscript(TranscriptProblem.TOO_LARGE)
    characters = 0
    for paragraph in _PARAGRAPH.split(text):
        for sentence in _sentences(clean_text(paragraph)):
            start_ms = characters * 1000 // CHARACTERS_PER_SECOND
            characters += len(sentence) + 1
            end_ms = characters * 1000 // CHARACTERS_PER_SECOND
            if end_ms > MAX_MS:
                raise BadTranscript(TranscriptProblem.TOO_LARGE)
            yield Cue(start_ms, end_ms, sentence)


def _sentences(paragraph: str) -> Iterator[str]:
    """Yield the sentences of a paragraph.

    A sentence of more than `SENTENCE_CHARACTERS` is split at the last space within this length. If there is none, it is
    split at exactly this length.
    """
    start = 0
    for end in chain((match.end() for match in _SENTENCE.finditer(paragraph)), [len(paragraph)]):
        while end - start > SENTENCE_CHARACTERS:
            cut = paragraph.rfind(" ", start, start + SENTENCE_CHARACTERS)
            cut = cut + 1 if cut > start else start + SENTENCE_CHARACTERS
            yield paragraph[start:cut].strip()
            start = cut
        if start < end:
            yield paragraph[start:end].strip()
        start = end
