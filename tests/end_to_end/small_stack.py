"""Harness that deploys a small Pulumi program to an emulator, for tests of single building blocks."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from local.emulation.iam.grant_usage import Decision, read_decisions
from local.platform.deployer import Action
from local.platform.emulator import Emulator
from local.platform.emulator_clients import EmulatorClients
from local.platform.engine import Engine
from local.platform.progress import Progress
from local.platform.state import PlatformState
from local.preview import program_run
from local.preview.resource_graph import Graph
from local.preview.stack_files import StackConfig
from local.property_values import to_display_value


class ActionRecorder(Progress):
    """Receiver of a deployment's progress that records the action on each resource by its Pulumi name."""

    def __init__(self) -> None:
        self.actions: dict[str, Action] = {}

    def on_finish(self, urn: str, action: Action, _seconds: float, /) -> None:
        self.actions[urn.rpartition("::")[2]] = action


@dataclass
class SmallStack:
    """Stack on an emulator. A test deploys one or more programs to it, one after the other."""

    emulator: Emulator
    clients: EmulatorClients
    state: PlatformState = field(default_factory=PlatformState)
    outputs: dict[str, Any] = field(default_factory=dict)
    """Outputs that the last deployed program exported."""
    graph: Graph = field(default_factory=Graph)
    """Resources of the last deployed program."""

    def up(self, program: Callable[..., object], *arguments: Any, **options: Any) -> dict[str, Action]:
        """Deploy the resources that `program` registers when it is called with these arguments, and delete those that
        it no longer registers. Return the action on each resource.
        """
        recorder = ActionRecorder()
        engine = Engine(self.clients, self.state, recorder)
        config = StackConfig("polyphony", "test", {})
        run = program_run.run_function(partial(program, *arguments, **options), config, engine, preview=False)
        engine.delete_gone(run.graph)
        assert engine.failures == []
        self.graph = run.graph
        self.outputs = {name: to_display_value(value) for name, value in run.outputs.items()}
        return recorder.actions

    @property
    def ids(self) -> dict[str, str]:
        """Physical ids by Pulumi name."""
        return {urn.rpartition("::")[2]: entry.id for urn, entry in self.state.entries.items()}

    def decisions(self) -> list[Decision]:
        """Return the logged decisions of IAM."""
        return read_decisions(self.emulator.folder)
