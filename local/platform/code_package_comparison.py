"""Code packages of the Lambda functions, both current and deployed, and the files in them that a function uses.

All functions of a subsystem have the same package, a zip file with all of its handlers. So a changed file changes the
package of each of these functions, but only the functions that import the file use it.
"""

import base64
import hashlib
import io
import urllib.request
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from components.blocks.compute import handler_archive
from local import ROOT
from local.platform.deployed_functions import DeployedFunction
from local.preview.handler_check.entry_points import EntryPoint, EnvironmentReader, to_entry_point
from local.preview.handler_check.handler_faults import HandlerCheck, HandlerFault

SPARK_SUBSYSTEM = "ingestion"
SPARK_JOB = "handlers.ingestion.glue.job"
"""Module of ingestion's Spark job. It imports modules of the subsystem's package, like the functions."""
SPARK_PYTHON = "python3.11"


@dataclass(frozen=True)
class FunctionPackage:
    """Package of a subsystem's functions."""

    path: Path
    """Path of the zip file."""
    content: bytes

    @property
    def code_hash(self) -> str:
        """SHA-256 in the form of Lambda's `CodeSha256`."""
        return base64.b64encode(hashlib.sha256(self.content).digest()).decode()


class CurrentPackages:
    """Packages of the current source files. Each is built once, in the same way as in a run of the program."""

    def __init__(self) -> None:
        self._packages: dict[str, FunctionPackage] = {}
        self._reader = EnvironmentReader()
        self._check = HandlerCheck()

    def build(self, subsystem: str) -> FunctionPackage:
        """Return the package of a subsystem."""
        if subsystem not in self._packages:
            path = ROOT / handler_archive.write_archive(subsystem)
            self._packages[subsystem] = FunctionPackage(path, path.read_bytes())
        return self._packages[subsystem]

    def list_faults(self, functions: Iterable[DeployedFunction]) -> list[HandlerFault]:
        """Return the reasons why functions could not start with the code of their current packages."""
        return self._check.list_faults(self._to_entry_point(function) for function in functions)

    def list_used_files(self, function: DeployedFunction, files: set[str]) -> set[str]:
        """Return those of the given files that a function uses: modules and the data files of Python packages."""
        return self._list_used(self._to_entry_point(function), files)

    def is_used_by_spark_job(self, files: set[str]) -> bool:
        """Return True if the Spark job uses one of the given files."""
        environment = self._reader.read(str(self.build(SPARK_SUBSYSTEM).path), SPARK_PYTHON, has_layer=False)
        return bool(self._list_used(EntryPoint(SPARK_JOB, SPARK_JOB, SPARK_JOB, None, environment), files))

    def _to_entry_point(self, function: DeployedFunction) -> EntryPoint:
        path = str(self.build(function.subsystem).path)
        environment = self._reader.read(path, function.runtime, has_layer=function.has_layer)
        return to_entry_point(function.name, function.handler, environment)

    def _list_used(self, entry_point: EntryPoint, files: set[str]) -> set[str]:
        imported = self._check.list_imported_files(entry_point)
        return {file for file in files if _find_python_file(file, entry_point) in imported}


def _find_python_file(file: str, entry_point: EntryPoint) -> str:
    """Return the Python file that a function must import in order to use a file, or an empty text if there is none.

    This is the file itself, or for a data file, the `__init__.py` of the package that contains it.
    """
    if file.endswith(".py"):
        return file
    packages = (f"{folder}/__init__.py" for folder in PurePosixPath(file).parents)
    paths = {source.path for source in entry_point.environment.modules.values()}
    return next((package for package in packages if package in paths), "")


class DeployedPackages:
    """Packages that are deployed to the emulator. Each is downloaded once, because several functions share it."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._contents: dict[str, bytes] = {}

    def read(self, function: DeployedFunction) -> bytes:
        """Return the deployed package of a function. Call this before you change the function, because packages are cached
        by the code hash in `function`.
        """
        if function.code_hash not in self._contents:
            url = self._client.get_function(FunctionName=function.name)["Code"]["Location"]
            with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=10) as response:
                self._contents[function.code_hash] = response.read()
        return self._contents[function.code_hash]


def list_changed_files(before: bytes, after: bytes) -> set[str]:
    """Return the paths of changed, added and removed files between two packages."""
    old, new = _read_checksums(before), _read_checksums(after)
    return {path for path in old.keys() | new.keys() if old.get(path) != new.get(path)}


def _read_checksums(package: bytes) -> dict[str, int]:
    with zipfile.ZipFile(io.BytesIO(package)) as archive:
        return {entry.filename: entry.CRC for entry in archive.infolist()}
