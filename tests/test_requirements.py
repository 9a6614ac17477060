"""The page of requirements names tests that exist."""

import ast
import re
from functools import cache

from local import ROOT

PAGE = ROOT / "docs" / "requirements.md"
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PAGE.read_text())))


def test_the_page_names_tests() -> None:
    assert len(NAMED) > 15


def test_every_test_named_as_proof_exists() -> None:
    assert [f"{path}::{name}" for path, name in NAMED if name not in functions(path)] == []


@cache
def functions(path: str) -> frozenset[str]:
    tree = ast.parse((ROOT / path).read_text())
    return frozenset(item.name for item in ast.walk(tree) if isinstance(item, ast.FunctionDef))


def test_every_file_named_exists() -> None:
    for path in re.findall(r"`((?:components|handlers|local|operations|policies)/[\w/]+\.py)`", PAGE.read_text()):
        assert (ROOT / path).is_file(), path
