"""Lambda functions of the project on the running local platform, and their selection by name.

The emulator lists the functions, not the state file, because a platform that the Pulumi CLI deployed has no such file.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from local import CannotRun

ALL = "all"
"""Name that selects all functions."""
PACKAGE = "handlers"
"""Package of the project's handlers."""


class FunctionNotFound(CannotRun):
    """A given name fits no function or several functions."""


@dataclass(frozen=True)
class DeployedFunction:
    """A Lambda function of the project that the emulator runs."""

    name: str
    """Physical name."""
    handler: str
    """Entry point, for example `handlers.meetings.sweep.handler.handler`."""
    runtime: str
    has_layer: bool
    architectures: tuple[str, ...]
    code_hash: str
    """SHA-256 of the code of `$LATEST`, in base64."""
    log_group: str

    @classmethod
    def from_configuration(cls, configuration: Mapping[str, Any]) -> Self:
        """Return a function as Lambda describes it."""
        name = configuration["FunctionName"]
        return cls(
            name=name,
            handler=configuration["Handler"],
            runtime=configuration["Runtime"],
            has_layer=bool(configuration.get("Layers")),
            architectures=tuple(configuration.get("Architectures") or ()),
            code_hash=configuration["CodeSha256"],
            log_group=(configuration.get("LoggingConfig") or {}).get("LogGroup") or f"/aws/lambda/{name}",
        )

    @property
    def folder(self) -> str:
        """Folder below `handlers/`, for example `meetings/sweep`."""
        return "/".join(self.handler.split(".")[1:-2])

    @property
    def subsystem(self) -> str:
        """Package of the subsystem, for example `voice_qa`."""
        return self.folder.partition("/")[0]


def list_functions(client: Any) -> list[DeployedFunction]:
    """Return the project's functions by folder. A function whose code is not below `handlers/` is omitted."""
    pages = client.get_paginator("list_functions").paginate()
    functions = [
        DeployedFunction.from_configuration(configuration)
        for page in pages
        for configuration in page["Functions"]
        if str(configuration.get("Handler")).startswith(f"{PACKAGE}.")
    ]
    return sorted((function for function in functions if function.folder), key=lambda function: function.folder)


def select_functions(functions: Sequence[DeployedFunction], names: Sequence[str]) -> list[DeployedFunction]:
    """Return the functions that the names select, each once. Raise FunctionNotFound.

    A name is `all`, or it selects one function: by its folder, by the last part of the folder, by its physical name, or
    by any part of folder or physical name that occurs in no other function.
    """
    if not names:
        raise FunctionNotFound(f"Name at least one function. {_to_choices(functions)}")
    selected: dict[str, DeployedFunction] = {}
    for name in names:
        for function in functions if name == ALL else [_find_function(functions, name)]:
            selected[function.name] = function
    return list(selected.values())


def _find_function(functions: Sequence[DeployedFunction], name: str) -> DeployedFunction:
    wanted = _normalize(name)
    exact = [function for function in functions if wanted in _list_names(function)]
    found = exact or [function for function in functions if any(wanted in known for known in _list_names(function))]
    if len(found) == 1:
        return found[0]
    if found:
        raise FunctionNotFound(f"{name} fits several functions. Give the folder of one of them:{_to_lines(found)}")
    raise FunctionNotFound(f"{name} fits no function. {_to_choices(functions)}")


def _list_names(function: DeployedFunction) -> tuple[str, ...]:
    return tuple(_normalize(name) for name in (function.folder, function.folder.rpartition("/")[2], function.name))


def _normalize(name: str) -> str:
    """Return a name in which folders and physical names are comparable: without `handlers/` and `handler.py`, and with
    hyphens in place of slashes and underscores.
    """
    folder = name.strip("/").removeprefix(f"{PACKAGE}/").removesuffix("/handler.py")
    return folder.replace("/", "-").replace("_", "-").lower()


def _to_choices(functions: Sequence[DeployedFunction]) -> str:
    return f"Give a folder, a physical name, a part of one of them, or {ALL}:{_to_lines(functions)}"


def _to_lines(functions: Sequence[DeployedFunction]) -> str:
    width = max((len(function.folder) for function in functions), default=0)
    lines = [f"\n  {function.folder:<{width}}  {function.name}" for function in functions]
    return "".join(lines) or "\n  (the platform has no functions: run `make up`)"
