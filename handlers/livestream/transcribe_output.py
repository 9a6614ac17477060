"""The JSON that an Amazon Transcribe job writes: one item a word, with times as text. Pure.

Words become cues by sentence: one ends at a full stop, where somebody else speaks, where there is a pause, and where it
would grow too long. Only the items are read: the job's own paragraphs are not in every version of this file.
"""

import json
import re
from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import AliasPath, BaseModel, ConfigDict, Field, ValidationError

from handlers.livestream.cues import MAX_CUE_CHARACTERS, MAX_MS, BadTranscript, Cue, TranscriptProblem

MAX_ITEMS = 500_000
PAUSE_MS = 1_500
SENTENCE_CHARACTERS = 300
_ENDS = frozenset(".?!\u3002\uff1f\uff01")
_SECONDS = re.compile(r"([0-9]{1,6})(?:\.([0-9]{1,9}))?")


class _Item(BaseModel):
    """A word, or what stands behind it."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    type: Literal["pronunciation", "punctuation"]
    content: Annotated[str, Field(validation_alias=AliasPath("alternatives", 0, "content"), max_length=1_000)]
    start_time: Annotated[str | None, Field(max_length=100)] = None
    end_time: Annotated[str | None, Field(max_length=100)] = None
    speaker_label: Annotated[str | None, Field(max_length=100)] = None


class _Speaking(BaseModel):
    """Whose word it is, where the word itself does not say it."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    start_time: Annotated[str, Field(max_length=100)]
    speaker_label: Annotated[str, Field(max_length=100)]


class _Turn(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    items: Annotated[list[_Speaking], Field(max_length=MAX_ITEMS)] = []


class _Job(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    items: Annotated[list[_Item], Field(validation_alias=AliasPath("results", "items"), max_length=MAX_ITEMS)]
    turns: Annotated[
        list[_Turn],
        Field(validation_alias=AliasPath("results", "speaker_labels", "segments"), max_length=MAX_ITEMS),
    ] = []

    def speakers(self) -> dict[str, str]:
        """Who begins to say a word at which time."""
        return {one.start_time: one.speaker_label for turn in self.turns for one in turn.items}


def transcribe_cues(text: str) -> Iterator[Cue]:
    """The cues of a job's output."""
    sentence: list[str] = []
    start_ms = end_ms = 0
    speaker: str | None = None
    job = _job(text)
    speakers = job.speakers()
    for item in job.items:
        if item.type == "punctuation":
            if sentence:
                sentence[-1] = _with(sentence[-1], item.content)
                if item.content in _ENDS:
                    yield Cue(start_ms, end_ms, " ".join(sentence), speaker)
                    sentence = []
            continue
        begins, ends = _milliseconds(item.start_time), _milliseconds(item.end_time)
        length = sum(len(word) + 1 for word in sentence) + len(item.content)
        speaks = item.speaker_label or speakers.get(item.start_time or "")
        apart = speaks != speaker or begins - end_ms > PAUSE_MS or begins < start_ms
        if sentence and (apart or length > SENTENCE_CHARACTERS):
            yield Cue(start_ms, end_ms, " ".join(sentence), speaker)
            sentence = []
        if not sentence:
            start_ms, end_ms, speaker = begins, ends, speaks
        sentence.append(item.content)
        end_ms = max(end_ms, ends)
    if sentence:
        yield Cue(start_ms, end_ms, " ".join(sentence), speaker)


def _job(text: str) -> _Job:
    try:
        return _Job.model_validate(json.loads(text))
    except (ValidationError, ValueError, RecursionError):
        # Their messages, and what they were raised from, hold the text.
        pass
    raise BadTranscript(TranscriptProblem.MALFORMED)


def _milliseconds(seconds: str | None) -> int:
    found = _SECONDS.fullmatch(seconds or "")
    if found is None:
        raise BadTranscript(TranscriptProblem.BAD_TIMES)
    moment = int(found[1]) * 1000 + int((found[2] or "").ljust(3, "0")[:3])
    if moment > MAX_MS:
        raise BadTranscript(TranscriptProblem.BAD_TIMES)
    return moment


def _with(word: str, mark: str) -> str:
    if len(word) > MAX_CUE_CHARACTERS:
        raise BadTranscript(TranscriptProblem.TOO_LONG_CUE)
    return word + mark
