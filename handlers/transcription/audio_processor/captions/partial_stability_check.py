"""Stability check of a partial: it decides whether the partial is shown without waiting.

A partial is shown if its stability is high enough, or if its text ends a sentence. If Amazon Transcribe reports no
stability, the age of the result is compared with a minimum instead.
"""

import unicodedata

from handlers.transcription.audio_processor.transcribe_stream.transcribe_results import Result

PARTIALS_WITHOUT_STABILITY = 10
"""Number of partials without stability at the start of a stream after which no later one is expected to have it. Ten
partials come in about two seconds of speech."""

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
"""Sentence ends of the transcribed scripts. NFKC turns wide and narrow forms and the ellipsis into one of these."""
CLOSING = frozenset(["Pe", "Pf", "Zs"])
"""Unicode categories of closing brackets, closing quotation marks and spaces."""


def ends_sentence(text: str) -> bool:
    """Return True if the text ends with a sentence. Closing quotation marks and brackets are ignored."""
    end = len(text)
    while end and (text[end - 1] in "\"'" or unicodedata.category(text[end - 1]) in CLOSING):
        end -= 1
    return unicodedata.normalize("NFKC", text[end - 1 : end]).endswith(SENTENCE_ENDS)


def is_stable_enough(result: Result, age_ms: int, *, min_stability: float, pause_ms: int) -> bool:
    """Return True if a version may be shown without waiting. `age_ms` is the time since the result's first version.

    If the version has no stability, `pause_ms` is the minimum age.
    """
    is_stable = age_ms >= pause_ms if result.stability is None else result.stability >= min_stability
    return is_stable or ends_sentence(result.text)
