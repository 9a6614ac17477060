"""Text without times: one cue a sentence, with times estimated from how fast people speak. Pure.

Something must say where in the broadcast a claim is, and a list needs an order. So each sentence begins where the one
before ends, at a usual speaker's pace. That is a guess, and whatever is made of these cues says so: see
`Transcript.timed`.
"""

import re
from collections.abc import Iterator
from itertools import chain

from handlers.common.text.text_cleaning import clean_text
from handlers.livestream.transcript.cues import MAX_CHARACTERS, MAX_MS, BadTranscript, Cue, TranscriptProblem

CHARACTERS_PER_SECOND = 15
"""About 150 English words a minute."""
SENTENCE_CHARACTERS = 300
_PARAGRAPH = re.compile(r"\n\s*\n")
_SENTENCE = re.compile(r"(?<=[.!?\u2026])[\"'\u201d\u2019)\]]*\s+|(?<=[\u3002\uff01\uff1f])")
"""Where a sentence ends: behind its mark and any closing quotes, or right behind a full-width mark."""
_MARKUP = re.compile(r"<[?!a-z]|\{\\rtf|\[script info\]|%pdf-|%!ps", re.IGNORECASE)
"""How XML, HTML, RTF, SubStation Alpha and printed documents begin."""


def is_markup(text: str) -> bool:
    """Whether it is text that means something else than what it says."""
    return _MARKUP.match(text.lstrip()) is not None


def plain_cues(text: str) -> Iterator[Cue]:
    """The sentences, one after the other."""
    if len(text) > MAX_CHARACTERS:
        raise BadTranscript(TranscriptProblem.TOO_LARGE)
    at = 0
    for paragraph in _PARAGRAPH.split(text):
        for sentence in _sentences(clean_text(paragraph)):
            start_ms = at * 1000 // CHARACTERS_PER_SECOND
            at += len(sentence) + 1
            end_ms = at * 1000 // CHARACTERS_PER_SECOND
            if end_ms > MAX_MS:
                raise BadTranscript(TranscriptProblem.TOO_LARGE)
            yield Cue(start_ms, end_ms, sentence)


def _sentences(paragraph: str) -> Iterator[str]:
    """Sentences; one that is too long is cut between words, or anywhere where there are none."""
    start = 0
    for end in chain((found.end() for found in _SENTENCE.finditer(paragraph)), [len(paragraph)]):
        while end - start > SENTENCE_CHARACTERS:
            cut = paragraph.rfind(" ", start, start + SENTENCE_CHARACTERS)
            cut = cut + 1 if cut > start else start + SENTENCE_CHARACTERS
            yield paragraph[start:cut].strip()
            start = cut
        if start < end:
            yield paragraph[start:end].strip()
        start = end
