"""Static analysis of one Python module: its imports, the names that it defines, syntax errors, and undefined names.

Nothing is executed, because some modules call AWS when they are imported. The module is compiled, and its bytecode
shows in which scope the compiler looks each name up (Python documentation, "Python Bytecode Instructions" of `dis`).
This is much faster than a walk through the syntax tree.
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
"""Names that every module can read without defining them."""
HIDES_NAMES = {"__getattr__", "exec", "globals", "locals", "vars"}
"""Names whose use at module level means that a module may define more names than its statements show."""
STAR = "*"
TYPE_CHECKING_BLOCK = re.compile(rb"^([ \t]*if )(?:typing\.)?TYPE_CHECKING:", re.MULTILINE)
LOAD_CONST, LOAD_GLOBAL, STORE_GLOBAL, STORE_NAME, IMPORT_NAME = (
    dis.opmap[name] for name in ("LOAD_CONST", "LOAD_GLOBAL", "STORE_GLOBAL", "STORE_NAME", "IMPORT_NAME")
)
STORES = {STORE_GLOBAL, STORE_NAME}
LOADS = {dis.opmap[name] for name in ("LOAD_NAME", "LOAD_GLOBAL", "LOAD_FROM_DICT_OR_GLOBALS") if name in dis.opmap}
"""Instructions that look a name up in the module. The last one belongs to Python 3.12 and later."""
ACCESSES = {*STORES, *LOADS, IMPORT_NAME}


class Problem(NamedTuple):
    """Reason why a module cannot run."""

    line: int
    text: str


class ImportStatement(NamedTuple):
    """Import of one module."""

    line: int
    module: str
    """Absolute name."""
    names: tuple[str, ...]
    """Names that are imported from the module. Empty if the module itself is imported."""


@dataclass(frozen=True)
class ModuleAnalysis:
    """Result for one module."""

    problems: tuple[Problem, ...] = ()
    imports: tuple[ImportStatement, ...] = ()
    """Imports at module level and in functions, without imports for type checkers and optional imports."""
    names: frozenset[str] = frozenset()
    """Names that the module defines."""
    hides_names: bool = False
    """True if the module may define more names."""

    def defines(self, name: str) -> bool:
        """Return False if the module certainly lacks the name."""
        return self.hides_names or name in self.names


class _Access(NamedTuple):
    """Instruction that loads or stores a name, or imports a module."""

    opcode: int
    name: str
    position: int
    """Number of instructions before it."""
    constants: tuple[int, int]
    """Indexes of the last two constants that were loaded: an import's level and its names."""


def analyze_module(content: bytes, package: str) -> ModuleAnalysis:
    """Analyze a module. `package` is the package that its relative imports start from."""
    try:
        # The compiler drops such a block, and all lines keep their numbers.
        module_code = compile(TYPE_CHECKING_BLOCK.sub(rb"\1False:", content), "<module>", "exec", dont_inherit=True)
    except SyntaxError as error:
        return ModuleAnalysis((Problem(error.lineno or 1, f"syntax error: {error.msg}"),), hides_names=True)
    except ValueError as error:  # Python 3.11 raises it for a null byte
        return ModuleAnalysis((Problem(1, f"syntax error: {error}"),), hides_names=True)
    accesses = [(code, list(_list_accesses(code))) for code in _list_codes(module_code)]
    _, module_accesses = accesses[0]
    names = {access.name for access in module_accesses if access.opcode in STORES}
    names |= {access.name for _, inner in accesses for access in inner if access.opcode == STORE_GLOBAL}
    imports = tuple(_list_imports(accesses, package, _find_optional_lines(content)))
    hides_names = any(STAR in statement.names for statement in imports) or not HIDES_NAMES.isdisjoint(
        {*module_code.co_names, *names}
    )
    problems = () if hides_names else tuple(_find_undefined_names(accesses, names))
    return ModuleAnalysis(problems, imports, frozenset(names), hides_names)


def _list_imports(
    accesses: list[tuple[CodeType, list[_Access]]], package: str, optional_lines: set[int]
) -> Iterator[ImportStatement]:
    """Yield all imports except those on optional lines."""
    for code, inner in accesses:
        for access in inner:
            if access.opcode == IMPORT_NAME and (line := _find_line(code, access)) not in optional_lines:
                level, names = (code.co_consts[index] for index in access.constants)
                parents = package.split(".")[: len(package.split(".")) + 1 - level] if level else []
                module = ".".join([*parents, *([access.name] if access.name else [])])
                # `import a.b as c` has no names, but the constant None.
                yield ImportStatement(line, module, names or ())


def _find_optional_lines(content: bytes) -> set[int]:
    """Return the lines in each `try` that handles ImportError. Imports there are optional."""
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
    """Return a problem for each name that a module loads, and that neither it nor Python defines.

    A name is also undefined if the module's own code loads it before the first statement that defines it.
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
        # Only a class stores names like this. They are visible in its own code.
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
    each, and EXTENDED_ARG has the higher bytes of the next argument. LOAD_GLOBAL has the index of the name in the
    upper bits.
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
    """Return the line of an instruction."""
    line, *_ = next(itertools.islice(code.co_positions(), access.position, None))
    return line or code.co_firstlineno
