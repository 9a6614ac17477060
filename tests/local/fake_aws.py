"""A fake AWS in memory, and a small table of drivers for tests of the engine. It uses no sockets.

The operations are real, so parameters are fitted and checked as usual. Their effect is a change of a dictionary.
"""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pulumi
from botocore.exceptions import ClientError

from local.platform.driver_model.driver import (
    Driver,
    DriverCall,
    ReadCall,
    RecordedOnly,
    constant,
    first_known,
    from_response,
)
from local.platform.engine import Engine
from local.platform.progress import Progress, SilentProgress
from local.platform.resource_drivers import Drivers
from local.platform.state import PlatformState
from local.preview import program_run
from local.preview.resource_graph import Graph
from local.preview.stack_files import StackConfig

CONFIG = StackConfig(project="polyphony", stack="test", values={})
INSTANCE = "1:4566"

GROUP = "test:index/group:Group"
TOPIC = "test:index/topic:Topic"
CODE = "test:index/code:Code"
NOTE = "test:index/note:Note"

RETENTION = DriverCall("PutRetentionPolicy", {"logGroupName": "name", "retentionInDays": "days"}, when="days")

DRIVERS: Drivers = {
    GROUP: Driver(
        type=GROUP,
        service="logs",
        create=(DriverCall("CreateLogGroup", {"logGroupName": "name", "tags": "labels", "kmsKeyId": "key"}), RETENTION),
        update=(RETENTION,),
        delete=(DriverCall("DeleteLogGroup", {"logGroupName": "name"}),),
        id="name",
    ),
    TOPIC: Driver(
        type=TOPIC,
        service="sns",
        create=(DriverCall("CreateTopic", {"Name": "name"}),),
        delete=(DriverCall("DeleteTopic", {"TopicArn": "id"}),),
        id=from_response("CreateTopic", "TopicArn"),
        outputs={"arn": from_response("CreateTopic", "TopicArn")},
    ),
    CODE: Driver(
        type=CODE,
        service="lambda",
        create=(DriverCall("CreateFunction", {"FunctionName": "name", "Role": "role", "Code.ZipFile": "text"}),),
        update=(
            DriverCall("UpdateFunctionCode", {"FunctionName": "name", "ZipFile": "text"}),
            DriverCall("PublishVersion", {"FunctionName": "name"}, after=("UpdateFunctionCode",)),
        ),
        delete=(DriverCall("DeleteFunction", {"FunctionName": "name"}),),
        id="name",
        outputs={
            "version": first_known(
                from_response("PublishVersion", "Version"), from_response("CreateFunction", "Version")
            )
        },
        changed_by_update={"version": "PublishVersion"},
        read=(
            ReadCall("GetFunctionConfiguration", {"FunctionName": "name"}, paths_in_result={"text": "Code.ZipFile"}),
        ),
    ),
    NOTE: RecordedOnly(
        type=NOTE,
        service="logs",
        reason="for tests",
        create=(DriverCall("CreateLogGroup", {"logGroupName": "name"}),),
        outputs={"arn": constant("arn:made-up")},
    ),
}


class Killed(Exception):
    """The simulated process was killed, so nothing may happen after it."""


class FakeAws:
    """All services. They count steps, and the simulated process may be killed at one of them."""

    def __init__(self, dies_at: int | None = None) -> None:
        self.things: dict[str, dict[str, Any]] = {}
        self.calls: list[tuple[str, str]] = []
        self.steps = 0
        self.dies_at = dies_at
        self.refuses: dict[str, str] = {}
        """Error codes by operation."""
        self._lock = threading.RLock()

    def __call__(self, _service: str) -> "FakeClient":
        return FakeClient(self)

    def step(self) -> None:
        """Count one step of the process. Raise Killed from the step of its death on."""
        with self._lock:
            self.steps += 1
            if self.dies_at is not None and self.steps >= self.dies_at:
                raise Killed

    def answer(self, method: str, given: dict[str, Any]) -> dict[str, Any]:
        """Execute an operation and return its response."""
        with self._lock:
            self.step()
            name = str(given.get("logGroupName") or given.get("Name") or given.get("FunctionName") or given["TopicArn"])
            name = name.rpartition(":")[2]
            self.calls.append((method, name))
            if code := self.refuses.get(method):
                raise _refusal(method, code)
            answer = self._done(method, name, given)
            self.step()
            return answer

    def _done(self, method: str, name: str, given: dict[str, Any]) -> dict[str, Any]:
        verb = method.partition("_")[0]
        if verb == "create":
            if name in self.things:
                raise _refusal(method, "ResourceAlreadyExistsException")
            self.things[name] = {**given, "version": 1}
        elif name not in self.things:
            raise _refusal(method, "ResourceNotFoundException")
        elif verb == "get":
            pass
        elif verb == "delete":
            del self.things[name]
        elif verb == "publish":
            self.things[name]["version"] += 1
        elif method == "update_function_code":
            self.things[name]["Code"] = {"ZipFile": given["ZipFile"]}
        else:
            self.things[name].update(given)
        made = self.things.get(name, {})
        if verb == "get":
            return {**made}
        return {"TopicArn": f"arn:aws:sns:us-east-1:1:{name}", "Version": str(made.get("version"))}


class FakeClient:
    """Client of one service."""

    def __init__(self, aws: FakeAws) -> None:
        self._aws = aws

    def __getattr__(self, method: str) -> Callable[..., dict[str, Any]]:
        return lambda **given: self._aws.answer(method, given)


def _refusal(method: str, code: str) -> ClientError:
    operation = "".join(part.capitalize() for part in method.split("_"))
    return ClientError({"Error": {"Code": code, "Message": "as AWS puts it"}}, operation)


class Thing(pulumi.CustomResource):
    """A resource of any of the types above."""

    arn: pulumi.Output[str]
    version: pulumi.Output[str]

    def __init__(self, kind: str, label: str, opts: pulumi.ResourceOptions | None = None, **inputs: Any) -> None:
        super().__init__(kind, label, {**inputs, "arn": None, "version": None}, opts)


def run(body: Callable[[], object], aws: FakeAws, folder: Path, progress: Progress | None = None) -> Graph:
    """Run one `up`: read the state, run the program, delete the resources that it no longer contains."""
    state = open_state(aws, folder)
    engine = Engine(aws, state, progress or SilentProgress(), DRIVERS)
    graph = program_run.run_function(body, CONFIG, engine, preview=False).graph
    engine.delete_gone(graph)
    if engine.failures:
        raise engine.failures[0]
    return graph


def open_state(aws: FakeAws, folder: Path) -> PlatformState:
    """Return the state as `up` opens it: empty after an interrupted run, because a new emulator is started."""
    state = PlatformState.read(folder / "state.json", INSTANCE)
    if state.was_interrupted:
        aws.things.clear()
        state = PlatformState.empty(folder / "state.json", INSTANCE)
    return state
