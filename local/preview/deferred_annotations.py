"""Imports the AWS package without evaluating its annotations, which is two thirds of the time of an import.

The package's modules are tens of thousands of annotated classes. Nothing reads nearly all of these annotations, and the
SDK reads those that it needs as text as well. So the package is compiled as if each module began with
`from __future__ import annotations` (PEP 563). The compiled files lie beside Python's own, under another name.
"""

import __future__

import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import CodeType, ModuleType

PACKAGE = "pulumi_aws"
POSTPONED = __future__.annotations.compiler_flag


def install() -> None:
    """Import the package so from here on, in this process."""
    sys.meta_path.insert(0, _Finder)


class _Loader(SourceFileLoader):
    """Compiles a module so, and keeps the compiled file."""

    def source_to_code(self, data: str | bytes, path: str, *, _optimize: int = -1) -> CodeType:  # type: ignore[override]
        code: CodeType = compile(data, path, "exec", flags=POSTPONED, dont_inherit=True, optimize=_optimize)
        return code

    def get_data(self, path: str) -> bytes:
        return super().get_data(_own(path))

    def set_data(self, path: str, data: bytes, *, _mode: int = 0o666) -> None:  # type: ignore[override]
        super().set_data(_own(path), data, _mode=_mode)


class _Finder(PathFinder):
    """Finds the package's modules where they are."""

    @classmethod
    def find_spec(
        cls, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname.partition(".")[0] != PACKAGE:
            return None
        found = super().find_spec(fullname, path, target)
        if found is not None and found.origin and isinstance(found.loader, SourceFileLoader):
            found.loader = _Loader(fullname, found.origin)
        return found


def _own(path: str) -> str:
    """Return the path of our compiled file for that of Python's. Sources stay where they are."""
    return f"{path.removesuffix('.pyc')}.opt-postponed.pyc" if path.endswith(".pyc") else path
