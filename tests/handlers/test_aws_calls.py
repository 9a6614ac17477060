"""Tests of the clients of AWS services: when the functions create them, and the version of botocore behind them."""

import ast
import re
from collections.abc import Iterator

import botocore

from local import ROOT


def client_services(source: ast.AST) -> Iterator[str]:
    """Yield the services for which the source creates clients."""
    for node in ast.walk(source):
        match node:
            case ast.Call(func=ast.Attribute(attr="client"), args=[ast.Constant(value=str(service)), *_]):
                yield service


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
