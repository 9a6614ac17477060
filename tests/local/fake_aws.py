"""Fake AWS in memory, for tests of the engine and of the Pulumi provider.

A driver describes how one resource type is created, changed and deleted. The parameters of its calls are checked as
usual, but the fake services only change a dictionary.
"""

import logging
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pulumi
from botocore.exceptions import ClientError

from local.drivers import ALL_DRIVERS
from local.drivers.model import Driver, DriverCall, first_known, from_response
from local.platform.emulator import Emulator
from local.platform.engine import Engine
from local.platform.progress import Progress
from local.platform.state import PlatformState
from local.preview import program_run
from local.preview.stack_files import StackConfig

CONFIG = StackConfig(project="polyphony", stack="test", values={})

GROUP = "aws:cloudwatch/logGroup:LogGroup"
TOPIC = "aws:sns/topic:Topic"
RECORDED_ONLY = "aws:costexplorer/anomalyMonitor:AnomalyMonitor"
"""Type that the emulator lacks, so it is checked but not created."""
FUNCTION = "test:index/function:Function"
"""Function whose code is a text."""

DRIVERS = {
    **ALL_DRIVERS,
    FUNCTION: Driver(
        type=FUNCTION,
        service="lambda",
        create=(DriverCall("CreateFunction", {"FunctionName": "name", "Role": "role", "Code.ZipFile": "text"}),),
        update=(
            DriverCall("UpdateFunctionCode", {"FunctionName": "name", "ZipFile": "text"}),
            DriverCall("PublishVersion", {"FunctionName": "name"}, after_operations=("UpdateFunctionCode",)),
        ),
        delete=(DriverCall("DeleteFunction", {"FunctionName": "name"}),),
        id="name",
        outputs={
            "version": first_known(
                from_response("PublishVersion", "Version"), from_response("CreateFunction", "Version")
            )
        },
        changed_by_update={"version": "PublishVersion"},
    ),
}


class FakeAws:
    """All services, in place of the emulator's clients."""

    def __init__(self) -> None:
        self.resources: dict[str, dict[str, Any]] = {}
        """Parameters of each resource by its name."""
        self.calls: list[tuple[str, str]] = []
        """Method and resource name of each call."""
        self.error_codes: dict[str, str] = {}
        """Error codes by method. The other methods succeed."""
        self._lock = threading.RLock()

    def __call__(self, _service: str) -> "FakeClient":
        return FakeClient(self)

    def call(self, method: str, parameters: dict[str, Any]) -> dict[str, Any]:
        """Execute an operation and return its response."""
        names = (parameters.get(key) for key in ("logGroupName", "Name", "FunctionName", "TopicArn"))
        name = str(next(filter(None, names))).rpartition(":")[2]
        with self._lock:
            self.calls.append((method, name))
            if code := self.error_codes.get(method):
                raise _error(method, code)
            return self._execute(method, name, parameters)

    def _execute(self, method: str, name: str, parameters: dict[str, Any]) -> dict[str, Any]:
        verb = method.partition("_")[0]
        if verb == "create":
            if name in self.resources:
                raise _error(method, "ResourceAlreadyExistsException")
            self.resources[name] = {**parameters, "version": 1}
        elif name not in self.resources:
            raise _error(method, "ResourceNotFoundException")
        elif verb == "delete":
            del self.resources[name]
        elif verb == "publish":
            self.resources[name]["version"] += 1
        elif method == "update_function_code":
            self.resources[name]["Code"] = {"ZipFile": parameters["ZipFile"]}
        else:
            self.resources[name].update(parameters)
        version = self.resources.get(name, {}).get("version")
        return {"TopicArn": f"arn:aws:sns:us-east-1:1:{name}", "Version": str(version)}


class FakeClient:
    """Fake boto3 client of one service."""

    def __init__(self, aws: FakeAws) -> None:
        self._aws = aws
        self.meta = SimpleNamespace(endpoint_url="")

    def __getattr__(self, method: str) -> Callable[..., dict[str, Any]]:
        return lambda **parameters: self._aws.call(method, parameters)


def _error(method: str, code: str) -> ClientError:
    operation = "".join(part.capitalize() for part in method.split("_"))
    return ClientError({"Error": {"Code": code, "Message": "message of AWS"}}, operation)


class AnyResource(pulumi.CustomResource):
    """A resource of any of the types above."""

    arn: pulumi.Output[str]
    version: pulumi.Output[str]

    def __init__(self, kind: str, label: str, opts: pulumi.ResourceOptions | None = None, **inputs: Any) -> None:
        super().__init__(kind, label, {**inputs, "arn": None, "version": None}, opts)


def run_up(program: Callable[[], object], aws: FakeAws, folder: Path, progress: Progress | None = None) -> None:
    """Do what `make up` does: read the state, run the program, delete what it no longer contains, write the state."""
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)  # it logs every task that a failure cancelled
    state = read_state(folder)
    engine = Engine(aws, state, progress or Progress(), DRIVERS)
    try:
        engine.delete_gone(program_run.run_function(program, CONFIG, engine, preview=False).graph)
    finally:
        state.write(Emulator(1, 4566, folder))
    if engine.failures:
        raise engine.failures[0]


def read_state(folder: Path) -> PlatformState:
    """Return the state of the last run, or an empty one."""
    return PlatformState.read(Emulator(1, 4566, folder)) or PlatformState()
