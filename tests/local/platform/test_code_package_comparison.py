"""Tests of the comparison of deployed and current code packages, and of the functions that use a changed file.

The packages contain the tree of `tests/handler_tree.py`, with the functions `storage` and `start` of meetings. KEYS,
PROMPT, SHARED and the like are paths in this tree.
"""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from components.blocks.compute import handler_archive
from components.ingestion.spark_job import SCRIPT
from local import ROOT
from local.platform.code_package_comparison import (
    SPARK_JOB,
    SPARK_SUBSYSTEM,
    CurrentPackages,
    DeployedPackages,
    list_changed_files,
)
from local.platform.deployed_functions import DeployedFunction
from tests.handler_tree import FILES, KEYS, PROMPT, SHARED, START, STORAGE, use_handler_tree, write_files

pytestmark = pytest.mark.unit
SPARK_FILES = {
    "handlers/ingestion/__init__.py": "",
    "handlers/ingestion/glue/__init__.py": "",
    "handlers/ingestion/glue/job.py": "from handlers.ingestion.glue import runs\n",
    "handlers/ingestion/glue/runs.py": "",
    "handlers/ingestion/other.py": "",
}


def deployed_function(folder: str = "meetings/storage", code_hash: str = "hash") -> DeployedFunction:
    handler = f"handlers.{folder.replace('/', '.')}.handler.handler"
    return DeployedFunction(
        "name", handler, "python3.13", has_layer=False, architectures=(), code_hash=code_hash, log_group="group"
    )


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CurrentPackages:
    use_handler_tree(monkeypatch, tmp_path, FILES | SPARK_FILES)
    return CurrentPackages()


@pytest.mark.parametrize(
    ("folder", "used_files"),
    [("meetings/storage", {SHARED, KEYS, STORAGE, PROMPT}), ("meetings/start", {START}), ("meetings/missing", set())],
)
def test_a_function_uses_the_modules_that_it_imports_and_the_data_files_beside_them(
    packages: CurrentPackages, folder: str, used_files: set[str]
) -> None:
    files = {SHARED, KEYS, STORAGE, START, PROMPT, "handlers/common/missing.py"}
    assert packages.list_used_files(deployed_function(folder), files) == used_files


def test_a_function_uses_the_data_files_of_its_subsystem_but_not_those_of_other_functions(
    packages: CurrentPackages,
) -> None:
    files = {"handlers/meetings/table.json", "handlers/meetings/storage/table.json"}
    assert packages.list_used_files(deployed_function("meetings/start"), files) == {"handlers/meetings/table.json"}


def test_the_spark_job_uses_only_what_it_imports(packages: CurrentPackages) -> None:
    assert packages.is_used_by_spark_job({"handlers/ingestion/glue/runs.py"})
    assert not packages.is_used_by_spark_job({"handlers/ingestion/other.py"})


def test_the_constants_describe_the_spark_job_of_the_program() -> None:
    assert (ROOT / SCRIPT).exists()
    assert f"{SPARK_JOB.replace('.', '/')}.py" == SCRIPT
    assert SCRIPT.startswith(f"handlers/{SPARK_SUBSYSTEM}/")


def test_changed_files_include_added_and_removed_ones(tmp_path: Path) -> None:
    def package(**files: str) -> bytes:
        write_files(tmp_path, files)
        return handler_archive.zip_files((name, tmp_path / name) for name in files)

    assert list_changed_files(package(a="1", b="1", c="1"), package(a="1", b="2", d="1")) == {"b", "c", "d"}


def test_functions_with_the_same_package_share_one_download(tmp_path: Path) -> None:
    code = tmp_path / "code"
    code.write_bytes(b"first")
    requests: list[str] = []

    def get_function(**parameters: Any) -> dict[str, Any]:
        requests.append(parameters["FunctionName"])
        return {"Code": {"Location": code.as_uri()}}

    read: Callable[[DeployedFunction], bytes] = DeployedPackages(SimpleNamespace(get_function=get_function)).read
    assert read(deployed_function()) == b"first"
    code.write_bytes(b"second")
    assert read(deployed_function("meetings/start")) == b"first"
    assert read(deployed_function(code_hash="other")) == b"second"
    assert len(requests) == 2
