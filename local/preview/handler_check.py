"""Check that the Lambda functions of a stack can start, before they are deployed.

A preview, `make up` and `make push` run it. It reads the archive of each function. From the entry point, it follows all
imports, also those inside Python functions. It finds syntax errors, entry points that do not exist, and modules that
are neither in the archive, nor in the packages of the function's layer, nor in the standard library.

The check does not search for names that do not exist inside a module, because `make lint types` finds them. The Spark
job and the Batch job are not checked here, because their own tests start them.
"""

import ast
import dis
import re
import sys
import zipfile
from collections.abc import Iterable, Iterator
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import NamedTuple, TypeAlias

from components.handler_archive import LAYER_LOCK
from local import ROOT
from local.preview.resource_graph import Resource

REMOVED_MODULES = (
    "aifc asynchat asyncore audioop cgi cgitb chunk crypt distutils imghdr imp lib2to3 mailcap msilib nis nntplib "
    "ossaudiodev pipes smtpd sndhdr spwd sunau telnetlib uu xdrlib"
)
"""Modules of the standard library that Python 3.12 and 3.13 removed ("What's New In Python"). The functions run on Python
3.13, and the Python that runs this check may be older."""
STANDARD_MODULES = sys.stdlib_module_names - set(REMOVED_MODULES.split())
SourceFault: TypeAlias = tuple[str, int, str]
"""File, line and problem."""


class FunctionCode(NamedTuple):
    """Code of a Lambda function."""

    name: str
    """URN of the function, or its physical name in `make push`."""
    handler: str
    """Entry point, for example `handlers.meetings.storage.handler.handler`."""
    archive: str
    """Path of the zip file, relative to the repository's root."""
    has_layer: bool
    """True if the function can import the packages of the layer. The boto3 in Lambda's runtime does not count, because it
    may be older than the locked version."""


class HandlerFault(NamedTuple):
    """Reason why functions cannot start, with its file and line."""

    file: str
    """Path relative to the repository's root."""
    line: int
    problem: str
    urns: tuple[str, ...]
    """URNs of the functions that cannot start, or their physical names in `make push`."""

    def __str__(self) -> str:
        names = ", ".join(urn.rpartition("::")[2] for urn in self.urns)
        return f"{self.file}:{self.line}: {self.problem} (cannot run: {names})"


class Import(NamedTuple):
    """Import of a module, or of names from a module."""

    line: int
    module: str
    names: tuple[str, ...] = ()
    """Names after `from module import`, which may be names of modules."""


class Module(NamedTuple):
    """Result of reading a Python file."""

    imports: tuple[Import, ...] = ()
    names: frozenset[str] = frozenset()
    """Names that the module assigns, defines or imports at its top level."""
    syntax_error: tuple[int, str] | None = None
    """Line and text."""


def find_handler_faults(resources: Iterable[Resource]) -> list[HandlerFault]:
    """Return the reasons why functions among the resources cannot start, sorted by file and line."""
    return find_function_faults(
        FunctionCode(
            resource.urn,
            resource.inputs["handler"],
            resource.inputs["code"].path,
            has_layer=bool(resource.inputs.get("layers")),
        )
        for resource in resources
        if resource.type == "aws:lambda/function:Function"
    )


def find_function_faults(functions: Iterable[FunctionCode]) -> list[HandlerFault]:
    """Return the reasons why functions cannot start, sorted by file and line. Functions may share a reason."""
    names: dict[SourceFault, list[str]] = {}
    for function in functions:
        for fault in set(_find_faults(function)):
            names.setdefault(fault, []).append(function.name)
    return [HandlerFault(*fault, tuple(sorted(names[fault]))) for fault in sorted(names)]


def _find_faults(function: FunctionCode) -> Iterator[SourceFault]:
    """Yield the reasons why one function cannot start."""
    with zipfile.ZipFile(ROOT / function.archive) as archive:
        files = {name: archive.read(name) for name in archive.namelist() if name.endswith(".py")}
    paths = {path.removesuffix(".py").removesuffix("/__init__").replace("/", "."): path for path in files}
    # Lambda's guide, "Python handler naming": the text before the last dot is the module. Slashes may separate folders.
    entry_module, _, entry_name = function.handler.rpartition(".")
    entry_module = entry_module.replace("/", ".")
    if entry_module not in paths:
        yield function.archive, 1, f"there is no module {entry_module}: correct the entry point {function.handler}"
        return
    pending, reached = [entry_module], set[str]()
    while pending:
        name = pending.pop()
        if name in reached or name not in paths:
            continue
        reached.add(name)
        pending.append(name.rpartition(".")[0])  # Python imports a package before its modules.
        path, module = paths[name], read_module(files[paths[name]])
        if module.syntax_error:
            yield path, *module.syntax_error
        elif name == entry_module and entry_name not in module.names:
            yield path, 1, f"{entry_name} is not defined: define it, or correct the entry point {function.handler}"
        for statement in module.imports:
            if statement.module.partition(".")[0] not in paths:  # not a module of the project
                if problem := _find_missing_package(statement.module, has_layer=function.has_layer):
                    yield path, statement.line, problem
                continue
            imported = [statement.module]
            if paths.get(statement.module, "").endswith("/__init__.py"):
                # A name after `from package import` that the package does not define must be a module in it.
                defined = read_module(files[paths[statement.module]]).names
                imported += [f"{statement.module}.{part}" for part in statement.names if part not in defined]
            for missing in (item for item in imported if item not in paths):
                yield path, statement.line, f"the module {missing} is not in {function.archive}: correct the import"
            pending += imported


def _find_missing_package(module: str, *, has_layer: bool) -> str | None:
    """Return the problem of an import from outside the project, or None if the function can import the module."""
    package = module.partition(".")[0]
    if package in STANDARD_MODULES or (has_layer and package in read_locked_packages(LAYER_LOCK)):
        return None
    if not has_layer:
        return f"the function has no layer, so it cannot import {module}: give it the layer, or remove the import"
    lock = LAYER_LOCK.relative_to(ROOT)
    return (
        f"neither {lock} nor the standard library contains the module {module}: add its package to "
        f"{lock.with_suffix('.in')}, or remove the import"
    )


@cache
def read_locked_packages(lock: Path) -> frozenset[str]:
    """Return the names of all modules and packages that the distributions in a lock file install at the top level.

    `.venv` contains each of these distributions in the same version.
    """
    distributions = re.findall(r"^([\w.-]+)(?:\[[^\]]*\])?==", lock.read_text(), re.MULTILINE)
    installed = "\n".join(metadata.distribution(name).read_text("RECORD") or "" for name in distributions)
    return frozenset(re.findall(r"^(\w+)(?:/|\.py|\.[\w-]+\.so)", installed, re.MULTILINE))


@cache
def read_module(content: bytes) -> Module:
    """Return the imports and names of a Python file. The result is cached, because functions share modules."""
    try:
        tree = ast.parse(content)
        code = compile(tree, "<module>", "exec", dont_inherit=True)
    except SyntaxError as error:
        return Module(syntax_error=(error.lineno or 1, f"syntax error: {error.msg}"))
    except ValueError as error:  # Python 3.11 raises it for a null byte
        return Module(syntax_error=(1, f"syntax error: {error}"))
    stores = (instruction for instruction in dis.get_instructions(code) if instruction.opname == "STORE_NAME")
    return Module(tuple(_list_imports(tree)), frozenset(str(instruction.argval) for instruction in stores))


def _list_imports(tree: ast.Module) -> Iterator[Import]:
    """Yield all imports, except those for type checkers. The archive's builder refuses relative imports."""
    pending: list[ast.AST] = [tree]
    while pending:
        match node := pending.pop():
            case ast.Import():
                yield from (Import(node.lineno, alias.name) for alias in node.names)
            case ast.ImportFrom(module=str(module)):
                yield Import(node.lineno, module, tuple(alias.name for alias in node.names))
            case ast.If(test=ast.Name(id="TYPE_CHECKING")):
                pending += node.orelse
            case _:
                pending += ast.iter_child_nodes(node)
