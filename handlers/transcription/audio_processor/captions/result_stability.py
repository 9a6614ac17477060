"""How sure Transcribe is of a version, and what stands in for that where it does not say. Pure."""

import unicodedata

from handlers.transcription.audio_processor.transcribe_stream.transcribe_results import Result

NO_STABILITY_RESULTS = 10
"""So many partials at a stream's start without a single flag mean that no flag will come: about two seconds of speech."""

SENTENCE_ENDS = (
    *".!?",
    "\N{IDEOGRAPHIC FULL STOP}",
    "\N{ARABIC QUESTION MARK}",
    "\N{ARABIC FULL STOP}",
    "\N{DEVANAGARI DANDA}",
    "\N{DEVANAGARI DOUBLE DANDA}",
    "\N{ARMENIAN FULL STOP}",
    "\N{ETHIOPIC FULL STOP}",
    "\N{ETHIOPIC QUESTION MARK}",
    "\N{MYANMAR SIGN SECTION}",
    "\N{KHMER SIGN KHAN}",
)
"""Of the scripts that are transcribed; wide and narrow forms and the ellipsis are compatible with one of these."""
CLOSING = frozenset(["Pe", "Pf", "Zs"])
"""Brackets, quotation marks and spaces."""


def ends_sentence(text: str) -> bool:
    """Whether the text ends with a sentence, closing quotation marks and brackets left aside."""
    end = len(text)
    while end and (text[end - 1] in "\"'" or unicodedata.category(text[end - 1]) in CLOSING):
        end -= 1
    return unicodedata.normalize("NFKC", text[end - 1 : end]).endswith(SENTENCE_ENDS)


def is_stable_enough(result: Result, age_ms: int, *, min_stability: float, pause_ms: int) -> bool:
    """Whether a version may be shown without waiting; `age_ms` is how long its result has been known."""
    sure = age_ms >= pause_ms if result.stability is None else result.stability >= min_stability
    return sure or ends_sentence(result.text)
