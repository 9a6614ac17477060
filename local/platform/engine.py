"""Engine of the local platform: creates, changes and deletes the program's resources on the emulator.

It takes the place of Pulumi's engine and AWS provider. The Pulumi SDK determines order and concurrency: it registers a
resource, in a thread, when everything that the resource depends on exists. For each resource, the engine plans the
change and makes the service calls that the driver of the resource's type lists. It saves the state of each resource
before and after its calls, so a run may end at any point: the next run knows which resources may be incomplete.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from local.platform.driver_model.driver import ResourceValues
from local.platform.emulator_clients import Clients
from local.platform.progress import Progress
from local.platform.resource_change_planning import ResourceAction, ResourceChange, plan_change
from local.platform.resource_drivers import ALL_DRIVERS, Driver, Drivers, RecordedOnly, describe_missing_drivers
from local.platform.resource_operations import (
    OPERATION_ERRORS,
    ResourceOperations,
    describe_failure,
    is_emptied,
    list_deletion_calls,
    list_map_keys,
)
from local.platform.state import PlatformState, ResourceEntry, ResourceStatus
from local.preview.property_values import Props
from local.preview.resource_graph import Graph, Resource


class ResourceFailed(Exception):
    """A resource could not be created, changed or deleted."""

    def __init__(self, urn: str, message: str) -> None:
        super().__init__(f"{urn}: {message}")
        self.urn = urn
        self.message = message


class Engine:
    """Creates, changes and deletes the resources that the program registers when `make up` runs it. For `make down`, it
    deletes all resources.
    """

    def __init__(
        self, clients: Clients, state: PlatformState, progress: Progress, drivers: Drivers = ALL_DRIVERS
    ) -> None:
        self._operations = ResourceOperations(clients)
        self._state = state
        self._progress = progress
        self._drivers = drivers
        self._replacement_lock = threading.Lock()
        """Held while a resource and its dependants are deleted, so that only one thread deletes for a replacement."""
        self._stopped = threading.Event()
        """Set if no further resource may be started."""
        self._replaced_urns: set[str] = set()
        """Resources that were deleted because a resource that they refer to is replaced, until they are created again."""
        self.call = self._operations.call_function
        self.failures: list[ResourceFailed] = []
        """All failures of the run, in the order in which they occurred."""

    def stop(self) -> None:
        """Start no further resource. Steps in progress are finished, so that the state file contains their results."""
        self._stopped.set()

    def make(self, resource: Resource) -> tuple[str, Props]:
        """Create or change a resource, or leave it as it is. Return its id and outputs."""
        if self._stopped.is_set():
            raise InterruptedError(f"not started, because the run was interrupted: {resource.urn}")
        driver = self._drivers.get(resource.type)
        if driver is None:
            raise self._report_failure(resource.urn, describe_missing_drivers([resource.type]))
        if missing := sorted(_find_missing_values(resource)):
            raise self._report_failure(
                resource.urn,
                f"{', '.join(missing)} has no value: the driver of the resource that it refers to does not return this output",
            )
        if isinstance(driver, Driver) and (unhandled := driver.unhandled_inputs(resource.inputs)):
            raise self._report_failure(
                resource.urn, f"the driver of {resource.type} does not use {', '.join(unhandled)}"
            )
        hashes = self._state.hash_inputs(resource.inputs)
        entry = self._state.get(resource.urn)
        change = plan_change(driver, resource, entry, hashes)
        if entry is not None and change.action is ResourceAction.SAME:
            self._progress.on_finish(resource.urn, ResourceAction.SAME, 0)
            return entry.id, entry.outputs
        action = ResourceAction.REPLACE if resource.urn in self._replaced_urns else change.action
        with self._report_step(resource.urn, action):
            if entry is not None and change.action is ResourceAction.REPLACE:
                with self._replacement_lock:
                    self._delete_with_dependants(resource.urn)
                entry = None
            return self._create_or_update(driver, resource, entry, hashes, change)

    def delete_gone(self, graph: Graph) -> None:
        """Delete the resources that are no longer part of the program."""
        self.delete({urn for urn in self._state.entries() if urn not in {resource.urn for resource in graph}})

    def delete(self, urns: set[str]) -> None:
        """Delete resources, dependants first. A resource that cannot be deleted stays in the state, and the next one is
        deleted.
        """
        for urn in self._state.deletion_order(urns):
            try:
                with self._report_step(urn, ResourceAction.DELETE):
                    self._delete(urn)
            except ResourceFailed:
                continue

    def delete_all(self) -> None:
        """Delete all resources, dependants first. A resource that cannot be deleted stays in the state."""
        self._state.start_removal()
        self.delete(set(self._state.entries()))

    def _create_or_update(
        self,
        driver: Driver | RecordedOnly,
        resource: Resource,
        entry: ResourceEntry | None,
        hashes: dict[str, str],
        change: ResourceChange,
    ) -> tuple[str, Props]:
        """Create a resource that has no entry, or update it. Return its id and outputs.

        If the creation fails before a call has succeeded, the resource does not exist, so its entry is removed. If it
        fails later, the entry becomes `BROKEN`, and the next run replaces the resource. An update first removes the
        hashes of the changed inputs from the entry. So if it fails or the process is killed, the next run updates the
        resource again, whether the program then has the new inputs or the old ones.
        """
        values = ResourceValues(resource.inputs, entry.id if entry else "", dict(entry.outputs) if entry else {})
        if entry is not None:
            self._state.put(resource.urn, _to_updating_entry(entry, change, resource))
            self._operations.update(driver, values, change, entry.keys)
        else:
            self._state.put(resource.urn, _to_entry(resource, hashes, values, ResourceStatus.MAKING, driver))
            try:
                self._operations.create(driver, resource.name, values)
            except Exception:
                if values.responses:
                    self._state.put(resource.urn, _to_entry(resource, hashes, values, ResourceStatus.BROKEN, driver))
                else:
                    self._state.drop(resource.urn)
                raise
        self._state.put(resource.urn, _to_entry(resource, hashes, values, ResourceStatus.MADE, driver))
        return values.id, values.outputs

    def _delete_with_dependants(self, urn: str) -> None:
        """Delete a resource and the resources whose inputs refer to it, dependants first.

        The entries of the dependants are deleted too. So the engine creates a dependant again when the program
        registers it later in the same run.
        """
        urns = {urn, *self._state.find_dependants(urn)}
        for dependant in self._state.deletion_order(urns):
            self._delete(dependant)
            self._replaced_urns.add(dependant)

    def _delete(self, urn: str) -> None:
        """Delete a resource with the calls in its entry, and then the entry.

        A resource that is already gone is no error. After a failure, the entry is `BROKEN`, because a part of the resource
        may be gone.
        """
        entry = self._state.get(urn)
        if entry is None:
            return
        self._state.put(urn, replace(entry, status=ResourceStatus.DELETING))
        try:
            self._operations.delete(self._drivers.get(entry.type), entry.deletion, emptied=entry.emptied)
        except BaseException:
            self._state.put(urn, replace(entry, status=ResourceStatus.BROKEN))
            raise
        self._state.drop(urn)

    @contextmanager
    def _report_step(self, urn: str, action: ResourceAction) -> Iterator[None]:
        """Report the step's progress, and turn every expected exception into one error that names the resource."""
        self._progress.on_start(urn, action)
        start = time.monotonic()
        try:
            yield
        except OPERATION_ERRORS as error:
            raise self._report_failure(urn, describe_failure(error)) from error
        self._progress.on_finish(urn, action, time.monotonic() - start)

    def _report_failure(self, urn: str, message: str) -> ResourceFailed:
        failure = ResourceFailed(urn, message)
        self.failures.append(failure)
        self._progress.on_failure(urn, message)
        return failure


def _to_entry(
    resource: Resource,
    hashes: dict[str, str],
    values: ResourceValues,
    status: ResourceStatus,
    driver: Driver | RecordedOnly,
) -> ResourceEntry:
    return ResourceEntry(
        type=resource.type,
        status=status,
        inputs=hashes,
        keys=list_map_keys(resource.inputs),
        id=values.id,
        outputs=values.outputs,
        depends_on=tuple(sorted(resource.depends_on)),
        made_of=tuple(sorted(resource.property_dependencies)),
        deletion=list_deletion_calls(driver, values),
        emptied=is_emptied(driver, resource.inputs),
    )


def _to_updating_entry(entry: ResourceEntry, change: ResourceChange, resource: Resource) -> ResourceEntry:
    """Return the entry of a resource during an update: without the hashes of the properties that the update changes, and
    with the old and the new keys of maps, because a part of the update may already have been made.
    """
    keys = {name: sorted({*entry.keys.get(name, ()), *new}) for name, new in list_map_keys(resource.inputs).items()}
    return replace(entry, inputs={**entry.inputs, **dict.fromkeys(change.changed, "")}, keys={**entry.keys, **keys})


def _find_missing_values(resource: Resource) -> Iterator[str]:
    """Yield the names of list inputs in which a value from another resource is missing.

    If the missing value is the whole input, the SDK omits the input, so that case cannot be detected here.
    """
    for name, dependencies in resource.request.propertyDependencies.items():
        value = resource.inputs.get(name)
        if dependencies.urns and isinstance(value, list) and None in value:
            yield name
