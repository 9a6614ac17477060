"""A small program on an emulator of its own: what a test of one block, or of one part, brings up."""

import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from components.blocks.compute import handler_archive
from local.emulation.iam.decision_log import Decision, read_decisions
from local.platform import emulator
from local.platform.emulator import Emulator
from local.platform.emulator_clients import EmulatorClients
from local.platform.engine import Engine
from local.platform.progress import SilentProgress
from local.platform.resource_changes import ResourceAction
from local.platform.state import PlatformState
from local.preview import program_run
from local.preview.preview_provider import ACCOUNT
from local.preview.property_values import shown
from local.preview.stack_files import StackConfig

Body = Callable[[], object]


@dataclass
class SmallStack:
    """A program that is up, and whoever looks at it."""

    emulator: Emulator
    clients: EmulatorClients
    state: PlatformState
    outputs: dict[str, Any] = field(default_factory=dict)

    def up(self, body: Body, state: PlatformState | None = None) -> tuple[dict[str, Any], dict[str, ResourceAction]]:
        """Brings a program up, and removes what is gone from it; its outputs, and what was done."""
        done: dict[str, ResourceAction] = {}

        class Heard(SilentProgress):
            def on_finish(self, urn: str, action: ResourceAction, _seconds: float, /) -> None:
                done[urn.rpartition("::")[2]] = action

        engine = Engine(self.clients, state or self.state, Heard())
        ran = program_run.record(body, StackConfig("polyphony", "test", {}), engine, preview=False)
        engine.delete_gone(ran.graph)
        assert engine.failures == []
        return {name: shown(value) for name, value in ran.outputs.items()}, done

    @property
    def ids(self) -> dict[str, str]:
        """Physical ids by Pulumi name."""
        return {urn.rpartition("::")[2]: entry.id for urn, entry in self.state.entries().items()}

    def decisions(self) -> list[Decision]:
        """What IAM was asked, and said."""
        return read_decisions(self.emulator.folder)


@contextmanager
def small_stack(folder: Path, code: str = "") -> Iterator[SmallStack]:
    """An emulator with nothing on it; `code` is what every function's archive holds, as `echo.py`."""
    with zipfile.ZipFile(folder / "echo.zip", "w") as zipped:
        zipped.writestr("echo.py", code)
    patch = pytest.MonkeyPatch()
    patch.setattr(handler_archive, "written", lambda _subsystem: folder / "echo.zip")
    with emulator.start(folder / "emulator") as started, patch.context():
        clients = EmulatorClients(started.emulator.endpoint)
        clients("s3").create_bucket(Bucket=f"polyphony-test-foundation-audit-logs-{ACCOUNT}")
        yield SmallStack(started.emulator, clients, PlatformState.empty(folder / "state.json", "test"))
    patch.undo()
