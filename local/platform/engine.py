"""Engine of the local platform: creates, changes and deletes the program's resources on the emulator.

It takes the place of Pulumi's engine and AWS provider. When `make up` runs the program, the Pulumi SDK passes each
resource to the engine, in a thread, as soon as everything that the resource depends on exists. The engine plans the
change of the resource (`resource_change_planning.py`) and makes the service calls that the driver of the resource's type
lists (`local/drivers/model.py`). It saves the resource's entry in the state file (`state.py`) before and after the calls.
So if a run is killed at any point, the next run knows which resources may be incomplete.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from local.drivers import ALL_DRIVERS, Driver, Drivers, describe_missing_drivers
from local.drivers.model import ResourceValues
from local.platform.emulator_clients import Clients
from local.platform.progress import Progress
from local.platform.resource_change_planning import ResourceAction, ResourceChange, plan_change
from local.platform.resource_operations import (
    OPERATION_ERRORS,
    ResourceOperations,
    describe_failure,
    list_deletion_calls,
    permits_content_deletion,
)
from local.platform.state import NO_HASH, PlatformState, ResourceEntry, ResourceStatus
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

    It also deletes resources: after a run those that the program no longer contains, and for `make down` all of them.
    """

    def __init__(
        self, clients: Clients, state: PlatformState, progress: Progress, drivers: Drivers = ALL_DRIVERS
    ) -> None:
        self._operations = ResourceOperations(clients)
        self._state = state
        self._progress = progress
        self._drivers = drivers
        self._replacement_lock = threading.Lock()
        """Lock for the deletions of a replacement. Two threads could otherwise delete the same dependant."""
        self._stopped = threading.Event()
        """Set after Ctrl-C. No further resource is then created or changed."""
        self._replaced_urns: set[str] = set()
        """Resources that this run has deleted for a replacement: the replaced ones and their dependants. If the program
        registers one of them afterwards, its creation is reported as a replacement."""
        self.call = PreviewProvider().call
        """Method that answers the program's calls of provider functions, for example `getRegion`."""
        self.failures: list[ResourceFailed] = []
        """All failures of the run, in the order in which they occurred."""

    def stop(self) -> None:
        """Create or change no further resource, after Ctrl-C. Work in progress is finished and recorded."""
        self._stopped.set()

    def make(self, resource: Resource) -> tuple[str, Props]:
        """Create, change or replace a resource, or leave it as it is. Return its id and outputs.

        Raise ResourceFailed if this is not possible, or InterruptedError after `stop`.
        """
        if self._stopped.is_set():
            raise InterruptedError(f"not started, because the run was interrupted: {resource.urn}")
        driver = self._drivers.get(resource.type)
        if driver is None:
            raise self._report_failure(resource.urn, describe_missing_drivers([resource.type]))
        if missing := sorted(_find_missing_values(resource)):
            raise self._report_failure(
                resource.urn,
                f"{', '.join(missing)} contains no value: it refers to an output that the other resource's driver does not "
                "return. Add the output to that driver.",
            )
        if unhandled := driver.unhandled_inputs(resource.inputs):
            raise self._report_failure(
                resource.urn,
                f"the driver of {resource.type} does not use {', '.join(unhandled)}: add it to a call or to `ignored`",
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
        """Delete resources, each before the resources that it depends on.

        After a failure, continue with the next resource. The failed resource stays in the state.
        """
        for urn in self._state.deletion_order(urns):
            try:
                with self._report_step(urn, ResourceAction.DELETE):
                    self._delete(urn)
            except ResourceFailed:
                continue

    def delete_all(self) -> None:
        """Delete all resources, for `make down`."""
        self._state.start_removal()
        self.delete(set(self._state.entries()))

    def _create_or_update(
        self,
        driver: Driver,
        resource: Resource,
        entry: ResourceEntry | None,
        hashes: dict[str, str],
        change: ResourceChange,
    ) -> tuple[str, Props]:
        """Create a resource that has no entry, or update it. Return its id and outputs.

        If a creation fails before its first call has succeeded, the resource does not exist, so its entry is removed. If
        it fails later, the entry becomes `BROKEN`, and the next run replaces the resource.

        An update first removes the hashes of the changed inputs from the entry. If the update then fails or is killed,
        the next run sets these inputs again, even if the program has their old values again.
        """
        values = ResourceValues(resource.inputs, entry.id if entry else "", dict(entry.outputs) if entry else {})
        if entry is not None:
            self._state.put(resource.urn, _to_updating_entry(entry, change))
            self._operations.update(driver, values, change)
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
        """Delete a resource and its dependants, which are the resources whose inputs refer to it. Dependants come first.

        Their entries are deleted, too. So if the program registers a dependant later in this run, it is created again.
        """
        urns = {urn, *self._state.find_dependants(urn)}
        for dependant in self._state.deletion_order(urns):
            self._delete(dependant)
            self._replaced_urns.add(dependant)

    def _delete(self, urn: str) -> None:
        """Delete a resource with the calls in its entry, and then the entry.

        A missing resource is no error. After a failure, the entry is `BROKEN`, because the deletion may be incomplete.
        """
        entry = self._state.get(urn)
        if entry is None:
            return
        self._state.put(urn, replace(entry, status=ResourceStatus.DELETING))
        try:
            self._operations.delete(self._drivers.get(entry.type), entry.deletion, empty_first=entry.emptied)
        except BaseException:
            self._state.put(urn, replace(entry, status=ResourceStatus.BROKEN))
            raise
        self._state.drop(urn)

    @contextmanager
    def _report_step(self, urn: str, action: ResourceAction) -> Iterator[None]:
        """Report the progress of work on a resource. Turn each of the `OPERATION_ERRORS` into a ResourceFailed."""
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
    driver: Driver,
) -> ResourceEntry:
    return ResourceEntry(
        type=resource.type,
        status=status,
        inputs=hashes,
        id=values.id,
        outputs=values.outputs,
        depends_on=tuple(sorted(resource.depends_on)),
        made_of=tuple(sorted(resource.property_dependencies)),
        deletion=list_deletion_calls(driver, values),
        emptied=permits_content_deletion(driver, resource.inputs),
    )


def _to_updating_entry(entry: ResourceEntry, change: ResourceChange) -> ResourceEntry:
    """Return the entry of a resource for the time of an update. The changed properties have no hashes."""
    return replace(entry, inputs={**entry.inputs, **dict.fromkeys(change.changed, NO_HASH)})


def _find_missing_values(resource: Resource) -> Iterator[str]:
    """Yield the names of list inputs in which an output of another resource has no value.

    An input that is a single output without a value cannot be detected, because the SDK omits the input.
    """
    for name, dependencies in resource.request.propertyDependencies.items():
        value = resource.inputs.get(name)
        if dependencies.urns and isinstance(value, list) and None in value:
            yield name
