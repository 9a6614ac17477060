"""Builds the handlers' layer: locked wheels for arm64 and Python 3.13, whatever machine this is.

pip takes wheels of another platform only as they are, so nothing is compiled here. Lambda finds them below `python/`.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

from components.blocks.archive import zip_of
from components.foundation.layer import ARCHIVE, LOCK, lock_hash
from local import ROOT

PLATFORMS = ("manylinux2014_aarch64", "manylinux_2_28_aarch64")
"""What wheels for Amazon Linux 2023 on arm64 are called."""
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
        files = [path for path in sorted(Path(folder).rglob("*")) if path.is_file() and "__pycache__" not in path.parts]
        size = sum(path.stat().st_size for path in files)
        if size > UNZIPPED_LIMIT:
            print(f"the layer has {size / 1024**2:.0f} MB unzipped, Lambda takes 250", file=sys.stderr)
            return 1
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(zip_of((f"python/{path.relative_to(folder).as_posix()}", path) for path in files))
        mark.write_text(lock_hash())
    print(f"built {ARCHIVE}: {len(files)} files, {size / 1024**2:.1f} MB")
    return 0


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
