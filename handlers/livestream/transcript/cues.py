"""Cues, the timed lines of a transcript, and the limits that apply to every transcript format.

A transcript is an upload by an untrusted client. So the cues of every format pass through `prepare_cues`, which cleans
the text and checks its length and the times. No exception contains any text of the transcript.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from handlers.common.text import clean_text

MAX_TRANSCRIPT_BYTES = 20_000_000
"""Maximum size of a file. Amazon Transcribe writes the times of every word; a whole day of speech stays below this."""
MAX_CUES = 50_000
MAX_CHARACTERS = 2_000_000
"""Maximum length of the whole text. An hour of speech has about 50,000 characters."""
MAX_CUE_CHARACTERS = 2_000
"""Maximum length of a cue after cleaning."""
MAX_WRITTEN_CHARACTERS = 10 * MAX_CUE_CHARACTERS
"""Maximum length of a cue in the file, including tags and white space."""
SENTENCE_CHARACTERS = 300
"""Length above which a sentence is split into several cues. Used for a format that has words, not cues."""
MAX_SPEAKER_CHARACTERS = 100
"""Length to which a speaker's name is truncated."""
MAX_MS = 24 * 60 * 60 * 1000
"""Latest end of a cue. No broadcast is longer than 24 hours."""


class TranscriptProblem(StrEnum):
    """Problem for which a file is refused as a transcript. The failure reason that the API shows is derived from it."""

    EMPTY = "transcript_empty"
    TOO_LARGE = "transcript_too_large"
    TOO_MANY_CUES = "transcript_too_many_cues"
    TOO_LONG_CUE = "transcript_too_long_cue"
    UTF16 = "transcript_utf16"
    """The file is encoded in UTF-16. Only UTF-8 is supported."""
    NOT_UTF8 = "transcript_not_utf8"
    NOT_TEXT = "transcript_not_text"
    OTHER_FORMAT = "transcript_other_format"
    """The file has none of the supported formats, for example because it contains no times."""
    MALFORMED = "transcript_malformed"
    BAD_TIMES = "transcript_bad_times"
    """A time is missing or malformed, an end is before its start, or a cue ends after `MAX_MS`."""


class BadTranscript(Exception):
    def __init__(self, problem: TranscriptProblem) -> None:
        super().__init__(problem.value)
        self.problem = problem


@dataclass(frozen=True)
class Cue:
    """One timed line of a transcript."""

    start_ms: int
    end_ms: int
    text: str = field(repr=False)
    speaker: str | None = field(default=None, repr=False)


def prepare_cues(cues: Iterable[Cue]) -> tuple[Cue, ...]:
    """Return the cues cleaned and sorted by time. Cues without text are dropped.

    Overlapping cues are allowed, because speakers interrupt each other. Raise BadTranscript if a limit is exceeded, a
    time is invalid, or no cue has text.
    """
    prepared: list[Cue] = []
    characters = 0
    for cue in cues:
        cleaned_cue = _clean_cue(cue)
        if cleaned_cue is None:
            continue
        characters += len(cleaned_cue.text)
        if characters > MAX_CHARACTERS:
            raise BadTranscript(TranscriptProblem.TOO_LARGE)
        if len(prepared) == MAX_CUES:
            raise BadTranscript(TranscriptProblem.TOO_MANY_CUES)
        prepared.append(cleaned_cue)
    if not prepared:
        raise BadTranscript(TranscriptProblem.EMPTY)
    return tuple(sorted(prepared, key=lambda cue: (cue.start_ms, cue.end_ms)))


def strip_bounded(written: str) -> str:
    """Return a cue's text without surrounding white space.

    Raise BadTranscript if it is longer than `MAX_WRITTEN_CHARACTERS`, because a search for tags in it could take long.
    """
    text = written.strip()
    if len(text) > MAX_WRITTEN_CHARACTERS:
        raise BadTranscript(TranscriptProblem.TOO_LONG_CUE)
    return text


def _clean_cue(cue: Cue) -> Cue | None:
    if not 0 <= cue.start_ms <= cue.end_ms <= MAX_MS:
        raise BadTranscript(TranscriptProblem.BAD_TIMES)
    text = clean_text(strip_bounded(cue.text))
    if len(text) > MAX_CUE_CHARACTERS:
        raise BadTranscript(TranscriptProblem.TOO_LONG_CUE)
    speaker = None if cue.speaker is None else clean_text(cue.speaker)[:MAX_SPEAKER_CHARACTERS].strip() or None
    return Cue(cue.start_ms, cue.end_ms, text, speaker) if text else None
