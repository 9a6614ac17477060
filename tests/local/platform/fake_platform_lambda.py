"""Fake of Lambda and CloudWatch Logs for tests of `make push` and `make watch`."""

import base64
import hashlib
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from botocore.exceptions import ClientError

from components import handler_archive
from local.platform import function_push
from local.platform.state import PlatformState, ResourceEntry, ResourceStatus
from local.property_values import Archive
from tests.handler_tree import STORAGE_MODULE

STORAGE_NAME, START_NAME = "polyphony-local-meetings-storage", "polyphony-local-meetings-start"
PROCESS_ID, PORT = 1, 2
INSTANCE = f"{PROCESS_ID}:{PORT}"
"""Process id and port of the emulator, which identify its state."""
FUNCTION_URN = f"urn:pulumi:local::polyphony::{function_push.FUNCTION_TYPE}::storage"
ALIAS_URN = f"urn:pulumi:local::polyphony::{function_push.ALIAS_TYPE}::storage-live"


def hash_code(content: bytes) -> str:
    """Return Lambda's hash of a package."""
    return base64.b64encode(hashlib.sha256(content).digest()).decode()


class FakePlatformLambda:
    """Fake clients of Lambda and CloudWatch Logs. Each function has an alias `live`, which first points to version 1.

    A test deploys functions, selects an operation that fails, and inspects calls, code and aliases.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        """Folder of the platform, which also has the source files of the handlers."""
        self.code: dict[str, bytes] = {}
        """Code by function and version, for example `storage:$LATEST` and `storage:1`."""
        self.aliases: dict[str, dict[str, Any]] = {}
        """Alias `live` of each function."""
        self.calls: list[tuple[str, str]] = []
        """Operation and function of each call."""
        self.failing_operation = ""
        """Operation that is refused, or an empty string."""
        self.on_call: Callable[[str], None] = lambda _operation: None
        """Function that is called with each operation."""
        self.log_events: list[dict[str, Any]] = []
        """Events that every log group has."""

    def deploy(self, name: str, content: bytes) -> None:
        """Add a function with one published version."""
        self.code |= {f"{name}:$LATEST": content, f"{name}:1": content}
        self.aliases[name] = {"FunctionVersion": "1"}

    def __call__(self, _service: str) -> "FakePlatformLambda":
        return self

    def __getattr__(self, operation: str) -> Callable[..., Any]:
        return lambda **parameters: self._call(operation, parameters.get("FunctionName", ""), parameters)

    def get_paginator(self, operation: str) -> Any:
        """Return a paginator whose only page is the operation's response."""
        return SimpleNamespace(paginate=lambda **parameters: [getattr(self, operation)(**parameters)])

    def get_waiter(self, name: str) -> Any:
        """Return a waiter, whose use is recorded as a call."""
        return SimpleNamespace(wait=lambda **parameters: self.calls.append((name, parameters["FunctionName"])))

    def _call(self, operation: str, name: str, parameters: dict[str, Any]) -> Any:
        self.calls.append((operation, name))
        self.on_call(operation)
        if operation == self.failing_operation:
            raise ClientError({"Error": {"Code": "Refused", "Message": "message of AWS"}}, operation)
        match operation:
            case "list_functions":
                return {"Functions": [self._describe(name, "$LATEST") for name in self.aliases]}
            case "list_versions_by_function":
                versions = [key.partition(":")[2] for key in self.code if key.startswith(f"{name}:")]
                return {"Versions": [{"Version": version} for version in versions]}
            case "get_alias":
                return self.aliases[name]
            case "get_function_configuration":
                return self._describe(name, parameters["Qualifier"])
            case "get_function":
                path = self.folder / name
                path.write_bytes(self.code[f"{name}:$LATEST"])
                return {"Code": {"Location": path.as_uri()}}
            case "update_function_code":
                self.code[f"{name}:$LATEST"] = parameters["ZipFile"]
            case "publish_version":
                version = str(sum(key.startswith(f"{name}:") for key in self.code))
                self.code[f"{name}:{version}"] = self.code[f"{name}:$LATEST"]
                return {"Version": version}
            case "update_alias":
                self.aliases[name] = {"FunctionVersion": parameters["FunctionVersion"]}
            case "filter_log_events":
                start = parameters["startTime"]
                return {"events": [event for event in self.log_events if event["timestamp"] >= start]}
        return {}

    def _describe(self, name: str, version: str) -> dict[str, Any]:
        subsystem, function = name.split("-")[-2:]
        return {
            "FunctionName": name,
            "Handler": f"handlers.{subsystem}.{function}.handler.handler",
            "Runtime": "python3.13",
            "Architectures": ["arm64"],
            "CodeSha256": hash_code(self.code[f"{name}:{version}"]),
        }

    def live_code(self, name: str) -> bytes:
        """Return the code to which the alias `live` points."""
        return self.code[f"{name}:{self.aliases[name]['FunctionVersion']}"]

    def count_publications(self) -> int:
        """Return the number of versions that were published after the deployment."""
        return sum(operation == "publish_version" for operation, _ in self.calls)


def write_state(folder: Path, *, pinned_version: str = "") -> PlatformState:
    """Write a state file with the entries of the function `storage`, as `make up` writes them.

    With `pinned_version`, a setting of the program keeps the alias at this version.
    """
    state = PlatformState.empty(folder / "state.json", INSTANCE)
    archive = Archive(str(handler_archive.write_archive(STORAGE_MODULE)))
    state.put(
        FUNCTION_URN,
        ResourceEntry(
            function_push.FUNCTION_TYPE,
            ResourceStatus.MADE,
            state.hash_inputs({"code": archive, "timeout": 60}),
            id=STORAGE_NAME,
            outputs={"version": "1"},
        ),
    )
    alias_inputs = state.hash_inputs({"functionVersion": pinned_version or "1", "name": "live"})
    alias_id = f"{STORAGE_NAME}:live"
    state.put(ALIAS_URN, ResourceEntry(function_push.ALIAS_TYPE, ResourceStatus.MADE, alias_inputs, id=alias_id))
    return state
