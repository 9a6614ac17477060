"""Plan of what `make up` would change on the running local platform, for `make preview` of the local stack.

The program runs as in a preview, and its resources are compared with the state file of the platform (`state.py`).
"""

from dataclasses import dataclass

from local.drivers import ALL_DRIVERS, Drivers
from local.platform.resource_change_planning import ResourceAction, list_changed_outputs, plan_change
from local.platform.state import PlatformState
from local.preview.preview_provider import PreviewProvider
from local.preview.program_run import run_program
from local.preview.resource_graph import Resource
from local.preview.stack_files import StackConfig
from local.property_values import Props


@dataclass(frozen=True)
class PlannedStep:
    """The action that `make up` would take on one resource."""

    urn: str
    action: ResourceAction


class PlanningProvider:
    """Provider for one preview run of the program. It plans the action on each resource, and creates nothing.

    If a resource would be created or replaced, its outputs are unknown to the other resources, as in a real preview.
    """

    def __init__(self, state: PlatformState, drivers: Drivers = ALL_DRIVERS) -> None:
        self._state = state
        self._drivers = drivers
        self._actions: dict[str, ResourceAction] = {}
        self._replaced_urns: set[str] = set()
        """Resources that would be replaced because their inputs refer to a replaced resource."""
        self.call = PreviewProvider().call
        """Method that answers the program's calls of provider functions, for example `getRegion`."""

    def list_steps(self, config: StackConfig) -> list[PlannedStep]:
        """Run the program. Return the actions on its resources in the order of their registration.

        The deletions of resources that the program no longer contains follow.
        """
        graph = run_program(config, self, preview=True).graph
        gone = self._state.deletion_order(self._state.entries().keys() - {resource.urn for resource in graph})
        return [
            *(PlannedStep(resource.urn, self._actions[resource.urn]) for resource in graph.customs()),
            *(PlannedStep(urn, ResourceAction.DELETE) for urn in gone),
        ]

    def make(self, resource: Resource) -> tuple[str, Props]:
        """Plan the action on a registered resource. Return its id and the outputs that would not change."""
        entry = self._state.get(resource.urn)
        hashes = self._state.hash_inputs(resource.inputs)
        driver = self._drivers[resource.type]
        change = plan_change(driver, resource, entry, hashes)
        action = ResourceAction.REPLACE if resource.urn in self._replaced_urns else change.action
        self._actions[resource.urn] = action
        if action is ResourceAction.REPLACE:
            self._replaced_urns |= self._state.find_dependants(resource.urn)
        if entry is None or action in {ResourceAction.CREATE, ResourceAction.REPLACE}:
            return "", {}
        changed_outputs = list_changed_outputs(driver, change)
        return entry.id, {name: value for name, value in entry.outputs.items() if name not in changed_outputs}
