"""Test that the tests named in docs/requirements.md exist."""

import ast
import re
from functools import cache
from pathlib import Path

from local import ROOT

LINES = (ROOT / "docs" / "requirements.md").read_text().splitlines()
ROWS = [line for line in LINES if line.startswith("| ")]
NAMED = sorted({(file, name) for row in ROWS for file, name in re.findall(r"`([\w/]+)::(\w+)`", row)})


def test_every_test_in_the_requirements_page_exists_once() -> None:
    """`file::name` is the test `test_name` in `test_file.py`. A folder precedes the file if two files have the test."""
    assert len(NAMED) > 15
    modules = {(file, name): find_modules(file, f"test_{name}") for file, name in NAMED}
    assert {f"{file}::{name}": paths for (file, name), paths in modules.items() if len(paths) != 1} == {}


def find_modules(file: str, test: str) -> list[str]:
    """Return the modules below `tests/` with this name, or the last parts of their path, that have the test."""
    folder, _, name = file.rpartition("/")
    paths = (ROOT / "tests").glob(f"**/{folder}/test_{name}.py" if folder else f"**/test_{name}.py")
    return [str(path.relative_to(ROOT)) for path in paths if test in functions(path)]


@cache
def functions(path: Path) -> frozenset[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))
