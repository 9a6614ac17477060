"""Converts the parameters, results and error names of an AWS API that a state of Step Functions calls.

`state_machine_tasks.py` calls the API. A state writes all member names of the API in Pascal case, for example `JobQueue`
for `jobQueue`. The keys of maps are data, so they stay unchanged. The special rules for acronyms are omitted, because
the workflows of this project call only Batch and Transcribe.
https://docs.aws.amazon.com/step-functions/latest/dg/supported-services-awssdk.html
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from botocore.model import ListShape, MapShape, OperationModel, ServiceModel, Shape, StructureShape


class UnknownField(ValueError):
    """Error that a state passes a parameter that the API does not have."""


def to_pascal_case(name: str) -> str:
    """Return a name in Pascal case: `jobQueue` → `JobQueue`."""
    return name[:1].upper() + name[1:]


def to_api_parameters(arguments: Any, shape: Shape | None, path: str) -> Any:
    """Return a state's arguments as the API's parameters. Raise UnknownField for an argument that the API lacks.

    `path` is the position of the arguments in the state, which the error states: at first `Arguments`.
    """
    if arguments is None or shape is None:
        return arguments
    match shape:
        case StructureShape() if isinstance(arguments, Mapping):
            members = {to_pascal_case(name): name for name in shape.members}
            parameters = {}
            for key, value in arguments.items():
                if key not in members:
                    raise UnknownField(f"The field '{key}' is not supported by Step Functions at {path}")
                parameters[members[key]] = to_api_parameters(value, shape.members[members[key]], f"{path}.{key}")
            return parameters
        case ListShape() if isinstance(arguments, list):
            return [to_api_parameters(item, shape.member, f"{path}[{index}]") for index, item in enumerate(arguments)]
        case MapShape() if isinstance(arguments, Mapping):
            return {key: to_api_parameters(value, shape.value, f"{path}.{key}") for key, value in arguments.items()}
    # Step Functions converts a JSON number to a text if the API expects a text.
    return str(arguments) if shape.type_name == "string" and isinstance(arguments, int | float) else arguments


def to_state_result(response: Any, shape: Shape | None) -> Any:
    """Return an API's response as the result of a state, without members that are null or not in the API's model.

    Times become texts in ISO 8601.
    """
    match shape:
        case StructureShape() if isinstance(response, Mapping):
            return {
                to_pascal_case(name): to_state_result(value, shape.members[name])
                for name, value in response.items()
                if name in shape.members and value is not None
            }
        case ListShape() if isinstance(response, list):
            return [to_state_result(item, shape.member) for item in response]
        case MapShape() if isinstance(response, Mapping):
            return {key: to_state_result(value, shape.value) for key, value in response.items()}
    if isinstance(response, datetime):
        return response.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return response


def service_prefix(model: ServiceModel) -> str:
    """Return the name of a service in error names, for example `Batch`."""
    return str(model.metadata["serviceId"])


def error_name(operation: OperationModel, code: str) -> str:
    """Return the error name by which a workflow can catch an error code, for example `Batch.ClientException`.

    If the operation's model does not declare the code, the name is general, for example `Batch.BatchException`.
    """
    prefix = service_prefix(operation.service_model)
    is_declared = code in {shape.name for shape in operation.error_shapes}
    return f"{prefix}.{code if is_declared else f'{prefix}Exception'}"
