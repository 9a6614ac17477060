"""One line: a JSON object, or a reason why not. Pure.

Stricter than Python's parser and than Spark's, which both let things through that a reader would later lose silently:
numbers that are none, a name given twice, half a surrogate pair, a number beyond what a double can hold.
"""

import json
import re
from enum import StrEnum
from typing import Any

MAX_DEPTH = 100
HALF_PAIR = re.compile(rb"\\u[dD][89a-fA-F]")


class DataProblem(StrEnum):
    """Why a line is no record, or a file gives none."""

    NOT_UTF8 = "not_utf8"
    NOT_JSON = "not_json"
    NOT_AN_OBJECT = "not_an_object"
    DUPLICATE_NAME = "duplicate_name"
    NUMBER_OUT_OF_RANGE = "number_out_of_range"
    NOT_UNICODE = "not_unicode"
    TOO_DEEP = "too_deep"
    TOO_LONG = "too_long"
    DAMAGED_GZIP = "damaged_gzip"
    EMPTY = "empty"
    TOO_LARGE = "too_large"
    VERSION_GONE = "version_gone"
    SEALED = "sealed"


class InvalidLine(Exception):
    """A line that is no record. Carries the reason alone: the content must not reach a log through an exception."""

    def __init__(self, reason: DataProblem) -> None:
        super().__init__(reason.value)
        self.reason = reason


def record(raw: bytes) -> dict[str, Any]:
    """The object that a line holds."""
    try:
        value = _STRICT.decode(raw.decode("utf-8"))
    except UnicodeDecodeError:
        raise InvalidLine(DataProblem.NOT_UTF8) from None
    except json.JSONDecodeError:
        raise InvalidLine(DataProblem.NOT_JSON) from None
    except RecursionError:
        raise InvalidLine(DataProblem.TOO_DEEP) from None
    except ValueError:  # an integer of more digits than Python reads
        raise InvalidLine(DataProblem.NUMBER_OUT_OF_RANGE) from None
    if not isinstance(value, dict):
        raise InvalidLine(DataProblem.NOT_AN_OBJECT)
    # Both checks are slow, so a cheap look decides whether they are needed.
    if raw.count(b"{") + raw.count(b"[") > MAX_DEPTH and _deeper(value, MAX_DEPTH):
        raise InvalidLine(DataProblem.TOO_DEEP)
    if HALF_PAIR.search(raw) and not _encodable(value):
        raise InvalidLine(DataProblem.NOT_UNICODE)
    return value


def _real(text: str) -> float:
    value = float(text)
    if value - value != 0.0:  # infinite: 1e400 is JSON, but no double
        raise InvalidLine(DataProblem.NUMBER_OUT_OF_RANGE)
    return value


def _constant(_: str) -> float:
    raise InvalidLine(DataProblem.NOT_JSON)  # NaN and Infinity


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise InvalidLine(DataProblem.DUPLICATE_NAME)
    return value


_STRICT = json.JSONDecoder(parse_float=_real, parse_constant=_constant, object_pairs_hook=_object)


def _deeper(value: object, levels: int) -> bool:
    if isinstance(value, dict):
        return levels == 0 or any(_deeper(one, levels - 1) for one in value.values())
    if isinstance(value, list):
        return levels == 0 or any(_deeper(one, levels - 1) for one in value)
    return False


def _encodable(value: object) -> bool:
    try:
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
