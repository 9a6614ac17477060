"""Tests that the emulator needs each of our corrections, that each works, and that the documentation lists all.

`behaviour/` has a function for each correction, with its results without and with the corrections.
"""

import ast
import json
import re
import subprocess
from collections.abc import Iterator
from typing import Any

from local import ROOT
from local.emulation import SUPPORTED_VERSION
from local.platform.emulator import PYTHON

ROW = re.compile(r"^\| `.*$", re.MULTILINE)
"""Row of a table about a correction, which begins with the correction's name."""
PAGE = ROOT / "docs" / "local-platform.md"


def run_program(*, corrected: bool, private_names: list[str]) -> dict[str, Any]:
    main = "from tests.local.emulation.behaviour.program import main"
    process = subprocess.run(  # noqa: S603 - the emulator's own environment
        [str(PYTHON), "-P", "-c", f"import sys; sys.path.append({str(ROOT)!r}); {main}; main(corrected={corrected})"],
        input=json.dumps(private_names),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    answer: dict[str, Any] = json.loads(process.stdout.splitlines()[-1])
    return answer


def list_differences(behaviours: dict[str, dict[str, Any]], expected: str) -> dict[str, dict[str, Any]]:
    return {name: shown for name, shown in behaviours.items() if shown["shown"] != shown[expected]}


def emulation_modules() -> Iterator[ast.Module]:
    for path in sorted((ROOT / "local" / "emulation").rglob("*.py")):
        yield ast.parse(path.read_text(encoding="utf-8"))


def find_private_names() -> Iterator[str]:
    """Yield every name that a module passes to `get_private` or `wrap_function`, in full."""
    for module in emulation_modules():
        imported = {
            alias.asname or alias.name: f"{node.module}.{alias.name}"
            for node in ast.walk(module)
            if isinstance(node, ast.ImportFrom)
            for alias in node.names
        }
        for node in ast.walk(module):
            match node:
                case ast.Call(
                    func=ast.Name(id="get_private" | "wrap_function"),
                    args=[ast.Name(id=owner), ast.Constant(value=str(name)), *_],
                ):
                    yield f"{imported[owner]}.{name}"


def read_corrections() -> Iterator[str]:
    """Yield the rows about corrections in the docstrings of the modules that make them."""
    for module in emulation_modules():
        yield from ROW.findall(ast.get_docstring(module) or "")


def test_the_emulator_has_the_private_names_and_the_faults_that_we_correct() -> None:
    answer = run_program(corrected=False, private_names=sorted(set(find_private_names())))
    changed = list_differences(answer["behaviours"], "emulator")
    assert changed == {}, f"remove the corrections of what the emulator now does as AWS does: {changed}"
    assert (answer["version"], answer["missing_names"]) == (SUPPORTED_VERSION, [])
    lock = (ROOT / "requirements" / "emulator.txt").read_text(encoding="utf-8")
    assert f"ministack=={SUPPORTED_VERSION} " in lock


def test_the_corrected_emulator_behaves_as_aws_does() -> None:
    behaviours = run_program(corrected=True, private_names=[])["behaviours"]
    assert list_differences(behaviours, "aws") == {}
    corrected_names = sorted(row.split("`")[1] for row in read_corrections())
    assert sorted(behaviours) == corrected_names, "each correction needs a function that shows the behaviour"


def test_each_correction_is_documented() -> None:
    rows = list(read_corrections())
    section = PAGE.read_text(encoding="utf-8").partition("## Corrections")[2].partition("\n## ")[0]
    assert ROW.findall(section) == rows, "\n".join(rows)
