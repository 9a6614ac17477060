"""The AWS package, imported without evaluating its annotations.

Its modules are classes of annotated arguments, some tens of thousands, and making types of them is two thirds of what
an import of them takes. Nothing asks for nearly all of them, and the SDK reads those that it needs where they are text
as well. So the package is compiled as if each module began with `from __future__ import annotations` (PEP 563). What is
compiled lies in the environment, beside what was compiled when the package was installed, under a name of its own.
"""

import __future__

import os
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from importlib.util import cache_from_source
from pathlib import Path
from types import CodeType, ModuleType

PACKAGE = "pulumi_aws"
POSTPONED = __future__.annotations.compiler_flag


def install() -> None:
    """From here on, in this process."""
    sys.meta_path.insert(0, _Finder)


def _own(path: str) -> str:
    """Where the compiled file of ours lies; sources stay where they are."""
    return f"{path.removesuffix('.pyc')}.opt-postponed.pyc" if path.endswith(".pyc") else path


class _Loader(SourceFileLoader):
    """Compiles a module so, and keeps what is compiled."""

    def source_to_code(self, data: str | bytes, path: str, *, _optimize: int = -1) -> CodeType:  # type: ignore[override]
        """The module's code."""
        code: CodeType = compile(data, path, "exec", flags=POSTPONED, dont_inherit=True, optimize=_optimize)
        return code

    def get_code(self, fullname: str) -> CodeType | None:
        """The same, compiled once: also where Python is told to keep nothing, which is about sources that are edited."""
        told, sys.dont_write_bytecode = sys.dont_write_bytecode, False
        try:
            return super().get_code(fullname)
        finally:
            sys.dont_write_bytecode = told

    def get_data(self, path: str) -> bytes:
        """A file's bytes, of the compiled file ours."""
        return super().get_data(_own(path))

    def set_data(self, path: str, data: bytes, *, _mode: int = 0o666) -> None:  # type: ignore[override]
        """Keeps what is compiled."""
        super().set_data(_own(path), data, _mode=_mode)


class _Finder(PathFinder):
    """Finds the package's modules where they are, and has them loaded so where what is compiled can be kept.

    Else each process would compile anew, which takes longer than to evaluate all annotations.
    """

    @classmethod
    def find_spec(
        cls, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The module, if it is the package's."""
        if fullname.partition(".")[0] != PACKAGE:
            return None
        found = super().find_spec(fullname, path, target)
        if found is not None and found.origin and isinstance(found.loader, SourceFileLoader):
            compiled = Path(_own(cache_from_source(found.origin)))
            if os.access(compiled.parent, os.W_OK) or compiled.exists():
                found.loader = _Loader(fullname, found.origin)
        return found
