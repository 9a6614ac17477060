"""Test that follows docs/extending.md: it adds the function of the page to a copy of the project."""

import json
import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import yaml

from local import ROOT
from tests.whole_program import ONE_WORKER, SECTIONS

pytestmark = ONE_WORKER
BLOCK = re.compile(r"^ *```python\n *# (\S+?)(?:, before ([^\n]+))?\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
"""Code of the page: the file, the text before which the code belongs (for a new file, nothing), and the code."""


def copy_project(folder: Path) -> None:
    """Copy the project without its documents. Only the backend of the page is enabled, because that is faster."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True)  # noqa: S607
    for name in listed.stdout.decode().split("\0"):
        if name and (ROOT / name).is_file() and not name.startswith(("console/", "docs/", "local/flows/clips/")):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, folder / name)
    for environment in (".venv", "policies/.venv"):
        (folder / environment).symlink_to(ROOT / environment)
    stack = folder / "Pulumi.dev.yaml"
    config = yaml.safe_load(stack.read_text(encoding="utf-8"))
    config["config"] |= {f"polyphony:{section}": {"enabled": False} for section in SECTIONS if section != "ingestion"}
    stack.write_text(yaml.safe_dump(config), encoding="utf-8")


def follow_page(folder: Path) -> list[str]:
    """Write the code of the page's first chapter, and return the names of the files that it changes."""
    chapter = (ROOT / "docs/extending.md").read_text(encoding="utf-8").split("\n## ")[1]
    names = []
    for name, place, indented in BLOCK.findall(chapter):
        names.append(name)
        path, code = folder / name, textwrap.dedent(indented)
        path.parent.mkdir(parents=True, exist_ok=True)
        (path.parent / "__init__.py").touch()
        if not place:
            path.write_text(code, encoding="utf-8")
            continue
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        [number] = [number for number, line in enumerate(lines) if line.strip().startswith(place)]
        imports = re.findall(r"^from .*\n", code, re.MULTILINE)
        added = textwrap.indent(
            re.sub(r"^from .*\n", "", code, flags=re.MULTILINE), lines[number].removesuffix(lines[number].lstrip())
        )
        lines.insert(number, added)
        first_import = next(number for number, line in enumerate(lines) if line.startswith("from "))
        path.write_text("".join([*lines[:first_import], *imports, *lines[first_import:]]), encoding="utf-8")
    return names


def test_the_function_of_the_page_is_deployable_and_tested(tmp_path: Path) -> None:
    copy_project(tmp_path)
    assert follow_page(tmp_path) == [
        "handlers/ingestion/backlog/environment.py",
        "handlers/ingestion/backlog/handler.py",
        "components/ingestion/ingestion.py",
        "components/ingestion/cost.py",
        "tests/handlers/ingestion/backlog/test_handler.py",
    ]
    command = [sys.executable, "-m", "local", "preview", "--stack", "dev", "--json"]
    preview = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False)  # noqa: S603
    document = json.loads(preview.stdout)
    assert [item for item in document["findings"] if item["level"] == "mandatory"] == []
    assert document["deployable"], "nothing is refused, and the handler can run"
    names = {resource["inputs"].get("name") for resource in document["resources"]}
    assert {"polyphony-dev-ingestion-backlog", "polyphony-dev-ingestion-backlog-errors-warning"} <= names
    tests = [sys.executable, "-m", "pytest", "-q", "-n0", "-p", "no:cacheprovider", "tests/handlers/ingestion/backlog"]
    result = subprocess.run(tests, cwd=tmp_path, capture_output=True, check=False, text=True)  # noqa: S603
    assert result.returncode == 0, result.stdout
