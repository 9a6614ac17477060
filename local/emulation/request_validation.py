"""Validates requests to the emulated services against botocore's model of the AWS service.

AWS refuses values that violate an enumeration, a pattern or a range of the model. boto3 sends most of these values
without a check, so the emulated services have to find them.
"""

import re
from collections.abc import Mapping
from functools import cache
from typing import Any

import botocore.session


class InvalidRequest(ValueError):
    """Error that a request violates the model. The message gives the position in the request."""


@cache
def _input_shape(service: str, operation: str) -> Any:
    return botocore.session.Session().get_service_model(service).operation_model(operation).input_shape


def validate_request(service: str, operation: str, content: object) -> dict[str, Any]:
    """Return a request with the model's member names. Raise InvalidRequest if it violates the model.

    Some services use other names in the HTTP message, for example MediaConvert `role` for `Role`. Members whose value
    is null are left out.
    """
    request: dict[str, Any] = _read(_input_shape(service, operation), content, "")
    return request


def _read(shape: Any, value: Any, path: str) -> Any:
    match shape.type_name, value:
        case "structure", _ if shape.is_document_type:
            pass  # any JSON, for example `additionalModelRequestFields` of Bedrock
        case "structure", dict():
            return _read_structure(shape, value, path)
        case "list", list():
            _check_range(shape, len(value), path)
            return [_read(shape.member, item, f"{path}[{index}]") for index, item in enumerate(value)]
        case "map", dict():
            return {key: _read(shape.value, item, f"{path}.{key}") for key, item in value.items()}
        case "string", str():
            _check_text(shape, value, path)
        case "integer" | "long" | "float" | "double", int() | float() if not isinstance(value, bool):
            _check_range(shape, value, path)
        case "boolean", bool():
            pass
        case kind, _:
            raise InvalidRequest(f"{path or 'the request'} must be of type {kind}")
    return value


def _read_structure(shape: Any, value: Mapping[str, Any], path: str) -> dict[str, Any]:
    names = {member.serialization.get("name", name): name for name, member in shape.members.items()}
    if unknown := sorted(value.keys() - names.keys()):
        raise InvalidRequest(f"{path}.{unknown[0]} is unknown")
    request = {
        names[wire_name]: _read(shape.members[names[wire_name]], item, f"{path}.{wire_name}")
        for wire_name, item in value.items()
        if item is not None
    }
    if missing := [name for name in shape.required_members if name not in request]:
        raise InvalidRequest(f"{path}.{missing[0]} is required")
    return request


def _check_text(shape: Any, value: str, path: str) -> None:
    _check_range(shape, len(value), path)
    if shape.enum and value not in shape.enum:
        raise InvalidRequest(f"{path} must be one of {', '.join(shape.enum)}")
    pattern = shape.metadata.get("pattern")
    # Some of MediaConvert's patterns end in a slash, because they describe only the beginning of a URI.
    if pattern and not re.fullmatch(f"{pattern}.*" if pattern.endswith("/") else pattern, value):
        raise InvalidRequest(f"{path} must match {pattern}")


def _check_range(shape: Any, size: float, path: str) -> None:
    low, high = shape.metadata.get("min", size), shape.metadata.get("max", size)
    if not low <= size <= high:
        raise InvalidRequest(f"{path} must be from {low} to {high}")
