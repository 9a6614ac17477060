"""The JSON that an Amazon Transcribe job writes: one item a word, with times as text. Pure.

It may come from anybody: it is held to a form and to bounds, and nothing of it is in an exception. Only the items are
read, and whose they are: the job's own paragraphs are not in every version of this file. Where a job heard several
channels apart, each is a speaker's, and is read by itself: people speak at the same time, and by time alone their
sentences would be mixed up. What becomes of words is left to who reads them.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import AliasPath, BaseModel, ConfigDict, FailFast, Field, model_validator

MAX_ITEMS = 500_000
"""Words and marks; and, counted apart, words of which a turn says whose they are."""
MAX_TURNS = 100_000
"""One a second would be more than a day."""
ENDS = frozenset(".?!\u3002\uff1f\uff01")
"""Marks that end a sentence."""
_SECONDS = re.compile(r"([0-9]{1,6})(?:\.([0-9]{1,9}))?")


class OutputProblem(StrEnum):
    """Why a file is not taken as a job's output."""

    MALFORMED = "malformed"
    BAD_TIMES = "bad_times"
    """Missing, not numbers, or too late."""


class BadOutput(Exception):
    """A file that is not taken."""

    def __init__(self, problem: OutputProblem) -> None:
        super().__init__(problem.value)
        self.problem = problem


@dataclass(frozen=True)
class Word:
    """A word."""

    text: str = field(repr=False)
    start_ms: int
    end_ms: int
    speaker: str | None = field(repr=False)


@dataclass(frozen=True)
class Mark:
    """What stands right behind the word before it."""

    text: str = field(repr=False)


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)


class _Item(_Part):
    """A word, or what stands behind it."""

    type: Literal["pronunciation", "punctuation"]
    content: Annotated[str, Field(validation_alias=AliasPath("alternatives", 0, "content"), max_length=1_000)]
    start_time: Annotated[str | None, Field(max_length=100)] = None
    end_time: Annotated[str | None, Field(max_length=100)] = None
    speaker_label: Annotated[str | None, Field(max_length=100)] = None
    channel_label: Annotated[str | None, Field(max_length=100)] = None


class _Speaking(_Part):
    """Whose word it is, where the word itself does not say it."""

    start_time: Annotated[str, Field(max_length=100)]
    speaker_label: Annotated[str, Field(max_length=100)]


class _Turn(_Part):
    items: Annotated[list[_Speaking], FailFast(), Field(max_length=MAX_ITEMS)] = []


class _Job(_Part):
    # Four megabytes of empty items would be a million errors, and a gigabyte and a half of memory: the first one ends it.
    items: Annotated[
        list[_Item], FailFast(), Field(validation_alias=AliasPath("results", "items"), max_length=MAX_ITEMS)
    ]
    turns: Annotated[
        list[_Turn],
        FailFast(),
        Field(validation_alias=AliasPath("results", "speaker_labels", "segments"), max_length=MAX_TURNS),
    ] = []

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        if sum(len(turn.items) for turn in self.turns) > MAX_ITEMS:
            raise ValueError("all turns together have too many items")
        return self

    def speakers(self) -> dict[str, str]:
        """Who begins to say a word at which time."""
        return {one.start_time: one.speaker_label for turn in self.turns for one in turn.items}

    def channels(self) -> dict[str | None, list[_Item]]:
        """What each channel has; a mark that does not say its own has its word's."""
        found: dict[str | None, list[_Item]] = {}
        channel: str | None = None
        for item in self.items:
            if item.type == "pronunciation" or item.channel_label is not None:
                channel = item.channel_label
            found.setdefault(channel, []).append(item)
        return found


def heard(text: str, longest_ms: int) -> Iterator[Word | Mark]:
    """What was said, as the job has it, in its order, of several channels one behind the other.

    Raises BadOutput, for times beyond `longest_ms` too.
    """
    job = _job(text)
    speakers, channels = job.speakers(), job.channels()
    for channel, items in channels.items():
        alone = channel if len(channels) > 1 else None
        for item in items:
            if item.type == "punctuation":
                yield Mark(item.content)
                continue
            begins, ends = _milliseconds(item.start_time, longest_ms), _milliseconds(item.end_time, longest_ms)
            speaker = item.speaker_label or speakers.get(item.start_time or "") or alone
            yield Word(item.content, begins, ends, speaker)


def _job(text: str) -> _Job:
    try:
        return _Job.model_validate(json.loads(text))
    except (ValueError, RecursionError):  # pydantic's error is one
        # Their messages, and what they were raised from, hold the text.
        pass
    raise BadOutput(OutputProblem.MALFORMED)


def _milliseconds(seconds: str | None, longest_ms: int) -> int:
    found = _SECONDS.fullmatch(seconds or "")
    if found is None:
        raise BadOutput(OutputProblem.BAD_TIMES)
    moment = int(found[1]) * 1000 + int((found[2] or "").ljust(3, "0")[:3])
    if moment > longest_ms:
        raise BadOutput(OutputProblem.BAD_TIMES)
    return moment
