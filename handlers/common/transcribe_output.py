"""Parser for the JSON output of an Amazon Transcribe batch job: words with times and speakers, and punctuation marks.

The file is not trusted: its form is checked, and exceptions contain nothing from it. Callers limit its size, and join
the words to sentences and passages.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Annotated, Literal

from pydantic import AliasPath, BaseModel, FailFast, Field

SENTENCE_ENDS = frozenset(".?!\u3002\uff1f\uff01")
"""Punctuation marks that end a sentence."""
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


@dataclass(frozen=True)
class PunctuationMark:
    """Punctuation directly after the preceding word."""

    text: str = field(repr=False)


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
