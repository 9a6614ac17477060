"""What an `up` would change, without changing it: the program runs as in a preview, held against the state."""

from dataclasses import dataclass

from local.platform.drivers.model import Driver
from local.platform.engine import ALL_DRIVERS, Drivers
from local.platform.resource_changes import Action, change
from local.platform.state import State
from local.preview.preview_provider import PreviewProvider
from local.preview.program_run import run
from local.preview.property_values import Props
from local.preview.resource_graph import Resource
from local.preview.stack_files import StackConfig


@dataclass(frozen=True)
class Step:
    """What would be done with one resource."""

    urn: str
    action: Action


class Plan:
    """The provider of such a run. What would be made anew is unknown to what comes after it, as in a real preview."""

    def __init__(self, state: State, drivers: Drivers = ALL_DRIVERS) -> None:
        self._state = state
        self._drivers = drivers
        self._actions: dict[str, Action] = {}
        self.call = PreviewProvider().call

    def of(self, config: StackConfig) -> list[Step]:
        """All steps: those of the program in its order, then deletions."""
        graph = run(config, self, preview=True).graph
        gone = self._state.deletion_order(self._state.entries().keys() - {one.urn for one in graph})
        return [
            *(Step(one.urn, self._actions[one.urn]) for one in graph.customs()),
            *(Step(urn, Action.DELETE) for urn in gone),
        ]

    def make(self, resource: Resource) -> tuple[str, Props]:
        """Decides, and gives what would still be true of the resource afterwards."""
        entry = self._state.get(resource.urn)
        hashes = self._state.hashes(resource.inputs)
        needed = change(self._drivers[resource.type], resource, entry, hashes)
        self._actions[resource.urn] = needed.action
        if entry is None or needed.action in {Action.CREATE, Action.REPLACE}:
            return "", {}
        driver = self._drivers[resource.type]
        renewed = driver.renewed if isinstance(driver, Driver) and needed.calls else ()
        return entry.id, {name: value for name, value in entry.outputs.items() if name not in renewed}
