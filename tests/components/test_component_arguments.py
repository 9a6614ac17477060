"""Test that the program passes every optional argument of its components. The arguments are fields of dataclasses.

An argument that only tests pass looks like a feature, but no stack can use it.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

from local import ROOT

PROGRAM = (ROOT / "__main__.py", *sorted((ROOT / "components").rglob("*.py")))


def parse(paths: tuple[Path, ...]) -> list[ast.Module]:
    return [ast.parse(path.read_text(encoding="utf-8")) for path in paths]


def fields_by_dataclass(modules: list[ast.Module]) -> dict[str, list[tuple[str, bool]]]:
    """Return the fields of each dataclass in their order, each with True if it has a default."""
    return {
        node.name: [
            (field.target.id, field.value is not None)
            for field in node.body
            if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
        ]
        for module in modules
        for node in ast.walk(module)
        if isinstance(node, ast.ClassDef) and any("dataclass" in ast.unparse(item) for item in node.decorator_list)
    }


def passed_fields(modules: list[ast.Module], fields: dict[str, list[tuple[str, bool]]]) -> Iterator[tuple[str, str]]:
    """Yield class and field of each argument that a call passes by position or by keyword.

    The arguments of `dataclasses.replace` count for every class that has such a field.
    """
    for call in (node for module in modules for node in ast.walk(module) if isinstance(node, ast.Call)):
        name = ast.unparse(call.func).rpartition(".")[2]
        if name in fields:
            yield from ((name, field) for field, _ in fields[name][: len(call.args)])
        for keyword in call.keywords:
            if keyword.arg and name in {"replace", *fields}:
                yield from ((class_name, keyword.arg) for class_name in (fields if name == "replace" else [name]))


def unused_arguments(modules: list[ast.Module]) -> set[tuple[str, str]]:
    fields = fields_by_dataclass(modules)
    optional = {
        (name, field)
        for name, class_fields in fields.items()
        for field, has_default in class_fields
        if has_default and not field.startswith("_")
    }
    return optional - set(passed_fields(modules, fields))


def test_the_program_passes_every_optional_argument_of_a_component() -> None:
    modules = parse(PROGRAM)
    assert len(fields_by_dataclass(modules)) > 50
    assert unused_arguments(modules) == set()
