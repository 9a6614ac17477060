"""The zip of one subsystem's handlers: the same bytes on every machine, so that unchanged code is no deployment.

Files are sorted, dated 1980, stored rather than compressed (compressors differ between machines) and hold only what
runs: no caches, no tests, no program that has an image of its own. Handlers sit in it under their own paths, so that
imports are the same everywhere.
"""

import io
import tempfile
import zipfile
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
BUILD = Path("build/zips")
EPOCH = (1980, 1, 1, 0, 0, 0)
READABLE = 0o644 << 16
IMAGE = "Dockerfile"
"""A folder that has one is a program of an image, and no function's."""


def list_source_files(subsystem: str, root: Path = ROOT) -> list[Path]:
    """The files of one subsystem's zip, relative to the root: its own handlers and what all share."""
    found = [Path("handlers/__init__.py")]
    for folder in (f"handlers/{subsystem}", "handlers/common"):
        if not (root / folder).is_dir():
            raise FileNotFoundError(f"there are no handlers in {folder}")
        elsewhere = {path.parent for path in (root / folder).rglob(IMAGE)}
        found += [
            path.relative_to(root)
            for path in (root / folder).rglob("*")
            if path.is_file()
            and "__pycache__" not in path.parts
            and not path.name.startswith((".", "test_"))
            and elsewhere.isdisjoint(path.parents)
        ]
    return sorted(found, key=Path.as_posix)


def zip_handlers(subsystem: str, root: Path = ROOT) -> bytes:
    """The zip itself."""
    return zip_files((path.as_posix(), root / path) for path in list_source_files(subsystem, root))


def zip_files(files: Iterable[tuple[str, Path]]) -> bytes:
    """A zip of files under the names given: its bytes depend on names and contents alone."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, path in files:
            entry = zipfile.ZipInfo(name, EPOCH)
            entry.external_attr = READABLE
            archive.writestr(entry, path.read_bytes())
    return buffer.getvalue()


def write_archive(subsystem: str, root: Path = ROOT) -> Path:
    """Writes the zip below `build/` and returns its path, relative to the root as Pulumi's state should have it."""
    path = BUILD / f"{subsystem}.zip"
    content = zip_handlers(subsystem, root)
    target = root / path
    if not target.exists() or target.read_bytes() != content:
        target.parent.mkdir(parents=True, exist_ok=True)
        # Two previews at once write a file each, and either is whole.
        with tempfile.NamedTemporaryFile(dir=target.parent, suffix=".partial", delete=False) as partial:
            partial.write(content)
        Path(partial.name).replace(target)
    return path
