"""The layer's modules are compiled where that can be done, by nobody but the runtime's own version."""

import importlib.util
import marshal
import sys
from pathlib import Path
from types import CodeType

import pytest

from components.blocks.compute.function import RUNTIME
from local.generate import handler_layers

MAGIC, FLAGS, HEADER = slice(0, 4), slice(4, 8), 16
UNCHECKED = (1).to_bytes(4, "little")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "module.py").write_text("ANSWER = 42\n")
    (tmp_path / "package" / "template.py").write_text("{{ no Python }}}\n")
    return tmp_path


def bytecode(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.pyc"))


def test_modules_are_compiled_for_where_they_will_be(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Dates in the layer are not those of the sources: what is compared with them would be compiled again."""
    monkeypatch.setattr(handler_layers, "RUNTIME", sys.version_info[:2])
    assert handler_layers.compiled(folder)
    [made] = bytecode(folder)
    content = made.read_bytes()
    assert (content[MAGIC], content[FLAGS]) == (importlib.util.MAGIC_NUMBER, UNCHECKED)
    code = marshal.loads(content[HEADER:])  # noqa: S302 - made a moment ago
    assert isinstance(code, CodeType)
    assert code.co_filename == "/opt/python/package/module.py"


def test_without_the_runtimes_own_python_nothing_is(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handler_layers, "RUNTIME", (3, 99))
    assert not handler_layers.compiled(folder)
    assert bytecode(folder) == []


def test_it_is_the_version_that_functions_run() -> None:
    assert f"python{handler_layers.RUNTIME[0]}.{handler_layers.RUNTIME[1]}" == RUNTIME
