"""Search for faults because of which a function or job of a stack could not run its code.

Without this search, a function with a fault would be deployed, and would fail at its first call. The search begins at
the entry point, the module with which a function or job starts, and follows all imports, also those inside Python
functions. It reports syntax errors, modules and names that cannot be imported, undefined names, and missing entry
points.
"""

import re
import warnings
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import NamedTuple

from local.preview.handler_check.entry_points import EntryPoint, ImportEnvironment, SourceFile, list_entry_points
from local.preview.handler_check.importable_modules import has_standard_module, has_standard_name
from local.preview.handler_check.module_analysis import (
    STAR,
    ImportStatement,
    ModuleAnalysis,
    Problem,
    analyze_module,
)
from local.preview.resource_graph import Graph


class HandlerFault(NamedTuple):
    """Reason why functions or jobs cannot run, with its file and line."""

    file: str
    """Path relative to the repository's root."""
    line: int
    problem: str
    urns: tuple[str, ...]
    """URNs of the functions and jobs that cannot run, or physical names of functions in `make push`."""

    def __str__(self) -> str:
        names = ", ".join(urn.rpartition("::")[2] for urn in self.urns)
        return f"{self.file}:{self.line}: {self.problem} (cannot run: {names})"


def find_handler_faults(graph: Graph) -> list[HandlerFault]:
    """Return all faults in the functions and jobs of a stack, sorted by file and line."""
    return HandlerCheck().list_faults(list_entry_points(graph))


class HandlerCheck:
    """Search for faults in the code of entry points. Each module is analyzed once."""

    def __init__(self) -> None:
        self._analyses: dict[SourceFile, ModuleAnalysis] = {}
        self._modules: dict[tuple[ImportEnvironment, str], tuple[list[Problem], set[str]]] = {}
        """Problems of each module, and the project's modules that it imports. Both depend on the environment."""

    def list_faults(self, entry_points: Iterable[EntryPoint]) -> list[HandlerFault]:
        """Return all faults of the entry points, sorted by file and line."""
        urns: dict[tuple[str, int, str], list[str]] = {}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # hides the compiler's warnings, for example about an unknown escape
            for entry_point in entry_points:
                for fault in self._find_faults(entry_point):
                    urns.setdefault(fault, []).append(entry_point.urn)
        return [HandlerFault(*fault, tuple(sorted(urns[fault]))) for fault in sorted(urns)]

    def _find_faults(self, entry_point: EntryPoint) -> set[tuple[str, int, str]]:
        """Return all faults of an entry point as file, line and problem."""
        environment, module = entry_point.environment, entry_point.module
        if module not in environment.modules:
            return {(environment.code, 1, f"{environment.code} has no module {module}")}
        faults: set[tuple[str, int, str]] = set()
        function = entry_point.function
        if function is not None and not self._analyze(environment.modules[module]).may_define(function):
            path = environment.modules[module].path
            faults.add(
                (environment.code, 1, f"the entry point {entry_point.text} does not exist: {path} has no {function}")
            )
        for name in self._list_imported_modules(entry_point):
            problems, _ = self._check_module(environment, name)
            faults |= {(environment.modules[name].path, *problem) for problem in problems}
        return faults

    def _list_imported_modules(self, entry_point: EntryPoint) -> set[str]:
        """Return the entry point's own module, and all modules of the project that it imports, also indirectly."""
        module = entry_point.module
        reached, pending = set[str](), {module, *_list_parents(module)}
        while pending:
            reached |= pending
            pending = {
                name for importer in pending for name in self._check_module(entry_point.environment, importer)[1]
            }
            pending -= reached
        return reached

    def _check_module(self, environment: ImportEnvironment, module: str) -> tuple[list[Problem], set[str]]:
        """Return a module's own problems, and the project's modules that it imports."""
        key = (environment, module)
        if key not in self._modules:
            analysis = self._analyze(environment.modules[module])
            problems, imported = list(analysis.problems), set[str]()
            for statement in analysis.imports:
                texts, modules = self._check_import(environment, statement)
                problems += [Problem(statement.line, text) for text in texts]
                imported |= modules
            self._modules[key] = problems, imported
        return self._modules[key]

    def _check_import(self, environment: ImportEnvironment, statement: ImportStatement) -> tuple[list[str], set[str]]:
        """Return the problems of an import statement, and the project's modules that Python would load for it."""
        module, names = statement.module, [name for name in statement.names if name != STAR]
        if module.partition(".")[0] not in environment.modules:
            return self._check_library_import(environment, module, names), set()
        if module not in environment.modules:
            return [f"the module {module} is not in {environment.code}"], set()
        source = environment.modules[module]
        imported = {module, *_list_parents(module)}
        submodules = {name for name in names if f"{module}.{name}" in environment.modules}
        imported |= {f"{module}.{name}" for name in submodules}
        missing = [name for name in names if name not in submodules and not self._analyze(source).may_define(name)]
        return [f"{source.path} does not define {name}" for name in missing], imported

    def _check_library_import(self, environment: ImportEnvironment, module: str, names: list[str]) -> list[str]:
        """Return the problems of an import from the standard library or an installed package."""
        packages, python = environment.packages, environment.python
        if has_standard_module(module, python):
            return [f"{module} has no {name}" for name in names if not has_standard_name(module, name)]
        if not packages.may_contain(module):
            version = ".".join(map(str, python))
            return [f"neither {packages.source} nor Python {version} provides the module {module}"]
        missing = [name for name in names if not self._may_package_define(environment, module, name)]
        return [f"{module} of {packages.source} has no {name}" for name in missing]

    def _may_package_define(self, environment: ImportEnvironment, module: str, name: str) -> bool:
        """Return False if a package's module certainly lacks a name, because its source does not contain the name.

        Return True if the module can have names that its source does not contain, for example because of `import *`.
        """
        file = environment.packages.files.get(module, "")
        if not file.endswith(".py") or environment.packages.may_contain(f"{module}.{name}"):
            return True
        return _may_source_define(file, name)

    def _analyze(self, source: SourceFile) -> ModuleAnalysis:
        if source not in self._analyses:
            package = source.path.rpartition("/")[0].replace("/", ".")
            self._analyses[source] = analyze_module(source.content, package)
        return self._analyses[source]


@cache
def _may_source_define(file: str, name: str) -> bool:
    text = Path(file).read_text()
    return any(re.search(rf"\b{part}\b", text) for part in (name, "__getattr__", "globals")) or "import *" in text


def _list_parents(module: str) -> list[str]:
    """Return the packages that Python imports before a module, for example `a` and `a.b` for `a.b.c`."""
    parts = module.split(".")
    return [".".join(parts[:depth]) for depth in range(1, len(parts))]
