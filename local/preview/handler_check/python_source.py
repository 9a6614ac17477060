"""Static analysis of one Python module: its imports, the names that it defines, syntax errors, and undefined names.

Nothing is executed, because some modules call AWS when they are imported. The compiler decides in which scope a name is
looked up, so undefined names are found in the bytecode (Python documentation, "Python Bytecode Instructions" of `dis`).
"""

import ast
import builtins
import dis
import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from types import CodeType
from typing import NamedTuple

SYNTAX_VERSION = (3, 11)
"""Oldest Python that runs the handlers: the tests and the Spark job use 3.11, and Lambda uses 3.13."""
PREDEFINED = {*dir(builtins), "__annotations__", "__builtins__", "__file__", "__path__"}
"""Names that every module can read without defining them."""
HIDES_NAMES = {"__getattr__", "exec", "globals", "locals", "vars"}
"""Names whose use at module level means that a module may define more names than its statements show."""
STAR = "*"
LOAD_GLOBAL, STORE_GLOBAL = dis.opmap["LOAD_GLOBAL"], dis.opmap["STORE_GLOBAL"]
STORES = {STORE_GLOBAL, dis.opmap["STORE_NAME"]}
LOADS = {dis.opmap[name] for name in ("LOAD_NAME", "LOAD_GLOBAL", "LOAD_FROM_DICT_OR_GLOBALS") if name in dis.opmap}
"""Instructions that look a name up in the module. The last one belongs to Python 3.12 and later."""
ACCESSES = STORES | LOADS


class Problem(NamedTuple):
    """Reason why a module cannot run."""

    line: int
    text: str


class ImportStatement(NamedTuple):
    """Import of one module."""

    line: int
    module: str
    """Absolute name."""
    names: tuple[str, ...] = ()
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


def analyze_module(content: bytes, package: str) -> ModuleAnalysis:
    """Analyze a module. `package` is the package that its relative imports start from."""
    try:
        tree = ast.parse(content, feature_version=SYNTAX_VERSION)
        imports = tuple(_remove_type_checking_and_list_imports(tree.body, package))
        code = compile(tree, "<module>", "exec", dont_inherit=True)
    except SyntaxError as error:
        return ModuleAnalysis((Problem(error.lineno or 1, f"syntax error: {error.msg}"),), hides_names=True)
    except ValueError as error:  # Python 3.11 raises it for a null byte
        return ModuleAnalysis((Problem(1, f"syntax error: {error}"),), hides_names=True)
    inner_codes = list(_list_inner_codes(code))
    names = {name for opcode, name, _ in _list_accesses(code) if opcode in STORES}
    if b"global" in content:
        names |= {name for inner in inner_codes for opcode, name, _ in _list_accesses(inner) if opcode == STORE_GLOBAL}
    hides_names = any(STAR in statement.names for statement in imports) or not HIDES_NAMES.isdisjoint(
        {*code.co_names, *names}
    )
    problems = () if hides_names else tuple(_find_undefined_names(code, inner_codes, names))
    return ModuleAnalysis(problems, imports, frozenset(names), hides_names)


def _remove_type_checking_and_list_imports(
    body: Sequence[ast.stmt], package: str, *, optional: bool = False
) -> Iterator[ImportStatement]:
    """Yield the imports of the statements and of those in them, except of optional ones.

    Empty the blocks `if TYPE_CHECKING:`, which never run. An import is optional if its `try` handles ImportError.
    """
    for statement in body:
        match statement:
            case ast.Import() if not optional:
                yield from (ImportStatement(statement.lineno, alias.name) for alias in statement.names)
            case ast.ImportFrom() if not optional:
                module = _to_absolute_name(statement, package)
                yield ImportStatement(statement.lineno, module, tuple(alias.name for alias in statement.names))
            case ast.If(test=ast.Name(id="TYPE_CHECKING") | ast.Attribute(attr="TYPE_CHECKING")):
                statement.body = [ast.copy_location(ast.Pass(), statement)]
        blocks = [getattr(statement, name, []) for name in ("orelse", "finalbody")]
        blocks += [inner.body for inner in (*getattr(statement, "handlers", []), *getattr(statement, "cases", []))]
        for block in blocks:
            yield from _remove_type_checking_and_list_imports(block, package, optional=optional)
        yield from _remove_type_checking_and_list_imports(
            getattr(statement, "body", []), package, optional=optional or _handles_import_error(statement)
        )


def _to_absolute_name(statement: ast.ImportFrom, package: str) -> str:
    if not statement.level:
        return statement.module or ""
    parents = package.split(".")[: len(package.split(".")) + 1 - statement.level]
    return ".".join([*parents, *([statement.module] if statement.module else [])])


def _handles_import_error(statement: ast.stmt) -> bool:
    if not isinstance(statement, ast.Try):
        return False
    handled = {
        node.id for handler in statement.handlers if handler.type for node in ast.walk(handler.type)
        if isinstance(node, ast.Name)
    }  # fmt: skip
    return not handled.isdisjoint({"ImportError", "ModuleNotFoundError", "Exception", "BaseException"})


def _find_undefined_names(code: CodeType, inner_codes: Iterable[CodeType], names: set[str]) -> list[Problem]:
    """Return a problem for each name that a module loads, and that neither it nor Python defines.

    A name is also undefined if the module's own code loads it before the first statement that defines it.
    """
    undefined: dict[str, int] = {}
    defined = set(PREDEFINED)
    for opcode, name, position in _list_accesses(code):
        if opcode in STORES:
            defined.add(name)
        elif name not in defined:
            undefined.setdefault(name, _find_line(code, position))
    known = names | PREDEFINED
    for inner in inner_codes:
        if known.issuperset(inner.co_names):
            continue
        unknown = [access for access in _list_accesses(inner) if access[1] not in known]
        # Only a class stores names like this. They are visible in its own code.
        own = {name for opcode, name, _ in unknown if opcode in STORES}
        for opcode, name, position in unknown:
            if opcode not in STORES and name not in own:
                undefined.setdefault(name, _find_line(inner, position))
    return sorted(Problem(line, f"the name {name} is not defined") for name, line in undefined.items())


def _list_inner_codes(code: CodeType) -> Iterator[CodeType]:
    """Yield the code of all functions and classes in a code object."""
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield constant
            yield from _list_inner_codes(constant)


def _list_accesses(code: CodeType) -> Iterator[tuple[int, str, int]]:
    """Yield opcode, name and position of each instruction that looks a name up in the module, or stores one.

    `dis.get_instructions` would take most of the check's time. An instruction is an opcode and an argument of one byte
    each, and EXTENDED_ARG has the higher bytes of the next argument. LOAD_GLOBAL has the name's index in the upper bits.
    """
    content, names, higher = code.co_code, code.co_names, 0
    for position, (opcode, low) in enumerate(zip(content[::2], content[1::2], strict=True)):
        argument = higher | low
        higher = argument << 8 if opcode == dis.EXTENDED_ARG else 0
        if opcode in ACCESSES:
            yield opcode, names[argument >> 1 if opcode == LOAD_GLOBAL else argument], position


def _find_line(code: CodeType, position: int) -> int:
    """Return the line of the instruction at a position."""
    line, *_ = next(itertools.islice(code.co_positions(), position, None))
    return line or code.co_firstlineno
