"""Parser for the JSON output of an Amazon Transcribe batch job: words with times and speakers, and punctuation marks.

The file is not trusted: its form is checked, and exceptions contain nothing from it. Callers limit its size.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Annotated, Literal

from pydantic import AliasPath, BaseModel, FailFast, Field

from handlers.common.text import clean_text

SENTENCE_ENDS = frozenset(".?!\u3002\uff1f\uff01")
"""Punctuation marks that end a sentence."""
MAX_PAUSE_MS = 1_500
"""A longer pause between two words ends a speech."""
MAX_WORD_CHARACTERS = 20_000
"""Maximum length of a word with its punctuation. A hostile file may have any number of marks in a row."""
_SECONDS = re.compile(r"[0-9]{1,6}(\.[0-9]{1,9})?")
"""Time as Transcribe writes it, for example `12.345`."""


class InvalidTranscribeOutput(Exception):
    """The file is not accepted as a job's output. The exception contains nothing from the file."""


@dataclass(frozen=True)
class TranscribedWord:
    """A word with its times and its speaker."""

    text: str = field(repr=False)
    start_ms: int
    end_ms: int
    speaker: str | None = field(repr=False)
    """Transcribe's label of the speaker or the channel. None if the job separated neither."""


@dataclass(frozen=True)
class PunctuationMark:
    """Punctuation directly after the preceding word."""

    text: str = field(repr=False)


@dataclass
class Speech:
    """Consecutive words of one speaker."""

    speaker: str | None = field(repr=False)
    start_ms: int
    end_ms: int
    """Latest end of its words."""
    words: list[str] = field(default_factory=list, repr=False)
    """Cleaned words, each with the punctuation marks after it."""
    ends_sentence: bool = False
    """True if a sentence ends with the last word."""

    def is_continued_by(self, word: TranscribedWord) -> bool:
        """Return True if the speaker said this word next, without a pause."""
        has_pause = word.start_ms - self.end_ms > MAX_PAUSE_MS
        return word.speaker == self.speaker and not has_pause and word.start_ms >= self.start_ms


class _Item(BaseModel):
    """A word or a punctuation mark."""

    type: Literal["pronunciation", "punctuation"]
    content: Annotated[str, Field(validation_alias=AliasPath("alternatives", 0, "content"))]
    start_time: str | None = None
    end_time: str | None = None
    speaker_label: str | None = None
    channel_label: str | None = None


class _JobOutput(BaseModel):
    # Validation with FailFast stops at the first error. Otherwise, four megabytes of empty items would produce a million
    # errors, which take 1.5 GB of memory.
    items: Annotated[list[_Item], FailFast(), Field(validation_alias=AliasPath("results", "items"))]


def parse_transcribe_output(text: str, max_ms: int) -> Iterator[TranscribedWord | PunctuationMark]:
    """Yield words and punctuation marks in the job's order.

    Raises InvalidTranscribeOutput, also for times after `max_ms`.
    """
    try:
        job = _JobOutput.model_validate_json(text)
    except ValueError:
        # The messages and causes of pydantic's errors contain the text, so the new exception is raised outside this
        # block.
        job = None
    if job is None:
        raise InvalidTranscribeOutput
    for item in job.items:
        if item.type == "punctuation":
            yield PunctuationMark(item.content)
            continue
        start_ms, end_ms = _to_milliseconds(item.start_time, max_ms), _to_milliseconds(item.end_time, max_ms)
        # If the job transcribed the channels of a recording separately, each channel counts as one speaker.
        yield TranscribedWord(item.content, start_ms, end_ms, item.speaker_label or item.channel_label)


def _to_milliseconds(seconds: str | None, max_ms: int) -> int:
    if seconds and _SECONDS.fullmatch(seconds) and (milliseconds := round(float(seconds) * 1000)) <= max_ms:
        return milliseconds
    raise InvalidTranscribeOutput


def join_words(
    items: Iterable[TranscribedWord | PunctuationMark], max_characters: int, max_before_sentence: int
) -> Iterator[Speech]:
    """Join words to speeches. Hidden characters are removed from the words.

    A speech has at most `max_characters`, unless it is a single word. A new sentence is added to a speech only if the
    speech, with the first word of the sentence, has at most `max_before_sentence` characters. Raises
    InvalidTranscribeOutput if a word is too long.
    """
    speech: Speech | None = None
    for item in items:
        text = clean_text(item.text)
        if not text:
            continue
        if isinstance(item, PunctuationMark):
            if speech is not None:
                speech.words[-1] += text
                speech.ends_sentence = text[-1] in SENTENCE_ENDS
                if len(speech.words[-1]) > MAX_WORD_CHARACTERS:
                    raise InvalidTranscribeOutput
            continue
        if speech is not None:
            limit = max_before_sentence if speech.ends_sentence else max_characters
            if not speech.is_continued_by(item) or len(" ".join([*speech.words, text])) > limit:
                yield speech
                speech = None
        if speech is None:
            speech = Speech(item.speaker, item.start_ms, item.end_ms)
        speech.words.append(text)
        speech.end_ms, speech.ends_sentence = max(speech.end_ms, item.end_ms), False
    if speech is not None:
        yield speech
