"""What a transcript is made of, whatever it was written in, and how much of it is taken. Pure.

A transcript is somebody's upload. So every format's reader hands its cues through here: text is made harmless and
bounded, times are held to a broadcast's length, and what cannot be taken is refused with one of a few reasons, which
become the reason of the episode's track. Nothing of the text is in an exception.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from handlers.common.text.text_cleaning import clean_text

MAX_BYTES = 20_000_000
"""Of a file. Amazon Transcribe says of each word when it was said: a day's speech stays below this."""
MAX_CUES = 50_000
MAX_CHARACTERS = 2_000_000
"""Of all that is said: an hour has about 50,000."""
MAX_CUE_CHARACTERS = 2_000
MAX_WRITTEN_CHARACTERS = 10 * MAX_CUE_CHARACTERS
"""Of a cue as it stands in the file, with its tags and blanks."""
MAX_SPEAKER_CHARACTERS = 100
MAX_MS = 24 * 60 * 60 * 1000
"""A cue that ends later was not cut from a broadcast."""


class TranscriptProblem(StrEnum):
    """Why a file is not taken as a transcript."""

    EMPTY = "transcript_empty"
    """Nothing is said in it."""
    TOO_LARGE = "transcript_too_large"
    TOO_MANY_CUES = "transcript_too_many_cues"
    TOO_LONG_CUE = "transcript_too_long_cue"
    UTF16 = "transcript_utf16"
    """Only UTF-8 is read."""
    NOT_UTF8 = "transcript_not_utf8"
    NOT_TEXT = "transcript_not_text"
    OTHER_FORMAT = "transcript_other_format"
    """Markup of a kind that is not read here; as plain text it would be quoted as if somebody had said it."""
    MALFORMED = "transcript_malformed"
    BAD_TIMES = "transcript_bad_times"
    """Negative, backwards, or later than a broadcast can be."""


class BadTranscript(Exception):
    """A file that is not taken."""

    def __init__(self, problem: TranscriptProblem) -> None:
        super().__init__(problem.value)
        self.problem = problem


@dataclass(frozen=True)
class Cue:
    """What is said from one moment to another."""

    start_ms: int
    end_ms: int
    text: str = field(repr=False)
    speaker: str | None = field(default=None, repr=False)


def ordered(cues: Iterable[Cue]) -> tuple[Cue, ...]:
    """Cues as they follow each other, made harmless and held to all bounds; those that say nothing are left out.

    Cues that overlap stay as they are: people interrupt each other.
    """
    kept: list[Cue] = []
    characters = 0
    for cue in cues:
        one = _cleaned(cue)
        if one is None:
            continue
        characters += len(one.text)
        if characters > MAX_CHARACTERS:
            raise BadTranscript(TranscriptProblem.TOO_LARGE)
        if len(kept) == MAX_CUES:
            raise BadTranscript(TranscriptProblem.TOO_MANY_CUES)
        kept.append(one)
    if not kept:
        raise BadTranscript(TranscriptProblem.EMPTY)
    return tuple(sorted(kept, key=lambda cue: (cue.start_ms, cue.end_ms)))


def bounded(written: str) -> str:
    """A cue as it stands in the file, if it is not far too long: nothing else looks at one that is."""
    text = written.strip()
    if len(text) > MAX_WRITTEN_CHARACTERS:
        raise BadTranscript(TranscriptProblem.TOO_LONG_CUE)
    return text


def _cleaned(cue: Cue) -> Cue | None:
    if not 0 <= cue.start_ms <= cue.end_ms <= MAX_MS:
        raise BadTranscript(TranscriptProblem.BAD_TIMES)
    text = clean_text(bounded(cue.text))
    if len(text) > MAX_CUE_CHARACTERS:
        raise BadTranscript(TranscriptProblem.TOO_LONG_CUE)
    speaker = None if cue.speaker is None else clean_text(cue.speaker)[:MAX_SPEAKER_CHARACTERS].strip() or None
    return Cue(cue.start_ms, cue.end_ms, text, speaker) if text else None
