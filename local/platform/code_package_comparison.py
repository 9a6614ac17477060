"""Code packages of the Lambda functions, both current and deployed, and the files that differ between them."""

import base64
import hashlib
import io
import urllib.request
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components import handler_archive
from local import ROOT
from local.platform.deployed_functions import DeployedFunction
from local.preview.handler_check.entry_points import EnvironmentReader, to_entry_point
from local.preview.handler_check.handler_faults import HandlerCheck, HandlerFault


@dataclass(frozen=True)
class FunctionPackage:
    """Package of a function."""

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

    def build(self, function: DeployedFunction) -> FunctionPackage:
        """Return the package of a function."""
        if function.entry_module not in self._packages:
            path = ROOT / handler_archive.write_archive(function.entry_module)
            self._packages[function.entry_module] = FunctionPackage(path, path.read_bytes())
        return self._packages[function.entry_module]

    def list_faults(self, functions: Iterable[DeployedFunction]) -> list[HandlerFault]:
        """Return the reasons why functions could not start with the code of their current packages."""
        reader = EnvironmentReader()
        return HandlerCheck().list_faults(
            to_entry_point(
                function.name,
                function.handler,
                reader.read(str(self.build(function).path), function.runtime, has_layer=function.has_layer),
            )
            for function in functions
        )


def download_package(client: Any, function: DeployedFunction) -> bytes:
    """Return the package of a function that is deployed to the emulator."""
    url = client.get_function(FunctionName=function.name)["Code"]["Location"]
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=10) as response:
        content: bytes = response.read()
    return content


def list_changed_files(before: bytes, after: bytes) -> set[str]:
    """Return the paths of changed, added and removed files between two packages."""
    old, new = _read_checksums(before), _read_checksums(after)
    return {path for path in old.keys() | new.keys() if old.get(path) != new.get(path)}


def _read_checksums(package: bytes) -> dict[str, int]:
    with zipfile.ZipFile(io.BytesIO(package)) as archive:
        return {entry.filename: entry.CRC for entry in archive.infolist()}
