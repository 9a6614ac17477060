"""Tests of the handlers' zip: the same bytes on every machine, and no unneeded files."""

import io
import os
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from components.blocks.compute import handler_archive


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in ("handlers/__init__.py", "handlers/common/a.py", "handlers/ingestion/b.py", "handlers/other/c.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(f"# {name}\n")
    return tmp_path


def file_names(content: bytes) -> list[str]:
    return zipfile.ZipFile(io.BytesIO(content)).namelist()


def test_the_zip_has_the_subsystem_and_the_common_code_under_their_paths(tree: Path) -> None:
    assert file_names(handler_archive.zip_handlers("ingestion", tree)) == [
        "handlers/__init__.py",
        "handlers/common/a.py",
        "handlers/ingestion/b.py",
    ]


def test_the_zip_has_no_caches_tests_or_hidden_files(tree: Path) -> None:
    original_zip = handler_archive.zip_handlers("ingestion", tree)
    (tree / "handlers/ingestion/__pycache__").mkdir()
    (tree / "handlers/ingestion/__pycache__/b.cpython-311.pyc").write_bytes(b"x")
    (tree / "handlers/ingestion/test_b.py").write_text("x")
    (tree / "handlers/ingestion/.DS_Store").write_text("x")
    assert handler_archive.zip_handlers("ingestion", tree) == original_zip


def test_the_zip_has_no_program_of_a_container_image(tree: Path) -> None:
    original_zip = handler_archive.zip_handlers("ingestion", tree)
    (tree / "handlers/ingestion/job/steps").mkdir(parents=True)
    for name in ("Dockerfile", "Dockerfile.dockerignore", "__main__.py", "steps/one.py"):
        (tree / "handlers/ingestion/job" / name).write_text("x")
    assert handler_archive.zip_handlers("ingestion", tree) == original_zip
    assert not [
        name
        for name in file_names(handler_archive.zip_handlers("meetings"))
        if "media_job" in name or "Dockerfile" in name
    ]


def test_times_owners_and_permissions_do_not_change_the_bytes(tree: Path) -> None:
    original_zip = handler_archive.zip_handlers("ingestion", tree)
    for path in tree.rglob("*.py"):
        os.utime(path, (1, 1))
        path.chmod(0o600)
    assert handler_archive.zip_handlers("ingestion", tree) == original_zip
    (tree / "handlers/common/a.py").write_text("# other\n")
    assert handler_archive.zip_handlers("ingestion", tree) != original_zip


def test_an_unchanged_zip_is_not_written_again(tree: Path) -> None:
    path = tree / handler_archive.write_archive("ingestion", tree)
    os.utime(path, (1, 1))
    handler_archive.write_archive("ingestion", tree)
    assert path.stat().st_mtime == 1


def test_concurrent_writers_leave_one_complete_zip(tree: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        for _ in range(20):
            [path] = set(pool.map(lambda _: handler_archive.write_archive("ingestion", tree), range(8)))
            assert (tree / path).read_bytes() == handler_archive.zip_handlers("ingestion", tree)
            (tree / path).unlink()
    assert list((tree / path).parent.iterdir()) == []
