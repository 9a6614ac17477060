"""Strict parser for one line of a file. It returns a JSON object, or raises the problem that makes the line unusable.

The parsers of Python and Spark accept values that would be lost without notice later. This parser refuses them: NaN and
Infinity, a name that occurs twice in an object, half of a surrogate pair, a number such as 1e400.
"""

import json
import re
from enum import StrEnum
from typing import Any

MAX_DEPTH = 100
"""Maximum number of nested objects and arrays in a record."""
SURROGATE_ESCAPE = re.compile(rb"\\u[dD][89a-fA-F]")
"""Escape of a surrogate. Only a line with such an escape can contain half of a surrogate pair, which is not Unicode."""


class DataProblem(StrEnum):
    """Problem of a line or of a whole file. The values are stored and logged.

    This module finds the first seven problems, up to TOO_DEEP. `line_reader` and `file_scan` find the others.
    """

    NOT_UTF8 = "not_utf8"
    NOT_JSON = "not_json"
    NOT_AN_OBJECT = "not_an_object"
    DUPLICATE_NAME = "duplicate_name"
    NUMBER_OUT_OF_RANGE = "number_out_of_range"
    NOT_UNICODE = "not_unicode"
    """A string contains half of a surrogate pair."""
    TOO_DEEP = "too_deep"
    TOO_LONG = "too_long"
    DAMAGED_GZIP = "damaged_gzip"
    EMPTY = "empty"
    """The file has no lines, or only blank ones."""
    TOO_LARGE = "too_large"
    """The file, or its unpacked content, exceeds a limit."""
    VERSION_GONE = "version_gone"
    """The version of the file was deleted."""
    SEALED = "sealed"
    """S3 refuses the content of the file, because the uploader chose a KMS key that the job may not use, or an archive
    class."""


class InvalidLine(Exception):
    """The line is not a usable JSON object. The message quotes nothing from the line, because it may be logged."""

    def __init__(self, problem: DataProblem) -> None:
        super().__init__(problem.value)
        self.problem = problem


def parse_record(raw: bytes) -> dict[str, Any]:
    """Return the JSON object of a line. Raise InvalidLine if there is none."""
    try:
        value = _STRICT.decode(raw.decode("utf-8"))
    except UnicodeDecodeError:
        raise InvalidLine(DataProblem.NOT_UTF8) from None
    except json.JSONDecodeError:
        raise InvalidLine(DataProblem.NOT_JSON) from None
    except RecursionError:
        raise InvalidLine(DataProblem.TOO_DEEP) from None
    except ValueError:  # an integer with more digits than Python reads
        raise InvalidLine(DataProblem.NUMBER_OUT_OF_RANGE) from None
    if not isinstance(value, dict):
        raise InvalidLine(DataProblem.NOT_AN_OBJECT)
    # `_is_deeper` and `_is_encodable` are slow, so they run only if a cheap test of the bytes shows that they may fail.
    if raw.count(b"{") + raw.count(b"[") > MAX_DEPTH and _is_deeper(value, MAX_DEPTH):
        raise InvalidLine(DataProblem.TOO_DEEP)
    if SURROGATE_ESCAPE.search(raw) and not _is_encodable(value):
        raise InvalidLine(DataProblem.NOT_UNICODE)
    return value


def _parse_float(text: str) -> float:
    value = float(text)
    if value - value != 0.0:  # infinite: 1e400 is valid JSON, but not a double
        raise InvalidLine(DataProblem.NUMBER_OUT_OF_RANGE)
    return value


def _refuse_constant(_: str) -> float:
    raise InvalidLine(DataProblem.NOT_JSON)  # NaN and Infinity


def _build_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise InvalidLine(DataProblem.DUPLICATE_NAME)
    return value


_STRICT = json.JSONDecoder(parse_float=_parse_float, parse_constant=_refuse_constant, object_pairs_hook=_build_object)


def _is_deeper(value: object, levels: int) -> bool:
    if isinstance(value, dict):
        return levels == 0 or any(_is_deeper(inner, levels - 1) for inner in value.values())
    if isinstance(value, list):
        return levels == 0 or any(_is_deeper(inner, levels - 1) for inner in value)
    return False


def _is_encodable(value: object) -> bool:
    try:
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
