"""Publication of functions on the running local platform, without a run of the program (`make push`).

A push publishes a function's current code as a new version, and moves the alias `live` to this version. It changes no
settings, for example environment variables. The emulator lists the functions, because the Pulumi CLI deploys without the
local platform's state file.
"""

import base64
import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from components import handler_archive
from local import ROOT, CannotRun
from local.platform import emulator
from local.platform.emulator import Emulator
from local.platform.emulator_clients import ClientFactory, EmulatorClients
from local.platform.folder_lock import CLI_STATE, PLATFORM_COMMANDS, lock_folder
from local.platform.state import PlatformState, mark_code_as_pending
from local.preview.handler_check import FunctionCode, find_function_faults

ALL = "all"
"""Name that selects all functions."""
PACKAGE = "handlers"
"""Python package of the project's handlers."""
LIVE = "live"
"""The alias that all callers use (`components/blocks/function.py`)."""
WAITER = {"Delay": 0.02, "MaxAttempts": 500}
"""Interval in seconds and number of checks until a function's update is complete."""


class PushFailed(CannotRun):
    """A push is not possible now, or it has failed. The message states the reason."""


@dataclass(frozen=True)
class DeployedFunction:
    """A Lambda function of the project that the emulator runs."""

    name: str
    """Physical name."""
    handler: str
    """Entry point, for example `handlers.meetings.storage.handler.handler`."""
    has_layer: bool
    """True if the function has the Lambda layer with the handlers' dependencies."""

    @property
    def folder(self) -> str:
        """Folder below `handlers/`, for example `meetings/storage`."""
        return "/".join(self.handler.split(".")[1:-2])


@dataclass(frozen=True)
class FunctionPackage:
    """Zip with the current code of a function."""

    function: DeployedFunction
    archive: Path
    content: bytes
    """Content of the zip. It is read once, because another command may replace the file in the meantime."""
    live_version: str
    is_live: bool
    """True if the live version has the same code."""


def push(folder: Path, names: Sequence[str], started: float, print_line: Callable[[str], None] = print) -> int:
    """Publish the functions that the names select, if their current code is not live. Return the exit status.

    `folder` has the files of the platform. If the code of a function cannot start, none is published. `started` is the
    time (of `time.monotonic`) at which the first printed duration begins.
    """
    running = find_emulator(folder)
    is_deployed_by_cli = (folder / CLI_STATE).is_dir()
    # A running `make provider` holds the lock of its folder. So a push to its emulator locks the folder with the CLI's
    # state instead.
    with lock_folder(folder / CLI_STATE if is_deployed_by_cli else folder, PLATFORM_COMMANDS):
        if not is_deployed_by_cli and PlatformState.read(running) is None:
            raise PushFailed("the last `make up` or `make down` was not finished: run `make up` first")
        client = create_clients(running.endpoint)("lambda")
        try:
            functions = select_functions(list_functions(client), names)
            packages = [_build_package(client, function) for function in functions]
            if current := [package.function.folder for package in packages if package.is_live]:
                print_line(f"up to date: {', '.join(current)}")
            changed = [package for package in packages if not package.is_live]
            if faults := _list_faults(changed):
                for fault in faults:
                    print_line(f"  {fault}")
                print_line("nothing was published; fix the handlers")
                return 1
            for package in changed:
                # If the push fails or is killed after this line, the next `make up` publishes the code.
                mark_code_as_pending(running, package.function.name)
                version, seconds = _publish(client, package), time.monotonic() - started
                print_line(
                    f"pushed {package.function.folder}: version {version} is live in place of {package.live_version} "
                    f"after {seconds:.1f} s"
                )
                started = time.monotonic()
        except (ClientError, BotoCoreError) as error:
            raise PushFailed(f"the push has failed: {error}") from error
    if changed and ALL not in names:
        print_line(f"  other functions keep their code, even if they use a changed file; FUNCTION={ALL} publishes them")
    return 0


def find_emulator(folder: Path) -> Emulator:
    """Return the running emulator of a folder. Raise PushFailed if none is running."""
    running = emulator.find_running(folder)
    if running is None:
        raise PushFailed("the local platform is not running: start it with `make up`")
    return running


@cache
def create_clients(endpoint: str) -> ClientFactory:
    """Return the clients of an emulator. All steps of `make watch` use the same clients."""
    return EmulatorClients(endpoint)


def list_functions(client: Any) -> list[DeployedFunction]:
    """Return the functions whose code is in a folder below `handlers/`, sorted by folder."""
    functions = [
        DeployedFunction(
            name=configuration["FunctionName"],
            handler=configuration["Handler"],
            has_layer=bool(configuration.get("Layers")),
        )
        for page in client.get_paginator("list_functions").paginate()
        for configuration in page["Functions"]
        if configuration.get("Handler", "").startswith(f"{PACKAGE}.")
    ]
    return sorted(functions, key=lambda function: function.folder)


def select_functions(functions: Sequence[DeployedFunction], names: Sequence[str]) -> list[DeployedFunction]:
    """Return the functions that the names select, each once.

    The name `all` selects all functions. Any other name selects one function: by its folder, the last part of the folder,
    its physical name, or a part of folder or physical name that occurs in no other function. Otherwise, raise PushFailed.
    """
    if not names:
        raise PushFailed(f"name at least one function, or {ALL}:{_to_lines(functions)}")
    selected: dict[str, DeployedFunction] = {}
    for name in names:
        for function in functions if name == ALL else [_find_function(functions, name)]:
            selected[function.name] = function
    return list(selected.values())


def _find_function(functions: Sequence[DeployedFunction], name: str) -> DeployedFunction:
    wanted = _normalize(name)
    exact = [function for function in functions if wanted in _list_exact_names(function)]
    found = exact or [
        function for function in functions if any(wanted in known for known in _list_exact_names(function))
    ]
    if len(found) == 1:
        return found[0]
    problem = "fits several functions" if found else "fits no function"
    raise PushFailed(
        f"{name} {problem}: give the folder or the name of one of these, or {ALL}{_to_lines(found or functions)}"
    )


def _list_exact_names(function: DeployedFunction) -> list[str]:
    """Return the normalized names that select exactly this function."""
    return [_normalize(name) for name in (function.folder, function.folder.rpartition("/")[2], function.name)]


def _normalize(name: str) -> str:
    """Return a name in a form in which folders and physical names can be compared, such as `voice-qa-query-worker`."""
    return name.strip("/").removeprefix(f"{PACKAGE}/").removesuffix("/handler.py").replace("/", "-").replace("_", "-")


def _to_lines(functions: Sequence[DeployedFunction]) -> str:
    """Return a line for each function, for the end of an error message."""
    lines = [f"\n  {function.folder}  {function.name}" for function in functions]
    return "".join(lines) or "\n  (the platform has no functions: run `make up`)"


def _build_package(client: Any, function: DeployedFunction) -> FunctionPackage:
    """Package the current code of a function as the program does, and compare it with the live version."""
    archive = handler_archive.write_archive(function.handler.rpartition(".")[0])
    content = (ROOT / archive).read_bytes()
    code_hash = base64.b64encode(hashlib.sha256(content).digest()).decode()
    live = client.get_function_configuration(FunctionName=function.name, Qualifier=LIVE)
    return FunctionPackage(function, archive, content, live["Version"], is_live=live["CodeSha256"] == code_hash)


def _list_faults(packages: Sequence[FunctionPackage]) -> list[str]:
    """Return the reasons why functions could not start with their current code."""
    codes = (
        FunctionCode(package.function.name, package.function.handler, str(package.archive), package.function.has_layer)
        for package in packages
    )
    return [str(fault) for fault in find_function_faults(codes)]


def _publish(client: Any, package: FunctionPackage) -> str:
    """Publish the current code of a function as a new version, and move the alias to it. Return the version."""
    name = package.function.name
    client.update_function_code(FunctionName=name, ZipFile=package.content)
    client.get_waiter("function_updated").wait(FunctionName=name, WaiterConfig=WAITER)
    version: str = client.publish_version(FunctionName=name)["Version"]
    client.update_alias(FunctionName=name, Name=LIVE, FunctionVersion=version)
    return version
