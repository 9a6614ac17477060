"""Parser for the model's answer about one window of a transcript.

The answer is one JSON object, possibly in a code fence. This module checks only its form. `answer_verification` then
checks the content against the transcript. No exception quotes the answer.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field

from handlers.common.bedrock import ModelAnswer, UnusableAnswer, parse_json_answer, validate_or_none
from handlers.livestream.fact_claim_verdict import Verdict

MAX_ANSWER_CHARACTERS = 200_000
MAX_CLAIMS = 50
MAX_CLIPS = 20


class AnswerProblem(StrEnum):
    """Problem of an answer, worded as the model receives it when it is asked again."""

    CUT_OFF = "It was cut off at the limit of its length. Give fewer claims and clips, with shorter texts."
    NO_OBJECT = "It was JSON, but not an object with the fields window, claims and clips, where these are lists."
    OTHER_WINDOW = "Its field window did not name the window that was asked about."
    TOO_MANY = f"It had more than {MAX_CLAIMS} claims, or more than {MAX_CLIPS} clips."
    BAD_ITEM = "At least one claim or clip lacked a field, or had one of the wrong type, length or choice."


class AnsweredClaim(ModelAnswer):
    """Fact claim as the model wrote it, not verified yet."""

    quote: Annotated[str, Field(min_length=1, max_length=600, repr=False)]
    cue: Annotated[int | None, Field(ge=0)] = None
    """Number of the cue (the timed line of the transcript) in which the quote begins, according to the model."""
    statement: Annotated[str, Field(min_length=1, max_length=1_000, repr=False)]
    verdict: Annotated[Verdict, Field(strict=False)]
    confidence: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
    explanation: Annotated[str, Field(max_length=2_000, repr=False)] = ""
    sources: Annotated[list[Annotated[str, Field(max_length=200)]], Field(max_length=20)] = []
    """Ids of the cues, and of the agent's memories of other windows, on which the verdict rests according to the model.
    A memory is the stored text of a window with its findings."""


class AnsweredClip(ModelAnswer):
    """Clip (a passage that is worth showing on its own) as the model wrote it, not verified yet."""

    start_ms: Annotated[int, Field(ge=0)]
    end_ms: Annotated[int, Field(ge=0)]
    title: Annotated[str, Field(min_length=1, max_length=200, repr=False)]
    reason: Annotated[str, Field(max_length=1_000, repr=False)] = ""


class _AnswerObject(ModelAnswer):
    window: str
    """Id of the window, which the model must repeat."""
    claims: list[Any]
    clips: list[Any]


@dataclass(frozen=True)
class WindowAnswer:
    """Well-formed fact claims and clips of an answer."""

    claims: tuple[AnsweredClaim, ...] = field(repr=False)
    clips: tuple[AnsweredClip, ...] = field(repr=False)
    malformed: int = 0
    """Number of malformed claims and clips that were skipped."""


def parse_answer(text: str, window_id: str, *, skip_malformed: bool) -> WindowAnswer:
    """Parse the answer about a window; raise UnusableAnswer if it has a problem.

    A malformed claim or clip is a problem too. But with `skip_malformed`, malformed claims and clips are left out if at
    least one claim or clip is well formed.
    """
    answer = validate_or_none(_AnswerObject, parse_json_answer(text, MAX_ANSWER_CHARACTERS))
    if answer is None:
        raise UnusableAnswer(AnswerProblem.NO_OBJECT)
    if answer.window != window_id:
        raise UnusableAnswer(AnswerProblem.OTHER_WINDOW)
    if len(answer.claims) > MAX_CLAIMS or len(answer.clips) > MAX_CLIPS:
        raise UnusableAnswer(AnswerProblem.TOO_MANY)
    claims = [claim for item in answer.claims if (claim := validate_or_none(AnsweredClaim, item)) is not None]
    clips = [clip for item in answer.clips if (clip := validate_or_none(AnsweredClip, item)) is not None]
    item_count = len(answer.claims) + len(answer.clips)
    malformed = item_count - len(claims) - len(clips)
    if malformed and (not skip_malformed or malformed == item_count):
        raise UnusableAnswer(AnswerProblem.BAD_ITEM)
    return WindowAnswer(tuple(claims), tuple(clips), malformed)
