"""Archive of ingestion's handlers in which one module has an undefined name."""

from pathlib import Path

from components.blocks.compute import handler_archive
from local import ROOT

BROKEN_FILE = "handlers/ingestion/sweeper/handler.py"
BROKEN_TEXT = f"{(ROOT / BROKEN_FILE).read_text()}LIMIT = undefined\n"
"""Content of the module. The fault is in the last line."""


def write_broken_archive(folder: Path) -> Path:
    """Write the archive to a folder and return its path."""
    broken = folder / "handler.py"
    broken.write_text(BROKEN_TEXT)
    files = {path.as_posix(): ROOT / path for path in handler_archive.list_source_files("ingestion")}
    archive = folder / "ingestion.zip"
    archive.write_bytes(handler_archive.zip_files({**files, BROKEN_FILE: broken}.items()))
    return archive
