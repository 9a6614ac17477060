"""Results of one TranscriptEvent of Amazon Transcribe. Pure.

The payload comes over the network, so every size has a bound and every number a range, and an exception contains
nothing of what was said. `captions` decides what a result is worth to a reader.
"""

from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_pascal

MAX_PAYLOAD_BYTES = 256 * 1024
"""An event about five seconds of speech has some ten kilobytes."""
MAX_RESULTS = 32
"""Of one event; Transcribe sends one or two."""
MAX_ITEMS = 1000
"""Words and punctuation marks of one result."""
MAX_TEXT_CHARS = 2000
"""The fastest speakers reach 30 characters a second."""
MAX_ID_CHARS = 128
"""Transcribe's ids are UUIDs."""
MAX_SECONDS = 4 * 60 * 60
"""How long a stream of Transcribe may last."""

Seconds = Annotated[float, Field(ge=0, le=MAX_SECONDS, allow_inf_nan=False)]


class InvalidTranscriptEvent(ValueError):
    """The payload is not a TranscriptEvent."""


@dataclass(frozen=True, slots=True)
class Result:
    """One version of one result: Transcribe sends a result again and again, until it is final."""

    result_id: str
    text: str
    final: bool
    start_ms: int
    end_ms: int
    stability: float | None
    """Share of its items that are marked as stable; none where no item says whether it is."""


class _Part(BaseModel):
    """Base of the parts of an event."""

    model_config = ConfigDict(strict=True, extra="ignore", alias_generator=to_pascal)


class _Item(_Part):
    stable: bool | None = None


class _Alternative(_Part):
    transcript: Annotated[str, Field(max_length=MAX_TEXT_CHARS)] | None = None
    items: Annotated[list[_Item], Field(max_length=MAX_ITEMS)] | None = None


class _Result(_Part):
    result_id: Annotated[str, Field(min_length=1, max_length=MAX_ID_CHARS)]
    is_partial: bool
    start_time: Seconds
    end_time: Seconds
    alternatives: Annotated[list[_Alternative], Field(max_length=MAX_ITEMS)] | None = None


class _Transcript(_Part):
    results: Annotated[list[_Result], Field(max_length=MAX_RESULTS)]


class _Event(_Part):
    transcript: _Transcript


def parse_results(payload: bytes) -> list[Result]:
    """Return the results of one event that have a text, and finals that have none any more. Raises NotResults."""
    event = None
    if len(payload) <= MAX_PAYLOAD_BYTES:
        with suppress(ValidationError):
            event = _Event.model_validate_json(payload)
    if event is None or any(one.end_time < one.start_time for one in event.transcript.results):
        # Outside of the handler, because a validation error contains the payload.
        raise InvalidTranscriptEvent("the payload is no TranscriptEvent")
    results = map(_result, event.transcript.results)
    return [one for one in results if one.text or one.final]


def _result(received: _Result) -> Result:
    best = received.alternatives[0] if received.alternatives else _Alternative()
    items = best.items or []
    flags = [one.stable for one in items if one.stable is not None]
    return Result(
        result_id=received.result_id,
        text=(best.transcript or "").strip(),
        final=not received.is_partial,
        start_ms=round(received.start_time * 1000),
        end_ms=round(received.end_time * 1000),
        stability=flags.count(True) / len(items) if flags else None,
    )
