"""What Amazon Transcribe says: the results of one TranscriptEvent. Pure.

The payload comes over the network and is read with care: every size has a bound, every number a range, and nothing of
what was said gets into an exception. What a result is worth to a reader is decided in `captions`.
"""

import json
from dataclasses import dataclass
from typing import Any

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


class NotResults(ValueError):
    """A payload that is no TranscriptEvent. Says what is wrong with it, and repeats nothing of it."""


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


def results_of(payload: bytes) -> list[Result]:
    """The results of one event: those that have a text, and finals that have none any more."""
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise NotResults("the payload is too long")
    transcript = _object(_object(_decoded(payload)).get("Transcript"))
    results = [_result(_object(one)) for one in _list(transcript.get("Results"), MAX_RESULTS)]
    return [one for one in results if one.text or one.final]


def _decoded(payload: bytes) -> object:
    # Raised after the `except`: within it, the parser's own exception would come along, and it holds the payload.
    try:
        return _STRICT.decode(payload.decode())
    except (ValueError, RecursionError):
        pass
    raise NotResults("the payload is no JSON")


def _not_json(_: str) -> None:
    raise ValueError("NaN and Infinity are not JSON")


_STRICT = json.JSONDecoder(parse_constant=_not_json)


def _result(fields: dict[str, Any]) -> Result:
    result_id, partial = fields.get("ResultId"), fields.get("IsPartial")
    if not isinstance(result_id, str) or not 0 < len(result_id) <= MAX_ID_CHARS:
        raise NotResults("a result's id is none")
    if not isinstance(partial, bool):
        raise NotResults("a result does not say whether it is partial")
    start_ms, end_ms = _milliseconds(fields.get("StartTime")), _milliseconds(fields.get("EndTime"))
    if end_ms < start_ms:
        raise NotResults("a result ends before it starts")
    alternatives = _list(fields.get("Alternatives") or [], MAX_ITEMS)
    best = _object(alternatives[0]) if alternatives else {}
    text = best.get("Transcript") or ""
    if not isinstance(text, str) or len(text) > MAX_TEXT_CHARS:
        raise NotResults("a result's text is none")
    if not (_sendable(text) and _sendable(result_id)):
        raise NotResults("a result's text is not Unicode")
    return Result(result_id, text.strip(), not partial, start_ms, end_ms, _stability(best.get("Items") or []))


def _stability(value: object) -> float | None:
    items = _list(value, MAX_ITEMS)
    flags = [flag for item in items if (flag := _object(item).get("Stable")) is not None]
    if not all(isinstance(flag, bool) for flag in flags):
        raise NotResults("an item does not say whether it is stable")
    return flags.count(True) / len(items) if flags else None


def _milliseconds(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= MAX_SECONDS:
        raise NotResults("a time is out of range")
    return round(value * 1000)


def _sendable(text: str) -> bool:
    """Whether it can be written as UTF-8: half a surrogate pair is valid JSON, and would fail much later."""
    return text.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in text)


def _object(value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise NotResults("something is no object")
    return value


def _list(value: object, most: int) -> list[Any]:
    if not isinstance(value, list):
        raise NotResults("something is no list")
    if len(value) > most:
        raise NotResults("a list is too long")
    return value
