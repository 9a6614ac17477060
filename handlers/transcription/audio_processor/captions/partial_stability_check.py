"""Stability check of a partial: it decides whether the partial may be shown at once.

A partial is a version of a result (a piece of speech that Amazon Transcribe recognised) that is not final yet. A
partial that does not pass the check is deferred: it may be shown after some time, unless a newer version replaces it.

The stability of a partial is the share of its words and punctuation marks that Amazon Transcribe flags as stable. The
partial passes if its stability is high enough, or if its text ends a sentence. If Amazon Transcribe has flagged nothing
as stable or unstable, the age of the result is compared with a minimum instead.
"""

import unicodedata

from handlers.transcription.audio_processor.results import Result

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
"""Punctuation marks that end a sentence, in NFKC form. NFKC turns wide and narrow forms, and also the ellipsis, into
these."""
CLOSING = frozenset(["Pe", "Pf", "Zs"])
"""Unicode categories of closing brackets, closing quotation marks and spaces."""


def ends_sentence(text: str) -> bool:
    """Return True if the text ends with a sentence. Closing quotation marks and brackets are ignored."""
    end = len(text)
    while end and (text[end - 1] in "\"'" or unicodedata.category(text[end - 1]) in CLOSING):
        end -= 1
    return unicodedata.normalize("NFKC", text[end - 1 : end]).endswith(SENTENCE_ENDS)


def is_stable_enough(partial: Result, age_ms: int, *, min_stability: float, min_age_ms: int) -> bool:
    """Return True if a partial may be shown at once.

    `age_ms` is the time since the first partial of the same result. It counts only if the partial has no stability.
    """
    is_stable = age_ms >= min_age_ms if partial.stability is None else partial.stability >= min_stability
    return is_stable or ends_sentence(partial.text)
