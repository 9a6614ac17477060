"""MediaConvert's requests and answers, by botocore's own model of the service: what they may look like, no more.

The wire has names in camelCase, the model has them in its own; whoever reads or writes one goes through here. A value
that the model does not know, of another type, outside its range, list or pattern is refused, as the service does.
"""

import re
from collections.abc import Mapping
from functools import cache
from typing import Any

import botocore.session

MAX_DEPTH = 40


class BadRequest(Exception):
    """What MediaConvert answers with BadRequestException."""


@cache
def _model() -> Any:
    """Read once, and only when somebody asks: it is large."""
    return botocore.session.Session().get_service_model("mediaconvert")


def read(shape: str, given: object) -> dict[str, Any]:
    """A structure of the wire, by the model's names."""
    found: dict[str, Any] = _read(_model().shape_for(shape), given, "")
    return found


def written(shape: str, value: Mapping[str, Any]) -> dict[str, Any]:
    """A structure by the model's names, as the wire has it."""
    made: dict[str, Any] = _written(_model().shape_for(shape), value)
    return made


def _read(shape: Any, given: object, path: str) -> Any:
    if path.count("/") > MAX_DEPTH:
        raise BadRequest(f"{path}: too deep")
    match shape.type_name, given:
        case "structure", dict():
            return _structure(shape, given, path)
        case "list", list():
            return [_read(shape.member, one, f"{path}/{place}") for place, one in enumerate(given)]
        case "map", dict():
            return {str(key): _read(shape.value, one, f"{path}/{key}") for key, one in given.items()}
        case "string", str():
            return _text(shape, given, path)
        case "integer" | "long", int() if not isinstance(given, bool):
            return _number(shape, given, path)
        case "double" | "float", int() | float() if not isinstance(given, bool):
            return _number(shape, float(given), path)
        case "boolean", bool():
            return given
        case kind, _:
            raise BadRequest(f"{path or '/'}: must be of type {kind}")


def _structure(shape: Any, given: Mapping[str, Any], path: str) -> dict[str, Any]:
    names = {member.serialization.get("name", name): name for name, member in shape.members.items()}
    unknown = sorted(given.keys() - names.keys())
    if unknown:
        raise BadRequest(f"{path}/{unknown[0]}: is not a known property")
    found = {
        names[wire]: _read(shape.members[names[wire]], value, f"{path}/{wire}")
        for wire, value in given.items()
        if value is not None
    }
    missing = [name for name in shape.required_members if name not in found]
    if missing:
        raise BadRequest(f"{path}/{missing[0][0].lower()}{missing[0][1:]}: is a required property")
    return found


def _text(shape: Any, given: str, path: str) -> str:
    allowed, pattern = shape.metadata.get("enum"), shape.metadata.get("pattern")
    if allowed and given not in allowed:
        raise BadRequest(f"{path}: must be one of the following: {', '.join(allowed)}")
    if pattern and not re.search(pattern, given):
        raise BadRequest(f"{path}: must match the pattern {pattern}")
    if not shape.metadata.get("min", 0) <= len(given) <= shape.metadata.get("max", len(given)):
        raise BadRequest(f"{path}: is too short or too long")
    return given


def _number(shape: Any, given: float, path: str) -> float:
    low, high = shape.metadata.get("min"), shape.metadata.get("max")
    if (low is not None and given < low) or (high is not None and given > high):
        raise BadRequest(f"{path}: must be from {low} to {high}")
    return given


def _written(shape: Any, value: Any) -> Any:
    match shape.type_name:
        case "structure":
            return {
                shape.members[name].serialization.get("name", name): _written(shape.members[name], one)
                for name, one in value.items()
                if one is not None
            }
        case "list":
            return [_written(shape.member, one) for one in value]
        case "map":
            return {key: _written(shape.value, one) for key, one in value.items()}
        case _:
            return value
