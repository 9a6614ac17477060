"""Import hook that loads `pulumi_aws` without evaluating its annotations, which saves two thirds of the import time.

The package contains tens of thousands of annotated classes. Few of these annotations are ever read, and the Pulumi SDK
can also read them as text. So the hook compiles each module as if it began with `from __future__ import annotations`
(PEP 563). It stores the compiled files beside those of Python, with a different suffix.
"""

import __future__

import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import CodeType, ModuleType

PACKAGE = "pulumi_aws"
POSTPONED = __future__.annotations.compiler_flag
"""Flag that makes the compiler store annotations as text."""


def install() -> None:
    """Use the hook for all later imports of `pulumi_aws` in this process."""
    sys.meta_path.insert(0, _Finder)


class _Loader(SourceFileLoader):
    """Loader that compiles a module with deferred annotations and caches the compiled file."""

    def source_to_code(self, data: str | bytes, path: str, *, _optimize: int = -1) -> CodeType:  # type: ignore[override]
        code: CodeType = compile(data, path, "exec", flags=POSTPONED, dont_inherit=True, optimize=_optimize)
        return code

    def get_data(self, path: str) -> bytes:
        return super().get_data(_cache_path(path))

    def set_data(self, path: str, data: bytes, *, _mode: int = 0o666) -> None:  # type: ignore[override]
        super().set_data(_cache_path(path), data, _mode=_mode)


class _Finder(PathFinder):
    """Finder that gives the modules of `pulumi_aws` the loader of this hook."""

    @classmethod
    def find_spec(
        cls, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname.partition(".")[0] != PACKAGE:
            return None
        spec = super().find_spec(fullname, path, target)
        if spec is not None and spec.origin and isinstance(spec.loader, SourceFileLoader):
            spec.loader = _Loader(fullname, spec.origin)
        return spec


def _cache_path(path: str) -> str:
    """Return the path of this hook's compiled file, given the path of Python's compiled file. Leave the path of a source
    file unchanged, because the loader reads sources with the same method.
    """
    return f"{path.removesuffix('.pyc')}.opt-postponed.pyc" if path.endswith(".pyc") else path
