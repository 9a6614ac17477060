"""Tests of the functions' zips: exactly the files that a function loads, and the same bytes on every machine."""

import json
import os
import subprocess
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from components import handler_archive
from tests.entry_modules import ENTRY_MODULES
from tests.handler_tree import FILES, KEYS, SHARED, START, START_MODULE, STORAGE_MODULE, use_handler_tree, write_files

IMPORTED_BY_FUNCTIONS = {"handlers.transcription.router.handler": ["handlers.common.tokens"]}
"""Modules that the module of an entry imports only when one of its functions is called."""
IMPORT_SCRIPT = """
import importlib, json, sys
from pathlib import Path
from unittest.mock import MagicMock

for name in ("pyarrow", "pyarrow.parquet", "pyspark", "pyspark.sql", "pyspark.sql.pandas.types", "pyspark.sql.types"):
    sys.modules[name] = MagicMock()
loaded = {}
for folder, modules in json.load(sys.stdin).items():
    sys.path.insert(0, folder)
    for module in modules:
        importlib.import_module(module)
    names = [name for name in sys.modules if name.partition(".")[0] == "handlers"]
    loaded[folder] = sorted(str(Path(sys.modules.pop(name).__file__).relative_to(folder)) for name in names)
    sys.path.remove(folder)
print(json.dumps(loaded))
"""
"""Program that imports modules of several folders, each without those of the others, and prints their files. Glue
provides Spark and Arrow, which are not installed here."""


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    use_handler_tree(monkeypatch, tmp_path)
    return tmp_path


def names(entry_module: str = STORAGE_MODULE) -> set[str]:
    return {path.as_posix() for path in handler_archive.list_source_files(entry_module)}


def build(entry_module: str = STORAGE_MODULE) -> bytes:
    return (handler_archive.ROOT / handler_archive.write_archive(entry_module)).read_bytes()


def test_each_function_loads_all_modules_of_its_zip_and_no_others(tmp_path: Path) -> None:
    folders: dict[str, list[str]] = {}
    expected: dict[str, list[str]] = {}
    for entry_module in ENTRY_MODULES:
        folder = str(tmp_path / entry_module)
        with zipfile.ZipFile(handler_archive.ROOT / handler_archive.write_archive(entry_module)) as archive:
            archive.extractall(folder)
            assert {entry.external_attr >> 16 for entry in archive.infolist()} == {0o644}, "Lambda may read each file"
            expected[folder] = sorted(name for name in archive.namelist() if name.endswith(".py"))
        folders[folder] = [entry_module, *IMPORTED_BY_FUNCTIONS.get(entry_module, ())]
    # Isolated mode (-I) hides the current folder, so only the unzipped files and installed packages can be imported.
    process = subprocess.run(  # noqa: S603
        [sys.executable, "-IB", "-c", IMPORT_SCRIPT],
        input=json.dumps(folders),
        cwd=tmp_path,
        env={"AWS_DEFAULT_REGION": "us-east-1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    assert json.loads(process.stdout) == expected
    assert len(ENTRY_MODULES) > 15


def test_a_zip_has_the_imported_modules_their_packages_and_the_data_files_of_these_packages(tree: Path) -> None:
    caches = {"handlers/meetings/storage/__pycache__/x.pyc": "", "handlers/meetings/storage/.hidden": ""}
    table, start = "handlers/meetings/table.json", "handlers/meetings/start/start.json"
    write_files(tree, {table: "{}", start: "{}", **caches})
    assert names() == {*FILES, table} - {START, "handlers/meetings/start/__init__.py"}
    packages = {f"{package}/__init__.py" for package in ("handlers", "handlers/meetings", "handlers/meetings/start")}
    assert names(START_MODULE) == {START, *packages, table, start}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("def load():\n    if True:\n        import handlers.meetings.keys", {KEYS, SHARED}),
        ("try:\n    pass\nexcept ValueError:\n    from handlers.meetings import keys", {KEYS, SHARED}),
        ("match 1:\n    case 1:\n        from handlers.common.shared import LIMIT", {SHARED}),
        ("if TYPE_CHECKING:\n    import handlers.meetings.keys\nelse:\n    import handlers.common.shared", {SHARED}),
        ("from handlers.meetings import (\n    keys,\n    other,\n)", {KEYS, SHARED}),
        ("import handlersx.common.shared", set()),
    ],
)
def test_imports_are_followed_wherever_a_function_may_run_them(tree: Path, text: str, found: set[str]) -> None:
    write_files(tree, {START: text})
    assert names(START_MODULE) & {KEYS, SHARED} == found


@pytest.mark.parametrize(
    "text", ["from . import environment", "from ..keys import LIMIT", "import importlib", "from importlib import x"]
)
def test_relative_and_dynamic_imports_are_refused(tree: Path, text: str) -> None:
    write_files(tree, {START: f"\n{text}\n"})
    with pytest.raises(ImportError, match=rf"^{START}:2: .* absolute name"):
        handler_archive.write_archive(START_MODULE)


def test_an_entry_that_does_not_exist_is_refused(tree: Path) -> None:
    (tree / START).unlink()
    with pytest.raises(FileNotFoundError, match=f"create {START}"):
        handler_archive.write_archive(START_MODULE)


def test_only_the_content_of_its_files_changes_a_zip(tree: Path) -> None:
    original = {module: build(module) for module in (STORAGE_MODULE, START_MODULE)}
    write_files(tree, {SHARED: "LIMIT = 2\n"})
    assert {module for module in original if build(module) != original[module]} == {STORAGE_MODULE}


def test_times_and_permissions_do_not_change_the_bytes_and_an_unchanged_zip_is_not_written_again(tree: Path) -> None:
    original = build()
    written = tree / handler_archive.write_archive(STORAGE_MODULE)
    for path in (written, *tree.rglob("*.py")):
        os.utime(path, (1, 1))
        path.chmod(0o600)
    assert build() == original
    assert written.stat().st_mtime == 1


def test_concurrent_writers_leave_one_complete_zip(tree: Path) -> None:
    content = build()
    with ThreadPoolExecutor(8) as pool:
        for _ in range(5):
            [path] = set(pool.map(lambda _: handler_archive.write_archive(STORAGE_MODULE), range(8)))
            assert (tree / path).read_bytes() == content
            (tree / path).unlink()
    assert list((tree / path).parent.iterdir()) == []
