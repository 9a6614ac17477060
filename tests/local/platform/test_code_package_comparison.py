"""Tests of the comparison of deployed and current code packages."""

from pathlib import Path

import pytest

from components import handler_archive
from local.platform.code_package_comparison import list_changed_files
from tests.handler_tree import write_files

pytestmark = pytest.mark.unit


def test_changed_files_include_added_and_removed_ones(tmp_path: Path) -> None:
    def package(**files: str) -> bytes:
        write_files(tmp_path, files)
        return handler_archive.zip_files((name, tmp_path / name) for name in files)

    assert list_changed_files(package(a="1", b="1", c="1"), package(a="1", b="2", d="1")) == {"b", "c", "d"}
