"""Parser of a TranscriptEvent, the message in which Amazon Transcribe sends results: pieces of recognised speech.

The service sends each result in several versions: first partials, each of which replaces the previous one, then a final.
`utterance_attempt.py` parses each event of a stream, and passes the results to the rules for captions.
"""

from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_pascal

from handlers.common.text import remove_hidden_characters
from handlers.transcription.audio_processor.stream import StreamFailureCode, TranscribeStreamFailed


@dataclass
class Result:
    """One version of a result. Its times are positions in the stream's audio."""

    result_id: str
    """Id that all versions of the result have."""
    text: str
    """Text of the first and best alternative, without hidden characters. Only a final can have an empty text."""
    final: bool
    start_ms: int
    end_ms: int
    stability: float | None
    """Share of the words and punctuation marks that Amazon Transcribe marks as stable: they will not change any more. None
    if it marks none as stable or unstable."""


class _EventPart(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore", alias_generator=to_pascal)


class _Item(_EventPart):
    stable: bool | None = None


class _Alternative(_EventPart):
    transcript: str | None = None
    items: list[_Item] | None = None


class _Result(_EventPart):
    result_id: str
    is_partial: bool
    start_time: float
    end_time: float
    alternatives: list[_Alternative] | None = None


class _Transcript(_EventPart):
    results: list[_Result]


class _Event(_EventPart):
    transcript: _Transcript


def parse_results(payload: bytes) -> list[Result]:
    """Return the results of a TranscriptEvent, without partials that have no text.

    Raise TranscribeStreamFailed if the payload is not valid.
    """
    try:
        event = _Event.model_validate_json(payload)
    except ValidationError:
        event = None
    if event is None:
        # Raised outside the except block, because a validation error contains the payload.
        raise TranscribeStreamFailed(StreamFailureCode.BROKEN)
    results = map(_to_result, event.transcript.results)
    return [result for result in results if result.text or result.final]


def _to_result(received: _Result) -> Result:
    best = received.alternatives[0] if received.alternatives else _Alternative()
    items = best.items or []
    marks = [item.stable for item in items if item.stable is not None]
    return Result(
        result_id=received.result_id,
        text=remove_hidden_characters(best.transcript or "").strip(),
        final=not received.is_partial,
        start_ms=round(received.start_time * 1000),
        end_ms=round(received.end_time * 1000),
        stability=marks.count(True) / len(items) if marks else None,
    )
