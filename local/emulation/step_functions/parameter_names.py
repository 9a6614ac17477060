"""Converts parameters, results and error names between an API and Step Functions.

Step Functions uses Pascal case for every member name of an API, including acronyms, as the AWS SDK for Java does. The
keys of maps are data, so they stay unchanged. https://docs.aws.amazon.com/step-functions/latest/dg/supported-services-awssdk.html
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from botocore.model import ListShape, MapShape, OperationModel, ServiceModel, Shape, StructureShape

_ACRONYM = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]{2,}(?![a-z])")
_WORD = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+")
SUFFIX = "Exception"


class UnknownField(ValueError):
    """The API has no such parameter."""


def to_pascal_case(name: str) -> str:
    """Return a member's name in Pascal case: `jobQueue` → `JobQueue`, `DBClusterArn` → `DbClusterArn`."""
    lowered = _ACRONYM.sub(lambda found: found[0].capitalize(), name)
    return lowered[:1].upper() + lowered[1:]


def to_api_parameters(given: Any, shape: Shape | None, path: str) -> Any:
    """Return a state's arguments as the API's parameters."""
    if given is None or shape is None:
        return given
    match shape:
        case StructureShape() if isinstance(given, Mapping):
            members = {to_pascal_case(name): name for name in shape.members}
            parameters = {}
            for key, value in given.items():
                if key not in members:
                    raise UnknownField(f"The field '{key}' is not supported by Step Functions at {path}")
                parameters[members[key]] = to_api_parameters(value, shape.members[members[key]], f"{path}.{key}")
            return parameters
        case ListShape() if isinstance(given, list):
            return [to_api_parameters(item, shape.member, f"{path}[{index}]") for index, item in enumerate(given)]
        case MapShape() if isinstance(given, Mapping):
            return {key: to_api_parameters(value, shape.value, f"{path}.{key}") for key, value in given.items()}
    # Step Functions accepts a JSON number for a string parameter.
    return str(given) if shape.type_name == "string" and isinstance(given, int | float) else given


def to_state_result(answered: Any, shape: Shape | None) -> Any:
    """Return an API's response as the result of a state. Members without a value are omitted."""
    match shape:
        case StructureShape() if isinstance(answered, Mapping):
            return {
                to_pascal_case(name): to_state_result(value, shape.members[name])
                for name, value in answered.items()
                if name in shape.members and value is not None
            }
        case ListShape() if isinstance(answered, list):
            return [to_state_result(item, shape.member) for item in answered]
        case MapShape() if isinstance(answered, Mapping):
            return {key: to_state_result(value, shape.value) for key, value in answered.items()}
    if isinstance(answered, datetime):
        return answered.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return answered


def service_prefix(model: ServiceModel) -> str:
    """Return the prefix of a service's error names: `DynamoDB` → `DynamoDb`, `CloudWatch Logs` → `CloudWatchLogs`."""
    return "".join(word.capitalize() for word in _WORD.findall(str(model.metadata["serviceId"])))


def error_name(operation: OperationModel, code: str) -> str:
    """Return the error name that a workflow can catch: the operation's own error if it has this one, otherwise the
    service's.
    """
    prefix = service_prefix(operation.service_model)
    error_codes = {str(shape.metadata.get("error", {}).get("code", shape.name)) for shape in operation.error_shapes}
    error_codes |= {shape.name for shape in operation.error_shapes}
    return f"{prefix}.{to_pascal_case(code if code in error_codes else prefix).removesuffix(SUFFIX)}{SUFFIX}"
