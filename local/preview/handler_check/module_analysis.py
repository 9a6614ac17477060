"""Static analysis of one Python module: its imports, the names that it defines, syntax errors, and undefined names.

The module is compiled but not executed, because some modules call AWS when they are imported. The bytecode shows in which
scope a name is looked up (documentation of `dis`, "Python Bytecode Instructions"). This is much faster than a walk
through the syntax tree.
"""

import ast
import builtins
import dis
import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from types import CodeType
from typing import NamedTuple

PREDEFINED = {*dir(builtins), "__annotations__", "__builtins__", "__file__", "__path__"}
"""Names that a module can read without defining them. `__path__` exists only in packages."""
DYNAMIC_NAMES = {"__getattr__", "exec", "globals", "locals", "vars"}
"""Names with which a module can define further names that its statements do not show."""
STAR = "*"
"""Imported name of `from module import *`."""
TYPE_CHECKING_BLOCK = re.compile(rb"^([ \t]*if )(?:typing\.)?TYPE_CHECKING:", re.MULTILINE)
LOAD_CONST, LOAD_GLOBAL, STORE_GLOBAL, STORE_NAME, IMPORT_NAME = (
    dis.opmap[name] for name in ("LOAD_CONST", "LOAD_GLOBAL", "STORE_GLOBAL", "STORE_NAME", "IMPORT_NAME")
)
STORES = {STORE_GLOBAL, STORE_NAME}
"""Instructions that define a name in a module or class."""
LOADS = {dis.opmap[name] for name in ("LOAD_NAME", "LOAD_GLOBAL", "LOAD_FROM_DICT_OR_GLOBALS") if name in dis.opmap}
"""Instructions that look a name up in the module. LOAD_FROM_DICT_OR_GLOBALS exists since Python 3.12."""
ACCESSES = {*STORES, *LOADS, IMPORT_NAME}


class Problem(NamedTuple):
    """Reason why a module cannot run."""

    line: int
    text: str


class ImportStatement(NamedTuple):
    """Import of one module."""

    line: int
    module: str
    """Absolute name of the module."""
    names: tuple[str, ...]
    """Names after `from module import`. Empty for `import module`."""


@dataclass(frozen=True)
class ModuleAnalysis:
    """Result of the analysis of one module."""

    problems: tuple[Problem, ...] = ()
    imports: tuple[ImportStatement, ...] = ()
    """Imports at module level and in functions, except those for type checkers, and optional ones, which are in a
    `try` that handles ImportError."""
    names: frozenset[str] = frozenset()
    """Names that the statements of the module define."""
    is_dynamic: bool = False
    """True if the module may define further names, for example with `import *`, or has a syntax error."""

    def may_define(self, name: str) -> bool:
        """Return False if the module certainly does not define the name."""
        return self.is_dynamic or name in self.names


class _Access(NamedTuple):
    """Instruction that loads or stores a name, or imports a module."""

    opcode: int
    name: str
    position: int
    """Number of two-byte units of bytecode before this instruction."""
    constants: tuple[int, int]
    """Indexes of the last two constants that were loaded: for an import, the number of leading dots and the names."""


def analyze_module(content: bytes, package: str) -> ModuleAnalysis:
    """Analyze a module. `package` is the package at which its relative imports start."""
    try:
        # `if TYPE_CHECKING:` becomes `if False:`, so the compiler drops the block, and all lines keep their numbers.
        module_code = compile(TYPE_CHECKING_BLOCK.sub(rb"\1False:", content), "<module>", "exec", dont_inherit=True)
    except SyntaxError as error:
        return ModuleAnalysis((Problem(error.lineno or 1, f"syntax error: {error.msg}"),), is_dynamic=True)
    except ValueError as error:  # Python 3.11 raises it for a null byte
        return ModuleAnalysis((Problem(1, f"syntax error: {error}"),), is_dynamic=True)
    accesses = [(code, list(_list_accesses(code))) for code in _list_codes(module_code)]
    _, module_accesses = accesses[0]
    names = {access.name for access in module_accesses if access.opcode in STORES}
    names |= {access.name for _, inner in accesses for access in inner if access.opcode == STORE_GLOBAL}
    imports = tuple(_list_imports(accesses, package, _find_optional_lines(content)))
    is_dynamic = any(STAR in statement.names for statement in imports) or not DYNAMIC_NAMES.isdisjoint(
        {*module_code.co_names, *names}
    )
    problems = () if is_dynamic else tuple(_find_undefined_names(accesses, names))
    return ModuleAnalysis(problems, imports, frozenset(names), is_dynamic)


def _list_imports(
    accesses: list[tuple[CodeType, list[_Access]]], package: str, optional_lines: set[int]
) -> Iterator[ImportStatement]:
    """Yield all imports, except those on the given lines, which are optional."""
    for code, inner in accesses:
        for access in inner:
            if access.opcode == IMPORT_NAME and (line := _find_line(code, access)) not in optional_lines:
                level, names = (code.co_consts[index] for index in access.constants)
                parents = package.split(".")[: len(package.split(".")) + 1 - level] if level else []
                module = ".".join([*parents, *([access.name] if access.name else [])])
                # The names of `import a` are the constant None.
                yield ImportStatement(line, module, names or ())


def _find_optional_lines(content: bytes) -> set[int]:
    """Return the lines of each `try` block whose ImportError is handled, because imports there are optional."""
    if b"ImportError" not in content and b"ModuleNotFoundError" not in content:
        return set()
    lines: set[int] = set()
    for node in ast.walk(ast.parse(content)):
        if isinstance(node, ast.Try):
            handled = {
                name.id
                for handler in node.handlers
                for name in ast.walk(handler.type or ast.Pass())
                if isinstance(name, ast.Name)
            }
            if not handled.isdisjoint({"ImportError", "ModuleNotFoundError"}):
                lines.update(range(node.lineno, node.handlers[0].lineno))
    return lines


def _find_undefined_names(accesses: list[tuple[CodeType, list[_Access]]], names: set[str]) -> list[Problem]:
    """Return a problem for each name that a module uses, although neither the module nor Python defines the name.

    At module level, a name must be defined before its use. Functions run later, so the order does not matter for them.
    """
    undefined: dict[str, int] = {}
    (module_code, module_accesses), *others = accesses
    defined = set(PREDEFINED)
    for access in module_accesses:
        if access.opcode in STORES:
            defined.add(access.name)
        elif access.opcode in LOADS and access.name not in defined:
            undefined.setdefault(access.name, _find_line(module_code, access))
    known = names | PREDEFINED
    for code, inner in others:
        # A class stores its own names with STORE_NAME, and can load them. Functions do not use this instruction.
        own = {access.name for access in inner if access.opcode == STORE_NAME}
        for access in inner:
            if access.opcode in LOADS and access.name not in known and access.name not in own:
                undefined.setdefault(access.name, _find_line(code, access))
    return sorted(Problem(line, f"the name {name} is not defined") for name, line in undefined.items())


def _list_codes(code: CodeType) -> Iterator[CodeType]:
    """Yield a code object, and the code of all functions and classes in it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _list_codes(constant)


def _list_accesses(code: CodeType) -> Iterator[_Access]:
    """Yield each instruction that loads a name from the module, stores a name, or imports a module.

    `dis.get_instructions` would take most of the check's time. An instruction is an opcode and an argument of one byte
    each. EXTENDED_ARG has the higher bytes of the next argument. The argument of LOAD_GLOBAL is twice the index of the
    name, plus a flag.
    """
    content, names, higher, constants = code.co_code, code.co_names, 0, (0, 0)
    for position, (opcode, low) in enumerate(zip(content[::2], content[1::2], strict=True)):
        argument = higher | low
        higher = argument << 8 if opcode == dis.EXTENDED_ARG else 0
        if opcode == LOAD_CONST:
            constants = (constants[1], argument)
        elif opcode in ACCESSES:
            name = names[argument >> 1 if opcode == LOAD_GLOBAL else argument]
            yield _Access(opcode, name, position, constants)


def _find_line(code: CodeType, access: _Access) -> int:
    line, *_ = next(itertools.islice(code.co_positions(), access.position, None))
    return line or code.co_firstlineno
