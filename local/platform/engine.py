"""Engine of the local platform, which deploys the program's resources to the emulator.

It takes the place of Pulumi's engine. When `make up` runs the program, the Pulumi SDK passes each resource to the engine,
in a thread, as soon as everything that the resource depends on exists. The engine compares its inputs with those of the
last run (`state.py`), and lets the deployer make the necessary service calls (`deployer.py`).
"""

import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from local.drivers import ALL_DRIVERS, Driver, Drivers, describe_missing_drivers
from local.drivers.model import ResourceValues
from local.platform.deployer import (
    DEPLOYMENT_ERRORS,
    Action,
    Change,
    Deployer,
    describe_failure,
    list_changed_inputs,
    plan_change,
    to_comparable,
)
from local.platform.emulator_clients import ClientFactory
from local.platform.progress import Progress
from local.platform.state import PlatformState, ResourceEntry
from local.preview.handler_check import find_handler_faults
from local.preview.preview_provider import PreviewProvider
from local.preview.resource_graph import Graph, Resource
from local.property_values import Props


class ResourceFailed(Exception):
    """A resource could not be created, changed or deleted."""

    def __init__(self, urn: str, message: str) -> None:
        super().__init__(f"{urn}: {message}")
        self.urn = urn
        self.message = message


class Engine:
    """Provider that creates and changes the program's resources on the emulator when `make up` runs the program.

    The run of the program (`program_run.py`) calls `call` and `make`. The engine changes the state in memory, and its
    caller writes the state when the run has ended.
    """

    def __init__(
        self, clients: ClientFactory, state: PlatformState, progress: Progress, drivers: Drivers = ALL_DRIVERS
    ) -> None:
        self._deployer = Deployer(clients)
        self._state = state
        self._progress = progress
        self._drivers = drivers
        self._replacement_lock = threading.Lock()
        """Lock for the deletions of a replacement. Two threads could otherwise delete the same dependant."""
        self._stopped = threading.Event()
        """Set by `stop`."""
        self._replaced_urns: set[str] = set()
        """Resources that this run has deleted for a replacement: the replaced resources and their dependants. If the
        program registers one of them afterwards, its creation is reported as a replacement."""
        self.call = PreviewProvider().call
        """Method that answers the program's calls of provider functions, for example `getRegion`."""
        self.failures: list[ResourceFailed] = []
        """All failures of the run, in the order in which they occurred."""

    def stop(self) -> None:
        """Let `make` refuse further resources, after Ctrl-C. Work in progress is finished and recorded."""
        self._stopped.set()

    def make(self, resource: Resource) -> tuple[str, Props]:
        """Create, change or replace a resource, or leave it as it is. Return its id and outputs.

        Raise ResourceFailed if this is not possible, or InterruptedError after `stop`.
        """
        if self._stopped.is_set():
            raise InterruptedError(f"not started, because the run was interrupted: {resource.urn}")
        driver = self._find_driver(resource.urn, resource.type)
        if unhandled := driver.unhandled_inputs(resource.inputs):
            raise self._report_failure(
                resource.urn,
                f"the driver of {resource.type} does not use {', '.join(unhandled)}: add it to a call or to `ignored`",
            )
        entry = self._state.entries.get(resource.urn)
        change = _plan(driver, resource, entry)
        if entry is not None and change.action is Action.SAME:
            self._progress.on_finish(resource.urn, Action.SAME, 0)
            return entry.id, entry.outputs
        # A function is not deployed if its code cannot start. Other resources have no such faults.
        if faults := find_handler_faults([resource]):
            raise self._report_failure(resource.urn, "; ".join(map(str, faults)))
        action = Action.REPLACE if resource.urn in self._replaced_urns else change.action
        with self._report_step(resource.urn, action):
            if change.action is Action.REPLACE:
                with self._replacement_lock:
                    self._delete_with_dependants(resource.urn)
                entry = None
            if entry is None:
                return self._create(driver, resource)
            return self._update(driver, resource, entry, change)

    def delete_gone(self, graph: Graph) -> None:
        """Delete the resources that are no longer part of the program."""
        self.delete(self._state.entries.keys() - {resource.urn for resource in graph})

    def delete(self, urns: Iterable[str]) -> None:
        """Delete resources, each before the resources that it depends on.

        After a failure, continue with the next resource. The failed resource stays in the state.
        """
        for urn in self._state.deletion_order(set(urns)):
            try:
                with self._report_step(urn, Action.DELETE):
                    self._delete(urn)
            except ResourceFailed:
                continue

    def _create(self, driver: Driver, resource: Resource) -> tuple[str, Props]:
        """Create a resource. If a call fails after the first one has succeeded, record the incomplete resource."""
        values = ResourceValues(resource.inputs)
        try:
            self._deployer.create(driver, resource.name, values)
        except Exception:
            if values.responses:
                self._state.entries[resource.urn] = _to_entry(resource, values, incomplete=True)
            raise
        self._state.entries[resource.urn] = _to_entry(resource, values)
        return values.id, values.outputs

    def _update(self, driver: Driver, resource: Resource, entry: ResourceEntry, change: Change) -> tuple[str, Props]:
        """Change a resource. If a call fails, the next run sets the inputs again, even if they have their old values."""
        values = ResourceValues(resource.inputs, entry.id, dict(entry.outputs))
        try:
            self._deployer.update(driver, values, change)
        except Exception:
            self._state.entries[resource.urn] = replace(entry, pending=tuple(sorted(change.changed)))
            raise
        self._state.entries[resource.urn] = _to_entry(resource, values)
        return values.id, values.outputs

    def _delete_with_dependants(self, urn: str) -> None:
        """Delete a resource and its dependants, which are the resources whose inputs refer to it. Dependants come first.

        Their entries are deleted, too. So if the program registers a dependant later in this run, it is created again.
        """
        for dependant in self._state.deletion_order({urn, *self._state.find_dependants(urn)}):
            self._delete(dependant)
            self._replaced_urns.add(dependant)

    def _delete(self, urn: str) -> None:
        """Delete a resource and its entry. After a failure, the entry shows that the deletion may be incomplete."""
        entry = self._state.entries.get(urn)
        if entry is None:
            return
        driver = self._find_driver(urn, entry.type)
        try:
            self._deployer.delete(driver, ResourceValues(entry.inputs, entry.id, entry.outputs))
        except Exception:
            self._state.entries[urn] = replace(entry, incomplete=True)
            raise
        del self._state.entries[urn]

    def _find_driver(self, urn: str, kind: str) -> Driver:
        driver = self._drivers.get(kind)
        if driver is None:
            raise self._report_failure(urn, describe_missing_drivers([kind]))
        return driver

    @contextmanager
    def _report_step(self, urn: str, action: Action) -> Iterator[None]:
        """Report the progress of work on a resource. Turn each of the `DEPLOYMENT_ERRORS` into a ResourceFailed."""
        start = time.monotonic()
        try:
            yield
        except DEPLOYMENT_ERRORS as error:
            raise self._report_failure(urn, describe_failure(error)) from error
        self._progress.on_finish(urn, action, time.monotonic() - start)

    def _report_failure(self, urn: str, message: str) -> ResourceFailed:
        failure = ResourceFailed(urn, message)
        self.failures.append(failure)
        self._progress.on_failure(urn, message)
        return failure


def _plan(driver: Driver, resource: Resource, entry: ResourceEntry | None) -> Change:
    """Return the change that a resource needs. `entry` is its last known state, or None for a new resource."""
    if entry is None:
        return Change(Action.CREATE)
    if entry.incomplete:
        return Change(Action.REPLACE)
    changed = list_changed_inputs(entry.inputs, to_comparable(resource.inputs)) | set(entry.pending)
    return plan_change(driver, resource.inputs, changed - set(resource.request.ignoreChanges))


def _to_entry(resource: Resource, values: ResourceValues, *, incomplete: bool = False) -> ResourceEntry:
    return ResourceEntry(
        type=resource.type,
        id=values.id,
        inputs=to_comparable(resource.inputs),
        outputs=values.outputs,
        depends_on=tuple(sorted(resource.depends_on)),
        inputs_from=tuple(sorted(resource.property_dependencies)),
        incomplete=incomplete,
    )
