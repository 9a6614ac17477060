"""Tests of the clients of AWS services: when the functions create them, and the version of botocore behind them."""

import ast
import re

import botocore

from local import ROOT


def test_a_function_creates_its_clients_once_and_keeps_them_between_invocations() -> None:
    """A client keeps its connections open. So a function with a cache creates it, if necessary by a `create_…` function."""
    sources = [path.read_text() for path in (ROOT / "handlers").rglob("handler.py")]
    functions = [node for source in sources for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)]
    creators = [node for node in functions if re.search(r"\.client\(|\bcreate_\w+\(", ast.unparse(node))]
    assert len(creators) > 15, "the search must find the places"
    uncached = {node.name for node in creators if "cache" not in map(ast.unparse, node.decorator_list)}
    assert not {name for name in uncached if not name.startswith("create_")}


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
