"""Archive of a function in which one module imports a module that does not exist."""

from pathlib import Path

import pytest

from components import handler_archive
from local import ROOT

BROKEN_MODULE = "handlers.ingestion.sweeper.handler"
BROKEN_FILE = "handlers/ingestion/sweeper/handler.py"
BROKEN_TEXT = f"{(ROOT / BROKEN_FILE).read_text()}import missing\n"
"""Content of the module. The fault is in the last line."""


def use_broken_handler(patch: pytest.MonkeyPatch, folder: Path) -> None:
    """Write the archive to a folder, and let the program use it for the function."""
    broken, archive = folder / "handler.py", folder / "sweeper.zip"
    broken.write_text(BROKEN_TEXT)
    files = {path.as_posix(): ROOT / path for path in handler_archive.list_source_files(BROKEN_MODULE)}
    archive.write_bytes(handler_archive.zip_files({**files, BROKEN_FILE: broken}.items()))
    write_archive = handler_archive.write_archive
    patch.setattr(
        handler_archive,
        "write_archive",
        lambda entry_module: archive if entry_module == BROKEN_MODULE else write_archive(entry_module),
    )
