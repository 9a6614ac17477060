"""Harness that deploys a small program on its own emulator, for tests of single blocks."""

import io
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from components.blocks.compute import handler_archive
from components.blocks.compute.function import Function, FunctionArgs
from components.blocks.naming.subsystem_scope import Scope
from components.settings import FunctionSettings
from handlers.common.environment import HandlerEnvironment
from local.emulation.iam.decision_log import Decision, read_decisions
from local.platform import emulator
from local.platform.emulator import Emulator
from local.platform.emulator_clients import EmulatorClients
from local.platform.engine import Engine
from local.platform.progress import SilentProgress
from local.platform.resource_change_planning import ResourceAction
from local.platform.state import PlatformState
from local.preview import program_run
from local.preview.preview_provider import ACCOUNT
from local.preview.property_value_conversion import to_display_value
from local.preview.resource_graph import Graph
from local.preview.stack_files import StackConfig

Body = Callable[[], object]


class ActionRecorder(SilentProgress):
    """Records the action on each resource by its Pulumi name."""

    def __init__(self) -> None:
        self.actions: dict[str, ResourceAction] = {}

    def on_finish(self, urn: str, action: ResourceAction, _seconds: float, /) -> None:
        self.actions[urn.rpartition("::")[2]] = action


@dataclass
class SmallStack:
    """Deployed program with its emulator and clients."""

    emulator: Emulator
    clients: EmulatorClients
    state: PlatformState
    outputs: dict[str, Any] = field(default_factory=dict)
    graph: Graph = field(default_factory=Graph)
    """Resources of the last deployed program."""

    def up(self, body: Body) -> dict[str, ResourceAction]:
        """Deploy a program and delete the resources that it no longer has. Return the action on each resource."""
        recorder = ActionRecorder()
        engine = Engine(self.clients, self.state, recorder)
        run = program_run.run_function(body, StackConfig("polyphony", "test", {}), engine, preview=False)
        engine.delete_gone(run.graph)
        assert engine.failures == []
        self.graph = run.graph
        self.outputs = {name: to_display_value(value) for name, value in run.outputs.items()}
        return recorder.actions

    @property
    def ids(self) -> dict[str, str]:
        """Physical ids by Pulumi name."""
        return {urn.rpartition("::")[2]: entry.id for urn, entry in self.state.entries().items()}

    def decisions(self) -> list[Decision]:
        return read_decisions(self.emulator.folder)


def echo_function(
    name: str, function_scope: Scope, environment: type[HandlerEnvironment] = HandlerEnvironment, **more: Any
) -> Function:
    """Register a function that runs the module `echo.py` of its archive."""
    settings = FunctionSettings.model_validate({"timeoutSeconds": 20})
    return Function(name, FunctionArgs(function_scope, "Echo", "echo.handler", settings, environment, **more))


def create_function(clients: EmulatorClients, name: str, code: str, role: str, **more: Any) -> None:
    """Create a function from the code of one module, whose name is that of the function, without a program."""
    archive_bytes = io.BytesIO()
    with zipfile.ZipFile(archive_bytes, "w") as archive:
        archive.writestr(f"{name}.py", code)
    clients("lambda").create_function(
        FunctionName=name,
        Runtime="python3.13",
        Role=role,
        Handler=f"{name}.handler",
        Code={"ZipFile": archive_bytes.getvalue()},
        **more,
    )


@contextmanager
def small_stack(folder: Path, code: str = "") -> Iterator[SmallStack]:
    """Start an empty emulator. `code` becomes the module `echo.py` of every function's archive."""
    with zipfile.ZipFile(folder / "echo.zip", "w") as archive:
        archive.writestr("echo.py", code)
    patch = pytest.MonkeyPatch()
    patch.setattr(handler_archive, "write_archive", lambda _subsystem: folder / "echo.zip")
    with emulator.start(folder / "emulator") as running_emulator, patch.context():
        clients = EmulatorClients(running_emulator.emulator.endpoint)
        clients("s3").create_bucket(Bucket=f"polyphony-test-foundation-audit-logs-{ACCOUNT}")
        yield SmallStack(running_emulator.emulator, clients, PlatformState.empty(folder / "state.json", "test"))
    patch.undo()
