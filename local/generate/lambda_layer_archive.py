"""Build of the zip archive for the handlers' Lambda layer: the locked dependencies, for arm64 and Python 3.13.

The build works on any machine, because pip only downloads ready wheels for Lambda's platform and compiles no C code. If
Python 3.13 is installed, the build also adds bytecode, which is the same for all processors. Without bytecode, each new
container would compile the modules again, because `/opt/python` is read-only in Lambda.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from components.blocks.function import RUNTIME as FUNCTION_RUNTIME
from components.foundation import layer_archive
from components.handler_archive import LAYER_LOCK, zip_files
from local import ROOT

PLATFORMS = ("manylinux2014_aarch64", "manylinux_2_28_aarch64")
"""Platform tags of wheels that run on Amazon Linux 2023 on arm64."""
RUNTIME = FUNCTION_RUNTIME.removeprefix("python")
"""Python version of the functions."""
MODULES_FOLDER = "/opt/python"
"""Folder in which a Lambda container finds the layer's modules."""
UNZIPPED_LIMIT = 250 * 1024**2
"""Lambda's limit in bytes for a function together with its layers."""
ZIPPED_LIMIT = 50 * 1024**2
"""Lambda's limit in bytes for an archive that is uploaded directly, not through S3."""


def command() -> int:
    """Build the archive for `make layers`, unless it was built from the current lock file; return the exit status.

    Archives of other lock files are removed. The name of an archive contains the hash of its lock file.
    """
    target = ROOT / layer_archive()
    if target.exists():
        print(f"{layer_archive()} is up to date")
        return 0
    with tempfile.TemporaryDirectory() as folder:
        pip_status = _install(Path(folder))
        if pip_status != 0:
            return pip_status
        with_bytecode = add_bytecode(Path(folder))
        files = [path for path in sorted(Path(folder).rglob("*")) if path.is_file() and _is_usable_in_lambda(path)]
        size = sum(path.stat().st_size for path in files)
        paths_by_name = ((f"python/{path.relative_to(folder).as_posix()}", path) for path in files)
        archive = zip_files(paths_by_name, compress=True)
        for form, form_size, limit in (("unzipped", size, UNZIPPED_LIMIT), ("zipped", len(archive), ZIPPED_LIMIT)):
            if form_size > limit:
                sizes = f"{form_size / 1024**2:.0f} MB {form}, but Lambda allows {limit / 1024**2:.0f} MB"
                print(f"The layer has {sizes}. Remove a dependency.", file=sys.stderr)
                return 1
        shutil.rmtree(target.parent, ignore_errors=True)
        target.parent.mkdir(parents=True)
        # An interrupted write must not leave an incomplete archive under the final name.
        partial = target.with_suffix(".partial")
        partial.write_bytes(archive)
        partial.rename(target)
    without_bytecode = f"without bytecode, so functions start more slowly (install Python {RUNTIME} to add it)"
    bytecode = "with bytecode" if with_bytecode else without_bytecode
    print(f"built {layer_archive()}: {len(files)} files, {size / 1024**2:.1f} MB unzipped, {bytecode}")
    return 0


def add_bytecode(folder: Path) -> bool:
    """Compile the modules in a folder to bytecode. Return False if there is none, because the Python version is missing.

    The bytecode is marked as `unchecked-hash`, so Python does not compare it with the source before it uses it.
    """
    search_path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    interpreter = shutil.which(f"python{RUNTIME}", path=search_path)
    if interpreter is not None:
        mode = ("--invalidation-mode", "unchecked-hash", "-s", str(folder), "-p", MODULES_FOLDER)
        # With this variable, Python would write the bytecode into another folder.
        variables = {name: value for name, value in os.environ.items() if name != "PYTHONPYCACHEPREFIX"}
        # Files that fail to compile are templates and modules for other Python versions, which no handler imports.
        subprocess.run([interpreter, "-m", "compileall", "-qq", *mode, str(folder)], check=False, env=variables)
    return any(folder.rglob("*.pyc"))


def _is_usable_in_lambda(path: Path) -> bool:
    """Return True for every file except bytecode of another Python version."""
    return "__pycache__" not in path.parts or path.name.endswith(f".cpython-{RUNTIME.replace('.', '')}.pyc")


def _install(folder: Path) -> int:
    """Install the locked wheels for Lambda's platform into a folder. Return pip's exit status."""
    platforms = [option for name in PLATFORMS for option in ("--platform", name)]
    process = subprocess.run(
        [
            *(sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile"),
            *("--require-hashes", "--only-binary=:all:", "--implementation", "cp", "--python-version", RUNTIME),
            *platforms,
            *("--target", str(folder), "--requirement", str(LAYER_LOCK)),
        ],
        check=False,
    )
    if process.returncode != 0:
        print(
            f"pip failed to install {LAYER_LOCK.name} for arm64 and Python {RUNTIME}. Its output above says why.",
            file=sys.stderr,
        )
    return process.returncode
