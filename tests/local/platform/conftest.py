"""Platform for tests of `make push` and `make watch`, with Lambda and CloudWatch Logs in memory."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from components import handler_archive
from local.platform import emulator, push, watch
from local.platform.emulator import Emulator
from local.platform.state import PlatformState
from tests.handler_tree import FILES, START_MODULE, STORAGE, STORAGE_MODULE, use_handler_tree, write_files

START_NAME, STORAGE_NAME = "polyphony-local-meetings-start", "polyphony-local-meetings-storage"


class FunctionPlatform:
    """Platform with the functions `start` and `storage` of a small handler tree, whose alias `live` is at version 1."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        """Folder of the platform, which also has the source files of the handlers."""
        self.calls: list[str] = []
        """Operations of Lambda on unpublished code, and `mark <function>` for a change of the state file."""
        self.failing_operation = ""
        """Operation that is refused, or an empty text."""
        self._clients: dict[str, Any] = {name: boto3.client(name, "us-east-1") for name in ("lambda", "logs")}
        role = boto3.client("iam", "us-east-1").create_role(RoleName="role", AssumeRolePolicyDocument="{}")["Role"]
        for name, module in ((START_NAME, START_MODULE), (STORAGE_NAME, STORAGE_MODULE), ("echo", START_MODULE)):
            self("lambda").create_function(
                FunctionName=name,
                Runtime="python3.13",
                Role=role["Arn"],
                Handler="echo.handler" if name == "echo" else f"{module}.handler",
                Code={"ZipFile": Path(handler_archive.write_archive(module)).read_bytes()},
                Publish=True,
            )
            self("lambda").create_alias(FunctionName=name, Name="live", FunctionVersion="1")
        self("lambda").meta.events.register("before-call.lambda", self._record)

    def __call__(self, service: str) -> Any:
        return self._clients[service]

    def _record(self, model: Any, params: Any, **_: object) -> None:
        if model.name in {"GetAlias", "ListFunctions"} or "Qualifier" in params["query_string"]:
            return
        self.calls.append(model.name)
        if model.name == self.failing_operation:
            raise ClientError({"Error": {"Code": "Refused", "Message": "message of AWS"}}, model.name)

    def change_storage(self, comment: str = "changed") -> None:
        """Change the handler of `storage`."""
        write_files(self.folder, {STORAGE: f"{FILES[STORAGE]}# {comment}\n"})

    def live_version(self, name: str) -> str:
        """Return the version to which the alias `live` points."""
        return str(self("lambda").get_alias(FunctionName=name, Name="live")["FunctionVersion"])

    def write_log(self, name: str, stream: str, *lines: str, age_seconds: int = 0) -> None:
        """Write the log lines of one invocation."""
        group = {"logGroupName": f"/aws/lambda/{name}", "logStreamName": stream}
        self("logs").create_log_stream(**group)
        events = [{"timestamp": int((time.time() - age_seconds) * 1000), "message": line} for line in lines]
        self("logs").put_log_events(**group, logEvents=events)


@pytest.fixture
def platform(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FunctionPlatform]:
    """Make a platform seem to run, whose last `make up` was complete."""
    use_handler_tree(monkeypatch, tmp_path)
    with mock_aws():
        platform = FunctionPlatform(tmp_path)
        running = Emulator(1, 2, tmp_path)
        PlatformState().write(running)
        monkeypatch.setattr(emulator, "find_running", lambda _: running)
        for module in (push, watch):
            monkeypatch.setattr(module, "create_clients", lambda _endpoint: platform)
        monkeypatch.setattr(push, "mark_code_as_pending", lambda _, name: platform.calls.append(f"mark {name}"))
        yield platform
