"""Lambda functions of the project on the running local platform, and their selection by name.

The list comes from the emulator, because the Pulumi CLI deploys without the local platform's state file.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from local import CannotRun

ALL = "all"
"""Name that selects all functions."""
PACKAGE = "handlers"
"""Python package of the project's handlers."""


class FunctionNotFound(CannotRun):
    """No name is given, or a name fits no function or several functions."""


@dataclass(frozen=True)
class DeployedFunction:
    """A Lambda function of the project that the emulator runs."""

    name: str
    """Physical name."""
    handler: str
    """Entry point, for example `handlers.meetings.storage.handler.handler`."""
    runtime: str
    has_layer: bool
    architectures: tuple[str, ...]
    code_hash: str
    """SHA-256 of the code of `$LATEST`, in base64."""
    log_group: str

    @classmethod
    def from_configuration(cls, configuration: Mapping[str, Any]) -> Self:
        """Return a function from its configuration, as Lambda's API returns it."""
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
        """Folder below `handlers/`, for example `meetings/storage`."""
        return "/".join(self.handler.split(".")[1:-2])

    @property
    def entry_module(self) -> str:
        """Module of the entry point, for example `handlers.meetings.storage.handler`."""
        return self.handler.rpartition(".")[0]


def list_functions(client: Any) -> list[DeployedFunction]:
    """Return the functions whose code is in a folder below `handlers/`, sorted by folder."""
    pages = client.get_paginator("list_functions").paginate()
    functions = [
        DeployedFunction.from_configuration(configuration)
        for page in pages
        for configuration in page["Functions"]
        if str(configuration.get("Handler")).startswith(f"{PACKAGE}.")
    ]
    return sorted((function for function in functions if function.folder), key=lambda function: function.folder)


def select_functions(functions: Sequence[DeployedFunction], names: Sequence[str]) -> list[DeployedFunction]:
    """Return the functions that the names select, each once.

    The name `all` selects all functions. Any other name selects one function: by its folder, the last part of the folder,
    its physical name, or a part of folder or physical name that occurs in no other function. Otherwise, raise
    FunctionNotFound.
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
    """Return a name in a form in which folders and physical names can be compared.

    For example, `handlers/voice_qa/query_worker/handler.py` becomes `voice-qa-query-worker`.
    """
    folder = name.strip("/").removeprefix(f"{PACKAGE}/").removesuffix("/handler.py")
    return folder.replace("/", "-").replace("_", "-").lower()


def _to_choices(functions: Sequence[DeployedFunction]) -> str:
    return f"Give a folder, a physical name, a part of one of these, or {ALL}:{_to_lines(functions)}"


def _to_lines(functions: Sequence[DeployedFunction]) -> str:
    width = max((len(function.folder) for function in functions), default=0)
    lines = [f"\n  {function.folder:<{width}}  {function.name}" for function in functions]
    return "".join(lines) or "\n  (the platform has no functions: run `make up`)"
