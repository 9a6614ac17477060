"""Tests that the tests and files named in docs/requirements.md exist."""

import ast
import re
from functools import cache

from local import ROOT

PAGE = ROOT / "docs" / "requirements.md"
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PAGE.read_text())))


def test_every_test_in_the_requirements_page_exists() -> None:
    assert len(NAMED) > 15
    assert [f"{path}::{name}" for path, name in NAMED if name not in functions(path)] == []


@cache
def functions(path: str) -> frozenset[str]:
    tree = ast.parse((ROOT / path).read_text())
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))


def test_every_file_in_the_requirements_page_exists() -> None:
    for path in re.findall(r"`((?:components|handlers|local|operations|policies)/[\w/]+\.py)`", PAGE.read_text()):
        assert (ROOT / path).is_file(), path
