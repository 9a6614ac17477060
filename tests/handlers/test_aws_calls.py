"""Tests that each AWS call in the source of the handlers exists, with its parameters, in botocore's service models.

The tests parse the source. The functions get botocore from the Lambda layer, so the version must be the layer's.
"""

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import botocore
import botocore.session
from botocore import xform_name
from botocore.model import ListShape, OperationModel, Shape, StructureShape

from local import ROOT

SESSION = botocore.session.get_session()
NOT_CALLED_ON_A_CLIENT = {"scan", "create_connection"}
"""Operations whose names are also names of methods of the project. Calls of these methods are no AWS calls."""


@dataclass(frozen=True)
class AwsCall:
    """A call of an operation in the source, with its place as `file:line` and the parameters that the source names."""

    place: str
    operation: str
    parameters: Mapping[str, ast.expr]


def client_services(source: ast.AST) -> Iterator[str]:
    """Yield the services for which the source creates clients."""
    for node in ast.walk(source):
        match node:
            case ast.Call(func=ast.Attribute(attr="client"), args=[ast.Constant(value=str(service)), *_]):
                yield service


def parameters_of(keywords: list[ast.keyword]) -> dict[str, ast.expr]:
    """Return the parameters that the call names, also in `**{...}`.

    The names in `**variable` are not known here. They are checked by mypy or by tests with stubbed clients.
    """
    parameters: dict[str, ast.expr] = {}
    for keyword in keywords:
        if keyword.arg is not None:
            parameters[keyword.arg] = keyword.value
        elif isinstance(keyword.value, ast.Dict):
            parameters |= members_of(keyword.value)
    return parameters


def members_of(literal: ast.Dict) -> dict[str, ast.expr]:
    """Return the entries of a dictionary in the source whose keys are constants."""
    entries = zip(literal.keys, literal.values, strict=True)
    return {key.value: value for key, value in entries if isinstance(key, ast.Constant) and isinstance(key.value, str)}


def aws_calls(source: ast.AST, file: str, operations: Mapping[str, object]) -> Iterator[AwsCall]:
    """Yield the calls of operations: direct calls, paginated calls, presigned URLs, and calls through
    `call_service(client.operation, ...)`."""
    for node in ast.walk(source):
        if not isinstance(node, ast.Call):
            continue
        place = f"{file}:{node.lineno}"
        parameters = parameters_of(node.keywords)
        match node:
            case ast.Call(func=ast.Attribute(attr="paginate", value=ast.Call(args=[ast.Constant(value=str(name))]))):
                yield AwsCall(
                    place, name, {key: value for key, value in parameters.items() if key != "PaginationConfig"}
                )
            case ast.Call(func=ast.Attribute(attr="generate_presigned_url"), args=[ast.Constant(value=str(name)), *_]):
                params = parameters.get("Params")
                yield AwsCall(place, name, members_of(params) if isinstance(params, ast.Dict) else {})
            case ast.Call(func=ast.Name(id="call_service"), args=[ast.Attribute(attr=name), *_]) if name in operations:
                yield AwsCall(place, name, parameters)
            case ast.Call(func=ast.Attribute(attr=name)) if name in operations and name not in NOT_CALLED_ON_A_CLIENT:
                if parameters:
                    yield AwsCall(place, name, parameters)


def unknown_parameters(shape: Shape | None, parameters: Mapping[str, ast.expr], path: str = "") -> Iterator[str]:
    """Yield the parameters, including nested parameters, that a structure does not have."""
    if not isinstance(shape, StructureShape):
        return
    for name, value in parameters.items():
        if name not in shape.members:
            yield path + name
            continue
        member = shape.members[name]
        entries = [value]
        while isinstance(member, ListShape) and entries:
            member = member.member
            entries = [entry for items in entries if isinstance(items, ast.List) for entry in items.elts]
        for entry in entries:
            if isinstance(entry, ast.Dict):
                yield from unknown_parameters(member, members_of(entry), f"{path}{name}.")


def calls_of_handlers() -> tuple[dict[str, list[OperationModel]], list[AwsCall]]:
    """Return the operations of all services that the handlers use, and the handlers' calls."""
    sources = {str(path.relative_to(ROOT)): ast.parse(path.read_text()) for path in (ROOT / "handlers").rglob("*.py")}
    operations: dict[str, list[OperationModel]] = {}
    for service in sorted({service for source in sources.values() for service in client_services(source)}):
        model = SESSION.get_service_model(service)
        for name in model.operation_names:
            operations.setdefault(xform_name(name), []).append(model.operation_model(name))
    return operations, [call for file, source in sources.items() for call in aws_calls(source, file, operations)]


def find_wrong_calls(calls: list[AwsCall], operations: Mapping[str, list[OperationModel]]) -> list[str]:
    """Describe each call that no service accepts: its place, its operation and the parameters that do not exist."""
    wrong_calls = []
    for call in calls:
        models = operations.get(call.operation, [])
        unknown_names = [list(unknown_parameters(model.input_shape, call.parameters)) for model in models]
        if all(unknown_names):
            wrong_calls.append(
                f"{call.place} {call.operation}: {min(unknown_names, key=len, default='no such operation')}"
            )
    return wrong_calls


def test_the_locked_botocore_has_each_operation_and_parameter_of_the_handlers() -> None:
    operations, calls = calls_of_handlers()
    assert {"create_event", "transact_write_items", "list_objects_v2", "put_events"} <= {
        call.operation for call in calls
    }
    assert len(calls) > 70, "the search must find the calls"
    assert not find_wrong_calls(calls, operations)


def is_cached(statement: ast.stmt) -> bool:
    decorators = statement.decorator_list if isinstance(statement, ast.FunctionDef) else []
    return any(isinstance(decorator, ast.Name) and decorator.id == "cache" for decorator in decorators)


def called_names(source: ast.AST) -> set[str]:
    return {node.func.id for node in ast.walk(source) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}


def test_a_function_creates_its_clients_once_and_keeps_them_between_invocations() -> None:
    """A client keeps its connections open. So it is created by a function with a cache, or on behalf of one."""
    sources = [ast.parse(path.read_text()) for path in (ROOT / "handlers").rglob("*.py")]
    statements = [statement for source in sources for statement in source.body]
    assert sum(any(client_services(statement)) for statement in statements) > 15, "the search must find the places"
    named = [(statement, getattr(statement, "name", "")) for statement in statements if not is_cached(statement)]
    creators = {name for statement, name in named if any(client_services(statement))}
    while callers := {name for statement, name in named if called_names(statement) & creators} - creators:
        creators |= callers
    assert "handler" not in creators, "a function's `handler` is called in each invocation"


def test_all_environments_use_the_layers_botocore() -> None:
    """The tests, the emulator, the media job and the type stubs must have the version that the functions run with."""
    locks = {path.name: path.read_text() for path in (ROOT / "requirements").glob("*.txt")}
    versions = {
        (package, version)
        for text in locks.values()
        for package, version in re.findall(r"^(boto3|botocore|types-boto3)==(\S+)", text, re.MULTILINE)
    }
    assert versions == {(package, botocore.__version__) for package in ("boto3", "botocore", "types-boto3")}
    assert all(
        "botocore==" in locks[name] for name in ("layer.txt", "tools.txt", "emulator.txt", "media.txt", "spark.txt")
    )
