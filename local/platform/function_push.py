"""Publication of single functions on the running local platform, without a run of the program (`make push`).

A push publishes a function's current code as a new version, and moves the alias `live` to this version. It also updates
the entries of function and alias in the state file (`state.py`), so the next `make up` does not publish the code again.
A push changes no settings, for example environment variables.
"""

import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from components.handler_archive import list_source_files
from local import CannotRun
from local.platform import emulator
from local.platform.code_package_comparison import (
    CurrentPackages,
    FunctionPackage,
    download_package,
    list_changed_files,
)
from local.platform.deployed_functions import ALL, DeployedFunction, list_functions, select_functions
from local.platform.emulator import Emulator
from local.platform.emulator_clients import Clients, EmulatorClients
from local.platform.folder_lock import CLI_STATE, PLATFORM_COMMANDS, lock_folder
from local.platform.progress import format_duration
from local.platform.state import NO_HASH, PlatformState, ResourceStatus, open_state

LIVE = "live"
"""The alias that all callers use (`components/blocks/function.py`)."""
FUNCTION_TYPE, ALIAS_TYPE = "aws:lambda/function:Function", "aws:lambda/alias:Alias"
WAITER = {"Delay": 0.02, "MaxAttempts": 500}
"""Interval in seconds and number of checks until a function's update is complete."""
ENVIRONMENT_FILE = "environment.py"
"""File of each function that defines its environment variables."""
SPARK_JOB = "handlers.ingestion.glue.job"
"""Module of ingestion's Spark job, which a push does not publish."""


class PushFailed(CannotRun):
    """A push is not possible now, or it has failed. The message states the reason."""


class FunctionPusher:
    """Publishes functions on the platform whose files are in a folder."""

    def __init__(self, folder: Path, print_line: Callable[[str], None] = print) -> None:
        self._folder = folder
        self._print_line = print_line
        self._clients: tuple[str, Clients] | None = None
        """Endpoint of an emulator and its clients. During `make watch`, a new emulator may have another endpoint."""
        self._last_note = ""
        """Last output of `_print_notes`, which would otherwise be repeated after each push of `make watch`."""

    def select(self, names: Sequence[str]) -> list[DeployedFunction]:
        """Return the deployed functions that the given names select."""
        return select_functions(list_functions(self.connect()("lambda")), names)

    def connect(self) -> Clients:
        """Return the clients of the running emulator. Raise PushFailed if none is running."""
        return self._connect(self._find_running())

    def push(self, names: Sequence[str], started: float) -> int:
        """Publish the functions that the given names select, if their code has changed. Return the exit status.

        If the code of one of them cannot start, none is published. The first printed duration begins at `started`.
        """
        # A running `make provider` holds the lock of its folder. So a push to its emulator locks the folder with the
        # CLI's state instead.
        locked = self._folder / CLI_STATE if self._is_deployed_by_cli(self._find_running()) else self._folder
        with lock_folder(locked, PLATFORM_COMMANDS), _explain_errors("the push has failed"):
            clients, state = self._open_platform()
            client, packages = clients("lambda"), CurrentPackages()
            functions, changed_files = list_functions(client), set[str]()
            needed: list[FunctionPublication] = []
            for function in select_functions(functions, names):
                publication = FunctionPublication(client, state, function, packages.build(function))
                if not publication.is_complete():
                    needed.append(publication)
                elif ALL not in names:
                    self._print_line(f"{function.folder} is up to date: version {publication.version} is live")
            if faults := packages.list_faults(publication.function for publication in needed):
                for fault in faults:
                    self._print_line(f"  {fault}")
                self._print_line("nothing was published; fix the handlers")
                return 1
            for publication in needed:
                publication.refuse_fixed_alias()
                changed_files |= publication.list_changed_files()
            for publication in needed:
                version = publication.publish()
                duration = format_duration(time.monotonic() - started)
                self._print_line(f"pushed {publication.function.folder}: version {version} is live after {duration}")
                started = time.monotonic()
            published = {publication.function.name for publication in needed}
            outdated = [
                function.folder
                for function in functions
                if function.name not in published and function.code_hash != packages.build(function).code_hash
            ]
            has_spark_job = any(function.folder.startswith("ingestion/") for function in functions)
            self._print_notes(changed_files, outdated, has_spark_job=has_spark_job)
            if ALL in names:
                self._print_line(f"{len(functions) - len(needed)} functions were up to date")
        return 0

    def _open_platform(self) -> tuple[Clients, PlatformState]:
        """Return the clients and the state of the platform. Raise PushFailed if the last run was killed."""
        running = self._find_running()
        state = open_state(running)
        if not self._is_deployed_by_cli(running) and (not running.kept or state.was_interrupted):
            raise PushFailed("the last `make up` or `make down` was not finished: run `make up` first")
        return self._connect(running), state

    def _find_running(self) -> Emulator:
        running = emulator.find_running(self._folder)
        if running is None:
            raise PushFailed("the local platform is not running: start it with `make up`")
        return running

    def _is_deployed_by_cli(self, running: Emulator) -> bool:
        """Return True if `make provider` started the emulator, so that the Pulumi CLI deploys to it."""
        return not running.kept and (self._folder / CLI_STATE).is_dir()

    def _connect(self, running: Emulator) -> Clients:
        if self._clients is None or self._clients[0] != running.endpoint:
            self._clients = running.endpoint, EmulatorClients(running.endpoint)
        return self._clients[1]

    def _print_notes(self, changed_files: set[str], outdated: Sequence[str], *, has_spark_job: bool) -> None:
        """Print what may be out of date after the push: environment variables, other functions, and the Spark job.

        `changed_files` are those of the published functions.
        """
        lines = [
            f"  {file} has changed. If it defines other variables than before, run `make up`, because a push publishes "
            "only code"
            for file in sorted(changed_files)
            if file.endswith(f"/{ENVIRONMENT_FILE}")
        ]
        if outdated:
            lines.append(f"  out of date (FUNCTION=all publishes them): {', '.join(outdated)}")
        if has_spark_job and not changed_files.isdisjoint(path.as_posix() for path in list_source_files(SPARK_JOB)):
            lines.append("  the Spark job uses a changed file, too; only `make up` publishes it")
        note = "\n".join(lines)
        if note and note != self._last_note:
            self._print_line(note)
        self._last_note = note


class FunctionPublication:
    """Publication of one function's current package, which also updates the entries of function and alias in the state.

    A function that the Pulumi CLI deployed has no entries. Before the first call, the hashes of the changed inputs are
    removed from the entries. So if the publication fails or is killed, the next push or `make up` repeats it.
    """

    def __init__(self, client: Any, state: PlatformState, function: DeployedFunction, package: FunctionPackage) -> None:
        self.function = function
        self.package = package
        self._client = client
        self._state = state
        # This is the hash of the content that will be published. The file is not read again, because another command
        # may have replaced it in the meantime.
        self._state_hash = state.hash_archive(package.content)
        alias = self._call("get_alias", Name=LIVE)
        self.version: str = alias["FunctionVersion"]
        """Version to which the alias `live` points."""
        self._weights = (alias.get("RoutingConfig") or {}).get("AdditionalVersionWeights")
        self._function_urn = self._find_urn(FUNCTION_TYPE, function.name)
        self._alias_urn = self._find_urn(ALIAS_TYPE, f"{function.name}:{LIVE}")

    def is_complete(self) -> bool:
        """Return True if the alias already points to the current package, and the state file shows this."""
        live = self._call("get_function_configuration", Qualifier=self.version)
        function, alias = self._state.get(self._function_urn), self._state.get(self._alias_urn)
        is_recorded = (function is None or function.inputs["code"] == self._state_hash) and (
            alias is None or alias.inputs["functionVersion"] != NO_HASH
        )
        return bool(is_recorded and live["CodeSha256"] == self.package.code_hash)

    def list_changed_files(self) -> set[str]:
        """Return the files that differ between the deployed and the current package. Call it before `publish`."""
        return list_changed_files(download_package(self._client, self.function), self.package.content)

    def refuse_fixed_alias(self) -> None:
        """Raise PushFailed if the alias must stay at its version, because of a rollout, a rollback or a setting."""
        name = self.function.name
        if self._weights:
            raise PushFailed(f"a rollout of {name} is in progress: end it before you publish another version")
        if not self._alias_follows():
            raise PushFailed(
                f"the alias {LIVE} of {name} stays at version {self.version}, because the setting `liveVersion` pins it "
                "or because it was rolled back: remove the setting, or move the alias to the newest version"
            )

    def publish(self) -> str:
        """Update the code, publish a version, and move the alias to it. Return the version.

        Ctrl-C takes effect afterwards. Raise PushFailed if a call fails.
        """
        with _explain_errors(f"{self.function.name} could not be published"), _defer_interrupts():
            self._save_alias_version(NO_HASH)
            self._save_function(NO_HASH)
            self.version = self._publish_version()
            self._save_function(self._state_hash, version=self.version, codeSha256=self.package.code_hash)
            self._call("update_alias", Name=LIVE, FunctionVersion=self.version)
            self._save_alias_version(self._hash_version(self.version))
        return self.version

    def _publish_version(self) -> str:
        architectures = {"Architectures": list(self.function.architectures)} if self.function.architectures else {}
        self._call("update_function_code", ZipFile=self.package.content, **architectures)
        waiter = self._client.get_waiter("function_updated")
        waiter.wait(FunctionName=self.function.name, WaiterConfig=WAITER)
        return str(self._call("publish_version")["Version"])

    def _alias_follows(self) -> bool:
        """Return True if the alias points to the newest version, so that a push may move it.

        Also return True if a push has removed the alias's hash and then failed. Raise PushFailed if the last `make up`
        did not complete the function.
        """
        function, alias = self._state.get(self._function_urn), self._state.get(self._alias_urn)
        if function is None:
            return self.version == self._find_newest_version()
        if alias is None or {function.status, alias.status} != {ResourceStatus.MADE}:
            raise PushFailed(f"the last `make up` did not complete {self.function.name}: run `make up` first")
        newest = self._hash_version(function.outputs["version"])
        return alias.inputs["functionVersion"] in {NO_HASH, newest}

    def _find_newest_version(self) -> str:
        pages = self._client.get_paginator("list_versions_by_function").paginate(FunctionName=self.function.name)
        versions = [version["Version"] for page in pages for version in page["Versions"]]
        return max((version for version in versions if version.isdecimal()), key=int, default="")

    def _call(self, operation: str, **parameters: Any) -> Any:
        return getattr(self._client, operation)(FunctionName=self.function.name, **parameters)

    def _find_urn(self, kind: str, resource_id: str) -> str:
        """Return the URN of a resource in the state file, or an empty text."""
        entries = self._state.entries().items()
        return next((urn for urn, entry in entries if entry.type == kind and entry.id == resource_id), "")

    def _hash_version(self, version: str) -> str:
        return self._state.hash_inputs({"functionVersion": version})["functionVersion"]

    def _save_function(self, code_hash: str, **outputs: str) -> None:
        if entry := self._state.get(self._function_urn):
            changed = replace(entry, inputs={**entry.inputs, "code": code_hash}, outputs={**entry.outputs, **outputs})
            self._state.put(self._function_urn, changed)

    def _save_alias_version(self, version_hash: str) -> None:
        if entry := self._state.get(self._alias_urn):
            changed = replace(entry, inputs={**entry.inputs, "functionVersion": version_hash})
            self._state.put(self._alias_urn, changed)


def push(folder: Path, names: Sequence[str], started: float) -> int:
    """Publish functions, for `make push`. Return the exit status."""
    return FunctionPusher(folder).push(names, started)


@contextmanager
def _explain_errors(problem: str) -> Iterator[None]:
    """Turn the error of a service call into a PushFailed, whose message begins with `problem`."""
    try:
        yield
    except (ClientError, BotoCoreError) as error:
        raise PushFailed(f"{problem}: {error}") from error


@contextmanager
def _defer_interrupts() -> Iterator[None]:
    """Let Ctrl-C take effect only after the block, so that a function is not left half-published."""
    received: list[int] = []
    previous = signal.signal(signal.SIGINT, lambda number, _frame: received.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)
        if received:
            signal.raise_signal(signal.SIGINT)
