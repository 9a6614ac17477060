"""Validates requests to the emulated services against botocore's model of the AWS service.

AWS refuses values that violate an enumeration, a pattern or a range of the model. boto3 sends most of these values
without a check. So Bedrock, MediaConvert and Transcribe's batch jobs call `validate_request` to find them.
"""

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import botocore.session
from botocore.validate import ParamValidator


@cache
def _input_shape(service: str, operation: str) -> Any:
    return botocore.session.Session().get_service_model(service).operation_model(operation).input_shape


def validate_request(service: str, operation: str, content: object) -> dict[str, Any]:
    """Return a request with the model's member names. Raise ValueError if it violates the model.

    Some services use other names in the HTTP message, for example MediaConvert `role` for `Role`. Members whose value
    is null are left out.
    """
    shape = _input_shape(service, operation)
    request: dict[str, Any] = _rename_members(shape, content)
    report = ParamValidator().validate(request, shape)
    if report.has_errors():
        raise ValueError(report.generate_report())
    if (violation := next(_find_violations(shape, request, "request"), None)) is not None:
        raise ValueError(violation)
    return request


def _rename_members(shape: Any, value: Any) -> Any:
    """Return a value of the HTTP message with the model's member names. Unknown members keep their names."""
    match shape.type_name, value:
        case "structure", dict() if not shape.is_document_type:
            names = {member.serialization.get("name", name): name for name, member in shape.members.items()}
            members = {names.get(key, key): item for key, item in value.items() if item is not None}
            return {
                key: _rename_members(shape.members[key], item) if key in shape.members else item
                for key, item in members.items()
            }
        case "list", list():
            return [_rename_members(shape.member, item) for item in value]
        case "map", dict():
            return {key: _rename_members(shape.value, item) for key, item in value.items()}
        case _:
            return value


def _find_violations(shape: Any, value: Any, path: str) -> Iterator[str]:
    """Yield the violations of enumerations, patterns and maxima, which botocore's validator ignores."""
    match shape.type_name:
        case "structure" if not shape.is_document_type:
            for name, item in value.items():
                yield from _find_violations(shape.members[name], item, f"{path}.{name}")
        case "list":
            for index, item in enumerate(value):
                yield from _find_violations(shape.member, item, f"{path}[{index}]")
        case "map":
            for key, item in value.items():
                yield from _find_violations(shape.value, item, f"{path}.{key}")
        case "string":
            pattern = shape.metadata.get("pattern")
            # Some of MediaConvert's patterns end in a slash, because they describe only the beginning of a URI.
            if pattern and not re.fullmatch(f"{pattern}.*" if pattern.endswith("/") else pattern, value):
                yield f"{path} must match {pattern}"
            if shape.enum and value not in shape.enum:
                yield f"{path} must be one of {', '.join(shape.enum)}"
        case "integer" | "long" | "float" | "double" if value > shape.metadata.get("max", value):
            yield f"{path} must be at most {shape.metadata['max']}"
