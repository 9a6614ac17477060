"""Zip archive of one function's code, with the same bytes on every machine.

The blocks of the functions and of the Spark job deploy it. It has only the files that the function loads, so a change of any other file does not deploy the function again. Files are
sorted, dated 1980 and stored uncompressed, because compressors differ between machines. They keep their paths below the
repository's root, so imports are the same everywhere.
"""

import io
import re
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BUILD = Path("build/zips")
"""Folder of the archives, relative to the repository's root."""
FILE_MODE = 0o644 << 16  # a zip entry has the Unix mode in the upper 16 bits
LAYER_LOCK = ROOT / "requirements" / "layer.txt"
"""Lock file of the packages that the handlers import. They are not in the archive, but in the Lambda layer."""
IMPORT = re.compile(r"^ *(?:from (handlers[.\w]*) import (\([^)]*\)|.+)|import (handlers[.\w]+))", re.MULTILINE)
"""Pattern of an import of the project's handlers. The linter allows no other form. Python's parser would need a second for
all modules, and Python 3.11's cannot be used by two threads at once."""
FOR_TYPE_CHECKERS = re.compile(r"^if TYPE_CHECKING:\n(?:(?: .*)?\n)+", re.MULTILINE)
"""Pattern of the imports that only type checkers execute."""
REFUSED_IMPORT = re.compile(r"^ *(?:from +\.|import importlib|from importlib)", re.MULTILINE)


def list_source_files(entry_module: str) -> list[Path]:
    """Return the paths of all files that a module needs, relative to the repository's root.

    These are the module itself, and all modules of `handlers` that it imports, also indirectly or inside a function. The
    packages that contain these modules are added, with their data files. A data file is any file that is not Python
    code, in a package's folder, or in a subfolder that is not itself a package.
    """
    if _find_file(entry_module) is None:
        raise FileNotFoundError(
            f"the module {entry_module} does not exist: create {entry_module.replace('.', '/')}.py, or correct the entry"
        )
    files, known, pending = set[Path](), set[str](), set(_list_with_parents(entry_module))
    while pending:
        found = {path for module in pending if (path := _find_file(module))}
        files |= found
        known |= pending
        pending = {
            module for path in found for module in _list_imports(path, (ROOT / path).read_text(encoding="utf-8"))
        } - known
    packages = {path.parent for path in files if path.name == "__init__.py"}
    files.update(file for package in packages for file in _list_data_files(package))
    return sorted(files, key=Path.as_posix)


def write_archive(entry_module: str) -> Path:
    """Write a module's archive below `build/` and return its path relative to the root, as Pulumi's state stores it.

    For example, `handlers.ingestion.sweeper.handler` has the archive `ingestion-sweeper.zip`.
    """
    content = zip_files((path.as_posix(), ROOT / path) for path in list_source_files(entry_module))
    path = BUILD / f"{'-'.join(entry_module.split('.')[1:-1])}.zip"
    target = ROOT / path
    if not target.exists() or target.read_bytes() != content:
        target.parent.mkdir(parents=True, exist_ok=True)
        # Concurrent previews write different temporary files. Renaming one replaces the archive in one step, so no
        # reader sees an incomplete archive.
        with tempfile.NamedTemporaryFile(dir=target.parent, suffix=".partial", delete=False) as partial:
            partial.write(content)
        Path(partial.name).replace(target)
    return path


def zip_files(files: Iterable[tuple[str, Path]], *, compress: bool = False) -> bytes:
    """Return a zip of the given files, each with its name in the archive.

    Only the archive of the Lambda layer is compressed. The bytes of a compressed zip also depend on zlib's version.
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED if compress else zipfile.ZIP_STORED) as archive:
        for name, path in files:
            entry = zipfile.ZipInfo(name)  # dated 1980
            entry.external_attr = FILE_MODE
            archive.writestr(entry, path.read_bytes(), archive.compression)
    return buffer.getvalue()


def _find_file(module: str) -> Path | None:
    """Return the file of a module or package, or None if the name is that of an attribute."""
    path = module.replace(".", "/")
    return next((Path(file) for file in (f"{path}.py", f"{path}/__init__.py") if (ROOT / file).is_file()), None)


@cache
def _list_imports(path: Path, source: str) -> frozenset[str]:
    """Return the names below `handlers` that a Python file imports, with the packages that contain them.

    `from package import name` counts as an import of `package.name`, because the name may be that of a module. The
    result is cached, because functions share modules.
    """
    executed = FOR_TYPE_CHECKERS.sub("", source)
    if refused := REFUSED_IMPORT.search(source):
        line = source.count("\n", 0, refused.start()) + 1
        raise ImportError(
            f"{path}:{line}: this import is relative or dynamic. Import the module by its absolute name, because a "
            "function's zip contains only the modules that absolute imports name"
        )
    imported = set[str]()
    for module, names, other_module in IMPORT.findall(executed):
        imported.update(_list_with_parents(module or other_module))
        imported.update(f"{module}.{name}" for name in re.findall(r"\w+", names))
    return frozenset(imported)


def _list_with_parents(module: str) -> list[str]:
    """Return a module and the packages that Python imports before it, for example `a`, `a.b` and `a.b.c` for `a.b.c`."""
    parts = module.split(".")
    return [".".join(parts[: depth + 1]) for depth in range(len(parts))]


def _list_data_files(folder: Path) -> Iterator[Path]:
    """Yield the files of a package's folder that are not Python code, also those in subfolders that are no packages."""
    for path in (ROOT / folder).iterdir():
        if path.is_dir() and path.name != "__pycache__" and not (path / "__init__.py").exists():
            yield from _list_data_files(path)
        elif path.is_file() and path.suffix != ".py" and not path.name.startswith("."):
            yield path.relative_to(ROOT)
