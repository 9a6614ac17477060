"""Reads what the model answers: one JSON object, maybe in a code fence. Pure.

It decides whether an answer has the form that was asked for, and says what is wrong in words that quote nothing of it.
Whether what it says is true to the transcript is left to `checking`.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field

from handlers.common.bedrock.model_answers import ModelAnswer, UnusableAnswer, parse_json_answer, validate_or_none
from handlers.livestream.findings import Verdict

MAX_ANSWER = 200_000
MAX_CLAIMS = 50
MAX_CLIPS = 20


class Problem(StrEnum):
    """What is wrong with an answer that is JSON, or would be, as the model is told."""

    CUT_OFF = "It was cut off at the limit of its length. Give fewer claims and clips, with shorter texts."
    NO_OBJECT = "It was JSON, but not an object with the fields window, claims and clips, where these are lists."
    OTHER_WINDOW = "Its field window did not name the window that was asked about."
    TOO_MANY = f"It had more than {MAX_CLAIMS} claims, or more than {MAX_CLIPS} clips."
    BAD_ITEM = "At least one claim or clip lacked a field, or had one of the wrong type, length or choice."


class SaidClaim(ModelAnswer):
    """A claim, as the model has it."""

    quote: Annotated[str, Field(min_length=1, max_length=600, repr=False)]
    cue: Annotated[int | None, Field(ge=0)] = None
    """Where the quote begins, as the model thinks."""
    statement: Annotated[str, Field(min_length=1, max_length=1_000, repr=False)]
    verdict: Annotated[Verdict, Field(strict=False)]
    confidence: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
    explanation: Annotated[str, Field(max_length=2_000, repr=False)] = ""
    sources: Annotated[list[Annotated[str, Field(max_length=200)]], Field(max_length=20)] = []


class SaidClip(ModelAnswer):
    """A clip, as the model has it."""

    start_ms: Annotated[int, Field(ge=0)]
    end_ms: Annotated[int, Field(ge=0)]
    title: Annotated[str, Field(min_length=1, max_length=200, repr=False)]
    reason: Annotated[str, Field(max_length=1_000, repr=False)] = ""


class _Envelope(ModelAnswer):
    window: str
    claims: list[Any]
    clips: list[Any]


@dataclass(frozen=True)
class Answer:
    """What the model says of a window."""

    claims: tuple[SaidClaim, ...] = field(repr=False)
    clips: tuple[SaidClip, ...] = field(repr=False)
    malformed: int = 0
    """Claims and clips that were passed over, because they were none."""


def parse(text: str, window_id: str, *, patient: bool) -> Answer:
    """The answer for a window; raises UnusableAnswer. `patient`: single claims and clips that are none are passed over."""
    envelope = _envelope(text)
    if envelope.window != window_id:
        raise UnusableAnswer(Problem.OTHER_WINDOW)
    if len(envelope.claims) > MAX_CLAIMS or len(envelope.clips) > MAX_CLIPS:
        raise UnusableAnswer(Problem.TOO_MANY)
    claims = [claim for each in envelope.claims if (claim := validate_or_none(SaidClaim, each)) is not None]
    clips = [clip for each in envelope.clips if (clip := validate_or_none(SaidClip, each)) is not None]
    given = len(envelope.claims) + len(envelope.clips)
    malformed = given - len(claims) - len(clips)
    if malformed and (not patient or malformed == given):
        raise UnusableAnswer(Problem.BAD_ITEM)
    return Answer(tuple(claims), tuple(clips), malformed)


def _envelope(text: str) -> _Envelope:
    envelope = validate_or_none(_Envelope, parse_json_answer(text, MAX_ANSWER))
    if envelope is None:
        raise UnusableAnswer(Problem.NO_OBJECT)
    return envelope
