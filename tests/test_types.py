"""What mypy reads of the AWS package: what it skips it would take for anything at all, and check no use of it."""

import ast
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pulumi_aws

from local import ROOT

AWS = "pulumi_aws"


def project() -> dict[str, Any]:
    found: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return found


def followed() -> set[str]:
    """The parts of the package that are read, whether modules or packages."""
    overrides = project()["tool"]["mypy"]["overrides"]
    listed = next(override["module"] for override in overrides if override.get("follow_imports") == "normal")
    return {name.removesuffix(".*").partition(".")[2] for name in listed} - {""}


def sources() -> list[Path]:
    """What mypy checks."""
    given = [ROOT / file for file in project()["tool"]["mypy"]["files"]]
    return [path for item in given for path in ([item] if item.is_file() else item.rglob("*.py"))]


def asked_for(tree: ast.Module) -> Iterator[str]:
    """The parts of the AWS package that a source names."""
    names = set()
    for node in ast.walk(tree):
        match node:
            case ast.Import():
                for item in node.names:
                    package, _, part = item.name.partition(".")
                    if package == AWS:
                        names.add(item.asname or AWS)
                        yield from [part.partition(".")[0]] if part else []
            case ast.ImportFrom(module=str(module)) if module.partition(".")[0] == AWS:
                part = module.partition(".")[2].partition(".")[0]
                yield from [part] if part else [entry.name for entry in node.names]
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(value=ast.Name(id=name), attr=part) if name in names:
                yield part


def test_all_that_is_used_is_read_and_nothing_else_is() -> None:
    used = {part for path in sources() for part in asked_for(ast.parse(path.read_text(encoding="utf-8")))}
    parts = Path(pulumi_aws.__file__).parent
    packages = {part for part in used if (parts / part).is_dir()}
    modules = {part for part in used if (parts / f"{part}.py").is_file()}
    assert packages | modules <= followed(), "add it to the modules that mypy follows, in pyproject.toml"
    assert packages == {part for part in followed() if (parts / part).is_dir()}, "mypy reads what nothing uses"
