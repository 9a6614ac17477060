"""Zip archive of one subsystem's handlers, with the same bytes on every machine.

Unchanged code gives an unchanged archive, so it is not deployed again. Files are sorted, dated 1980 and stored
uncompressed, because compressors differ between machines. The archive has no caches, no tests, and no program that runs
in its own container image. Files keep their paths below the repository's root, so imports are the same everywhere.
"""

import io
import tempfile
import zipfile
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
BUILD = Path("build/zips")
"""Folder of the archives, relative to the repository's root."""
ENTRY_DATE = (1980, 1, 1, 0, 0, 0)
FILE_MODE = 0o644 << 16  # a zip entry has the Unix mode in the upper 16 bits
LAYER_LOCK = ROOT / "requirements" / "layer.txt"
"""Lock file of the packages that the handlers import. They are not in the archive, but in the Lambda layer."""
IMAGE_FILE = "Dockerfile"
"""A folder that contains this file is the program of a container image, not part of a function."""


def list_source_files(subsystem: str, root: Path = ROOT) -> list[Path]:
    """Return the paths of one subsystem's archive, relative to the root: its own handlers and `handlers/common`."""
    paths = [Path("handlers/__init__.py")]
    for folder in (f"handlers/{subsystem}", "handlers/common"):
        if not (root / folder).is_dir():
            raise FileNotFoundError(
                f"the folder {folder} does not exist. Each subsystem needs a folder of handlers with its name"
            )
        image_folders = {path.parent for path in (root / folder).rglob(IMAGE_FILE)}
        paths += [
            path.relative_to(root)
            for path in (root / folder).rglob("*")
            if path.is_file()
            and "__pycache__" not in path.parts
            and not path.name.startswith((".", "test_"))
            and image_folders.isdisjoint(path.parents)
        ]
    return sorted(paths, key=Path.as_posix)


def zip_handlers(subsystem: str, root: Path = ROOT) -> bytes:
    """Return the archive of one subsystem's handlers."""
    return zip_files((path.as_posix(), root / path) for path in list_source_files(subsystem, root))


def zip_files(files: Iterable[tuple[str, Path]], *, compress: bool = False) -> bytes:
    """Return a zip of the given files, each with its name in the archive.

    The bytes of a compressed zip also depend on zlib's version.
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED if compress else zipfile.ZIP_STORED) as archive:
        for name, path in files:
            entry = zipfile.ZipInfo(name, ENTRY_DATE)
            entry.external_attr = FILE_MODE
            archive.writestr(entry, path.read_bytes(), archive.compression)
    return buffer.getvalue()


def write_archive(subsystem: str, root: Path = ROOT) -> Path:
    """Write the archive below `build/` and return its path relative to the root, as Pulumi's state stores it."""
    path = BUILD / f"{subsystem}.zip"
    content = zip_handlers(subsystem, root)
    target = root / path
    if not target.exists() or target.read_bytes() != content:
        target.parent.mkdir(parents=True, exist_ok=True)
        # Concurrent previews write different temporary files. Renaming one replaces the archive in one step, so no
        # reader sees an incomplete archive.
        with tempfile.NamedTemporaryFile(dir=target.parent, suffix=".partial", delete=False) as partial:
            partial.write(content)
        Path(partial.name).replace(target)
    return path
