"""Parser for the results in a TranscriptEvent, the JSON in which Amazon Transcribe sends recognised speech.

The payload comes over the network, so sizes and times have limits. Exceptions contain nothing of the transcript,
because they may be logged. `caption_decisions` decides which results are shown.
"""

from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_pascal

from handlers.common.text import remove_hidden_characters

MAX_PAYLOAD_BYTES = 256 * 1024
"""Maximum size of a payload. An event for five seconds of speech has some ten kilobytes."""
MAX_RESULTS = 32
"""Maximum number of results in one event. Amazon Transcribe sends one or two."""
MAX_ITEMS = 1000
"""Maximum number of words and punctuation marks, called items, in one result."""
MAX_TEXT_CHARS = 2000
"""Maximum length of a text. The fastest speakers reach 30 characters a second."""
MAX_ID_CHARS = 128
"""Maximum length of a result's id. Amazon Transcribe uses UUIDs."""
MAX_SECONDS = 4 * 60 * 60
"""Maximum duration of a stream of Amazon Transcribe."""

Seconds = Annotated[float, Field(ge=0, le=MAX_SECONDS, allow_inf_nan=False)]


class InvalidTranscriptEvent(ValueError):
    """The payload is not a TranscriptEvent."""


@dataclass(frozen=True, slots=True)
class Result:
    """One version of a result, which is a piece of recognised speech. Amazon Transcribe sends new versions until the
    result is final.
    """

    result_id: str
    """Id that all versions of the result have."""
    text: str
    """Text of the first alternative. Only a final can have an empty text."""
    final: bool
    start_ms: int
    """Position in the stream's audio."""
    end_ms: int
    """Position in the stream's audio."""
    stability: float | None
    """Share of the items that are marked as stable. None if no item is marked as stable or unstable."""


class _EventPart(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore", alias_generator=to_pascal)


class _ResultItem(_EventPart):
    stable: bool | None = None


class _Alternative(_EventPart):
    transcript: Annotated[str, Field(max_length=MAX_TEXT_CHARS)] | None = None
    items: Annotated[list[_ResultItem], Field(max_length=MAX_ITEMS)] | None = None


class _Result(_EventPart):
    result_id: Annotated[str, Field(min_length=1, max_length=MAX_ID_CHARS)]
    is_partial: bool
    start_time: Seconds
    end_time: Seconds
    alternatives: Annotated[list[_Alternative], Field(max_length=MAX_ITEMS)] | None = None


class _Transcript(_EventPart):
    results: Annotated[list[_Result], Field(max_length=MAX_RESULTS)]


class _Event(_EventPart):
    transcript: _Transcript


def parse_results(payload: bytes) -> list[Result]:
    """Return the results of one event, without partials that have no text. Raise InvalidTranscriptEvent if the payload is
    not valid.
    """
    event = None
    if len(payload) <= MAX_PAYLOAD_BYTES:
        with suppress(ValidationError):
            event = _Event.model_validate_json(payload)
    if event is None or any(result.end_time < result.start_time for result in event.transcript.results):
        # Raised outside the `with` block, because a validation error contains the payload.
        raise InvalidTranscriptEvent("the payload is not a TranscriptEvent")
    results = map(_result, event.transcript.results)
    return [result for result in results if result.text or result.final]


def _result(received: _Result) -> Result:
    best = received.alternatives[0] if received.alternatives else _Alternative()
    items = best.items or []
    flags = [item.stable for item in items if item.stable is not None]
    return Result(
        result_id=received.result_id,
        text=remove_hidden_characters(best.transcript or "").strip(),
        final=not received.is_partial,
        start_ms=round(received.start_time * 1000),
        end_ms=round(received.end_time * 1000),
        stability=flags.count(True) / len(items) if flags else None,
    )
