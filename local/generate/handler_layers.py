"""Builds the handlers' layer: locked wheels for arm64 and Python 3.13, whatever machine this is.

pip takes wheels of another platform only as they are, so nothing is built here. Lambda finds them below `python/`,
where it cannot write: what is not compiled beforehand, each container compiles again. Bytecode is the same for all
processors, and only the runtime's own version of Python can make it; without one the layer does the same, and takes
longer to load.
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from components.blocks.compute.handler_archive import zip_files
from components.foundation.layer import ARCHIVE, LOCK, lock_hash
from local import ROOT

PLATFORMS = ("manylinux2014_aarch64", "manylinux_2_28_aarch64")
"""What wheels for Amazon Linux 2023 on arm64 are called."""
RUNTIME = (3, 13)
FOUND_AT = "/opt/python"
"""Where Lambda puts the layer's modules."""
UNZIPPED_LIMIT = 250 * 1024**2
"""Lambda's limit for a function with its layers."""


def command() -> int:
    """`make layers`: builds the archive unless the one there is of the same lock."""
    target = ROOT / ARCHIVE
    mark = target.with_suffix(".lock")
    if target.exists() and mark.exists() and mark.read_text() == lock_hash():
        print(f"{ARCHIVE} is up to date")
        return 0
    with tempfile.TemporaryDirectory() as folder:
        installed = _install(Path(folder))
        if installed != 0:
            return installed
        with_bytecode = compiled(Path(folder))
        files = [path for path in sorted(Path(folder).rglob("*")) if path.is_file() and _belongs(path)]
        size = sum(path.stat().st_size for path in files)
        if size > UNZIPPED_LIMIT:
            print(f"the layer has {size / 1024**2:.0f} MB unzipped, Lambda takes 250", file=sys.stderr)
            return 1
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(zip_files((f"python/{path.relative_to(folder).as_posix()}", path) for path in files))
        mark.write_text(lock_hash())
    note = "compiled" if with_bytecode else f"not compiled, for want of a Python {_dotted()}: functions start slower"
    print(f"built {ARCHIVE}: {len(files)} files, {size / 1024**2:.1f} MB, {note}")
    return 0


def compiled(folder: Path) -> bool:
    """Puts bytecode beside all modules, if there is a Python of the runtime's version. Nobody compares it with its source."""
    for interpreter in (sys.executable, shutil.which(f"python{_dotted()}")):
        if interpreter is not None and _version(interpreter) == RUNTIME:
            mode = ("--invalidation-mode", "unchecked-hash", "-s", str(folder), "-p", FOUND_AT)
            # What cannot be compiled is no module of ours: templates, files for other versions.
            subprocess.run([interpreter, "-m", "compileall", "-qq", *mode, str(folder)], check=False)
            return True
    return False


def _version(interpreter: str) -> tuple[int, ...]:
    """Of a Python; nothing where it does not run."""
    code = "import sys; print(*sys.version_info[:2])"
    done = subprocess.run([interpreter, "-c", code], check=False, capture_output=True, text=True)
    return tuple(int(part) for part in done.stdout.split()) if done.returncode == 0 else ()


def _dotted() -> str:
    return ".".join(map(str, RUNTIME))


def _belongs(path: Path) -> bool:
    """Bytecode of another version would only be carried along."""
    return "__pycache__" not in path.parts or path.name.endswith(f".cpython-{RUNTIME[0]}{RUNTIME[1]}.pyc")


def _install(folder: Path) -> int:
    platforms = [option for name in PLATFORMS for option in ("--platform", name)]
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile"),
            *("--require-hashes", "--only-binary=:all:", "--implementation", "cp", "--python-version", "3.13"),
            *platforms,
            *("--target", str(folder), "--requirement", str(LOCK)),
        ],
        check=False,
    )
    if done.returncode != 0:
        print("pip could not install the layer's lock for arm64 and Python 3.13", file=sys.stderr)
    return done.returncode
