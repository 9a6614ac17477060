"""Test that mypy reads every module of `pulumi_aws` that the code uses, because it treats a skipped module as `Any`."""

import ast
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pulumi_aws

from local import ROOT

AWS_PACKAGE = "pulumi_aws"


def load_pyproject() -> Any:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def followed_modules() -> set[str]:
    """Return the modules and packages of `pulumi_aws` that mypy reads."""
    overrides = load_pyproject()["tool"]["mypy"]["overrides"]
    listed = next(override["module"] for override in overrides if override.get("follow_imports") == "normal")
    return {name.removesuffix(".*").partition(".")[2] for name in listed} - {""}


def checked_files() -> list[Path]:
    """Return the files that mypy checks."""
    roots = [ROOT / file for file in load_pyproject()["tool"]["mypy"]["files"]]
    return [path for root in roots for path in ([root] if root.is_file() else root.rglob("*.py"))]


def used_aws_modules(tree: ast.Module) -> Iterator[str]:
    """Yield the modules of `pulumi_aws` that a source uses."""
    names = set()
    for node in ast.walk(tree):
        match node:
            case ast.Import():
                for alias in node.names:
                    package, _, part = alias.name.partition(".")
                    if package == AWS_PACKAGE:
                        names.add(alias.asname or AWS_PACKAGE)
                        yield from [part.partition(".")[0]] if part else []
            case ast.ImportFrom(module=str(module)) if module.partition(".")[0] == AWS_PACKAGE:
                part = module.partition(".")[2].partition(".")[0]
                yield from [part] if part else [alias.name for alias in node.names]
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(value=ast.Name(id=name), attr=part) if name in names:
                yield part


def test_mypy_follows_exactly_the_aws_modules_that_the_code_uses() -> None:
    used_modules = {
        part for path in checked_files() for part in used_aws_modules(ast.parse(path.read_text(encoding="utf-8")))
    }
    folder = Path(pulumi_aws.__file__).parent
    packages = {part for part in used_modules if (folder / part).is_dir()}
    modules = {part for part in used_modules if (folder / f"{part}.py").is_file()}
    assert packages | modules <= followed_modules(), "add it to the modules that mypy follows, in pyproject.toml"
    assert packages == {part for part in followed_modules() if (folder / part).is_dir()}, (
        "mypy must not follow a package that no code uses"
    )
