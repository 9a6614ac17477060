"""Tests that the AWS emulator has all private names that our corrections of its behaviour use."""

import ast
from collections.abc import Iterator

import pytest

from local import ROOT
from local.emulation import SUPPORTED_VERSION, PrivateNameMissing, get_private
from tests.local.emulation.emulator_python import run_in_emulator_python

pytestmark = pytest.mark.unit

FIND_MISSING_NAMES = """
import json, pkgutil
from importlib.metadata import version
missing = []
for name in json.load(sys.stdin):
    try:
        pkgutil.resolve_name(name)
    except (ImportError, AttributeError):
        missing.append(name)
print(json.dumps({"missing": missing, "version": version("ministack")}))
"""


def private_names() -> Iterator[str]:
    """Yield every name that a module passes to `get_private` or `wrap_function`, in full."""
    for path in (ROOT / "local" / "emulation").rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        imported = {
            alias.asname or alias.name: f"{node.module}.{alias.name}"
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom)
            for alias in node.names
        }
        for node in ast.walk(tree):
            match node:
                case ast.Call(
                    func=ast.Name(id="get_private" | "wrap_function"),
                    args=[ast.Name(id=owner), ast.Constant(value=str(name)), *_],
                ):
                    yield f"{imported[owner]}.{name}"


def test_every_private_name_exists_in_the_pinned_version() -> None:
    names = sorted(set(private_names()))
    assert len(names) > 50
    assert run_in_emulator_python(FIND_MISSING_NAMES, names) == {"missing": [], "version": SUPPORTED_VERSION}
    lock = (ROOT / "requirements" / "emulator.txt").read_text(encoding="utf-8")
    assert f"ministack=={SUPPORTED_VERSION} " in lock


def test_a_missing_private_name_raises_an_error_with_instructions() -> None:
    with pytest.raises(
        PrivateNameMissing, match=f"ministack has no ast.gone: .* ministack {SUPPORTED_VERSION}; pin that version"
    ):
        get_private(ast, "gone")
