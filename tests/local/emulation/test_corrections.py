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
from local.emulation import SUPPORTED_VERSION, Correction
from local.platform.emulator import PYTHON

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


def read_corrections() -> Iterator[Correction]:
    """Yield all corrections. Their modules cannot be imported here, because they import the emulator."""
    for module in emulation_modules():
        for node in ast.walk(module):
            match node:
                case ast.Call(func=ast.Name(id="Correction"), args=[name], keywords=keywords):
                    fields = {str(keyword.arg): ast.literal_eval(keyword.value) for keyword in keywords}
                    yield Correction(ast.literal_eval(name), **fields)


def test_the_emulator_has_the_private_names_and_the_faults_that_we_correct() -> None:
    answer = run_program(corrected=False, private_names=sorted(set(find_private_names())))
    assert (answer["version"], answer["missing_names"]) == (SUPPORTED_VERSION, [])
    lock = (ROOT / "requirements" / "emulator.txt").read_text(encoding="utf-8")
    assert f"ministack=={SUPPORTED_VERSION} " in lock
    changed = list_differences(answer["behaviours"], "emulator")
    assert not changed, "if the emulator now behaves as AWS does, remove the correction"


def test_the_corrected_emulator_behaves_as_aws_does() -> None:
    behaviours = run_program(corrected=True, private_names=[])["behaviours"]
    assert list_differences(behaviours, "aws") == {}
    corrected_names = sorted(correction.name for correction in read_corrections())
    assert sorted(behaviours) == corrected_names, "each correction needs a function that shows the behaviour"


def test_each_correction_is_documented() -> None:
    rows = [
        f"| {item.service} | {item.emulator} | {item.aws} | {item.needed_for} |"
        for item in sorted(read_corrections(), key=lambda item: item.service)
    ]
    section = PAGE.read_text(encoding="utf-8").partition("## Corrections")[2].partition("\n## ")[0]
    assert re.findall(r"^\| (?!service |---).*$", section, re.MULTILINE) == rows, "\n".join(rows)
