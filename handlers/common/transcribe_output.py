"""Parser for the JSON output of an Amazon Transcribe batch job. Meetings and livestream read their transcripts with it.

The file is not trusted: its form is checked, and exceptions contain nothing from it. Callers limit its size.
"""

import re
from collections.abc import Iterator
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


@dataclass
class Speech:
    """Consecutive words of one speaker."""

    speaker: str | None = field(repr=False)
    """Transcribe's label of the speaker or the channel. None if the job separated neither."""
    start_ms: int
    end_ms: int
    """Latest end of its words."""
    words: list[str] = field(repr=False)
    """Words without hidden characters, each with the punctuation marks after it."""


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


def read_speeches(text: str, max_ms: int, max_characters: int, max_before_sentence: int) -> Iterator[Speech]:
    """Yield the speeches in a job's output.

    A speech ends at another speaker, at a pause, and before a word that starts earlier than the speech. It has at most
    `max_characters`, unless it is a single word. A new sentence is added to a speech only if the speech, with the first
    word of the sentence, has at most `max_before_sentence` characters.

    Raises InvalidTranscribeOutput, also for times after `max_ms` and for words of more than `MAX_WORD_CHARACTERS`.
    """
    speech: Speech | None = None
    for item in _parse_items(text):
        content = clean_text(item.content)
        if not content:
            continue
        if item.type == "punctuation":
            if speech is not None:
                speech.words[-1] += content
                if len(speech.words[-1]) > MAX_WORD_CHARACTERS:
                    raise InvalidTranscribeOutput
            continue
        start_ms, end_ms = _to_milliseconds(item.start_time, max_ms), _to_milliseconds(item.end_time, max_ms)
        # If the job transcribed the channels of a recording separately, each channel counts as one speaker.
        word = Speech(item.speaker_label or item.channel_label, start_ms, end_ms, [content])
        if speech is not None:
            limit = max_before_sentence if speech.words[-1][-1] in SENTENCE_ENDS else max_characters
            has_pause = start_ms - speech.end_ms > MAX_PAUSE_MS
            is_too_long = len(" ".join([*speech.words, content])) > limit
            if word.speaker == speech.speaker and start_ms >= speech.start_ms and not has_pause and not is_too_long:
                speech.words.append(content)
                speech.end_ms = max(speech.end_ms, end_ms)
                continue
            yield speech
        speech = word
    if speech is not None:
        yield speech


def _parse_items(text: str) -> list[_Item]:
    try:
        return _JobOutput.model_validate_json(text).items
    except ValueError:
        pass
    # Raised here, because the messages and causes of pydantic's errors contain the text.
    raise InvalidTranscribeOutput


def _to_milliseconds(seconds: str | None, max_ms: int) -> int:
    if seconds and _SECONDS.fullmatch(seconds) and (milliseconds := round(float(seconds) * 1000)) <= max_ms:
        return milliseconds
    raise InvalidTranscribeOutput
