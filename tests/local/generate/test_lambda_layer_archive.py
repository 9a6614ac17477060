"""Tests of the build of the Lambda layer: bytecode for the runtime's Python version, and the maximum size.

Python uses unchecked bytecode without a comparison with the source file.
"""

import importlib.util
import marshal
import sys
from pathlib import Path
from types import CodeType

import pytest

from components.foundation import layer_archive
from local.generate import lambda_layer_archive

MAGIC, FLAGS, HEADER_BYTES = slice(0, 4), slice(4, 8), 16
"""Header of a bytecode file (PEP 552)."""
UNCHECKED = (1).to_bytes(4, "little")
"""Flags of unchecked bytecode."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "module.py").write_text("ANSWER = 42\n")
    (tmp_path / "package" / "template.py").write_text("{{ no Python }}}\n")
    return tmp_path


def test_modules_get_unchecked_bytecode_with_the_layers_paths(
    folder: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python would ignore checked bytecode, because the source files of the deployed layer have other dates."""
    monkeypatch.setattr(lambda_layer_archive, "RUNTIME", f"{sys.version_info[0]}.{sys.version_info[1]}")
    monkeypatch.setenv("PYTHONPYCACHEPREFIX", str(tmp_path_factory.mktemp("elsewhere")))
    assert lambda_layer_archive.add_bytecode(folder)
    [compiled_file] = folder.rglob("*.pyc")
    content = compiled_file.read_bytes()
    assert (content[MAGIC], content[FLAGS]) == (importlib.util.MAGIC_NUMBER, UNCHECKED)
    code = marshal.loads(content[HEADER_BYTES:])  # noqa: S302 - this test compiled the file
    assert isinstance(code, CodeType)
    assert code.co_filename == "/opt/python/package/module.py"


def test_no_bytecode_is_added_if_the_runtimes_python_version_is_not_installed(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lambda_layer_archive, "RUNTIME", "3.99")
    assert not lambda_layer_archive.add_bytecode(folder)


def test_a_layer_above_the_size_limit_is_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def install(folder: Path) -> int:
        (folder / "package.py").write_bytes(bytes(range(256)))  # cannot be compressed
        return 0

    monkeypatch.setattr(lambda_layer_archive, "ROOT", tmp_path)
    monkeypatch.setattr(lambda_layer_archive, "_install", install)
    monkeypatch.setattr(lambda_layer_archive, "add_bytecode", lambda _folder: False)
    monkeypatch.setattr(lambda_layer_archive, "ZIPPED_LIMIT", 100)
    assert lambda_layer_archive.command() == 1
    assert "zipped, but Lambda allows 0 MB" in capsys.readouterr().err
    assert not (tmp_path / layer_archive()).exists()
    monkeypatch.setattr(lambda_layer_archive, "ZIPPED_LIMIT", 1000)
    for lock_hash in ("a" * 12, "b" * 12):
        monkeypatch.setattr("components.foundation.lock_hash", lambda lock_hash=lock_hash: lock_hash)
        assert lambda_layer_archive.command() == 0
        archives = [path.name for path in (tmp_path / layer_archive()).parent.iterdir()]
        assert archives == [f"handlers-{lock_hash}.zip"], "archives of other lock files are removed"
