"""Engine of the local platform: creates, changes and deletes the program's resources on the emulator.

It takes the place of Pulumi's engine and AWS provider. The Pulumi SDK determines order and concurrency: it registers a
resource, in a thread, when everything that the resource depends on exists. For each resource, the engine plans the
change and makes the service calls that the driver of the resource's type lists. It saves the state of each resource
before and after its calls, so a run may end at any point: the next run knows which resources may be incomplete.
"""

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from local.platform.driver_model.driver import (
    AwaitedState,
    ComputedValue,
    DriverCall,
    ResourceValues,
    Source,
    value_at_path,
)
from local.platform.driver_model.service_calls import call_service, is_not_found
from local.platform.driver_model.service_shapes import ShapeMismatch, build_parameters, find_violations, input_shape
from local.platform.driver_model.untag_calls import adds_tags, make_untag_call, tags_property
from local.platform.emulator_clients import Clients
from local.platform.progress import Progress
from local.platform.resource_change_planning import ResourceAction, ResourceChange, plan_change
from local.platform.resource_drivers import DRIVERS, RECORDED_ONLY, Driver, RecordedOnly
from local.platform.state import DeletionCall, PlatformState, ResourceEntry, ResourceStatus
from local.preview.preview_provider import REGION
from local.preview.property_values import UNKNOWN, Props, Unknown, reveal_secrets
from local.preview.resource_graph import Graph, Resource

MAX_WAIT_SECONDS = 30
"""Maximum time of waiting for a state (`AwaitedState`)."""
POLL_SECONDS = 0.05
"""Interval between two checks of that state."""

Drivers = Mapping[str, Driver | RecordedOnly]
"""Drivers by resource type. A recorded-only type is checked and kept in the state, but not created."""
ALL_DRIVERS: Drivers = {**DRIVERS, **RECORDED_ONLY}
"""Drivers of the program's resource types. Tests use others."""


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
        self._clients = clients
        self._state = state
        self._progress = progress
        self._drivers = drivers
        self._replacement_lock = threading.Lock()
        """Held while a resource and its dependants are deleted, so that only one thread deletes for a replacement."""
        self._stopped = threading.Event()
        """Set if no further resource may be started."""
        self.failures: list[ResourceFailed] = []
        """All failures of the run, in the order in which they occurred."""

    def stop(self) -> None:
        """Start no further resource. Steps in progress are finished, so that the state file contains their results."""
        self._stopped.set()

    def call(self, token: str, arguments: Props) -> Props:
        """Return the result of one of the program's provider functions, from the emulator."""
        match token:
            case "aws:index/getCallerIdentity:getCallerIdentity":
                caller = self._clients("sts").get_caller_identity()
                return {
                    "accountId": caller["Account"],
                    "arn": caller["Arn"],
                    "id": caller["Account"],
                    "userId": caller["UserId"],
                }
            case "aws:index/getRegion:getRegion":
                return {"id": REGION, "region": REGION, "name": REGION, "description": REGION}
        raise NotImplementedError(f"the local platform does not implement the function {token}({', '.join(arguments)})")

    def make(self, resource: Resource) -> tuple[str, Props]:
        """Create or change a resource, or leave it as it is. Return its id and outputs."""
        if self._stopped.is_set():
            raise InterruptedError(f"not started, because the run was interrupted: {resource.urn}")
        driver = self._drivers.get(resource.type)
        if driver is None:
            raise self._report_failure(
                resource.urn, f"no driver for {resource.type}: add one in local/platform/resource_drivers/"
            )
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
        with self._report_step(resource.urn, change.action):
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
        if isinstance(driver, RecordedOnly):
            values.id = f"recorded-{resource.name}"
            values.outputs = {
                name: value
                for name, source in driver.outputs.items()
                if (value := _resolve(source, values)) is not UNKNOWN
            }
            self._state.put(resource.urn, self._to_entry(resource, hashes, values, ResourceStatus.MADE))
            return values.id, values.outputs
        if entry is None:
            self._state.put(resource.urn, self._to_entry(resource, hashes, values, ResourceStatus.MAKING))
        else:
            self._state.put(resource.urn, _to_updating_entry(entry, change, resource))
        calls = change.calls if entry else driver.create
        finished_calls = 0
        try:
            for call in calls:
                if entry is not None and adds_tags(call):
                    self._untag(driver, call, values, entry)
                if call.is_needed(values):
                    self._call(driver, call, values)
                    finished_calls += 1
                    self._read_responses(driver, values)
            self._apply_import(driver, values, change)
        except Exception:
            if entry is None and finished_calls:
                self._state.put(resource.urn, self._to_entry(resource, hashes, values, ResourceStatus.BROKEN, driver))
            elif entry is None:
                self._state.drop(resource.urn)
            raise
        self._read_responses(driver, values)
        self._state.put(resource.urn, self._to_entry(resource, hashes, values, ResourceStatus.MADE, driver))
        return values.id, values.outputs

    def _call(self, driver: Driver, call: DriverCall, values: ResourceValues) -> None:
        """Check a call's parameters, make the call, store its response, and wait for the state in `until`, if any."""
        client = self._clients(driver.service)
        parameters = build_parameters(driver, call, values)
        for violation in find_violations(parameters, input_shape(driver, call), call.operation):
            # The emulator may accept a request that AWS would refuse.
            raise ShapeMismatch(f"{violation.path} {violation.rule}")
        values.endpoint = getattr(getattr(client, "meta", None), "endpoint_url", "")
        values.responses[call.operation] = call_service(client, call.operation, parameters)
        if call.until is not None:
            self._wait_for_state(driver, call.until, values)

    def _apply_import(self, driver: Driver, values: ResourceValues, change: ResourceChange) -> None:
        """Import the document of the driver's `property_import`, if the document is new or has changed."""
        importer = driver.property_import
        if importer is None or values[importer.property] is None:
            return
        if change.action is not ResourceAction.UPDATE or importer.property in change.changed:
            importer.apply(self._clients(driver.service), values.id, reveal_secrets(values[importer.property]))

    def _untag(self, driver: Driver, call: DriverCall, values: ResourceValues, entry: ResourceEntry) -> None:
        """Remove the tags that the program no longer contains. `call` is the call that adds tags."""
        name = tags_property(call)
        removing = make_untag_call(driver, call, entry.keys.get(name, ()), list(values[name] or ()))
        if removing is not None:
            self._call(driver, removing, values)

    def _wait_for_state(self, driver: Driver, until: AwaitedState, values: ResourceValues) -> None:
        client = self._clients(driver.service)
        parameters = build_parameters(driver, DriverCall(until.operation, until.params), values)
        deadline = time.monotonic() + MAX_WAIT_SECONDS
        while (value := value_at_path(call_service(client, until.operation, parameters), until.path)) != until.expected:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{until.path} is still {value} after {MAX_WAIT_SECONDS} s, not {until.expected}")
            time.sleep(POLL_SECONDS)

    @staticmethod
    def _read_responses(driver: Driver, values: ResourceValues) -> None:
        """Set the id and the outputs from the responses so far. Values that no response contains stay as they were."""
        for name, source in driver.outputs.items():
            if (value := _resolve(source, values)) is not UNKNOWN:
                values.outputs[name] = value
        if not values.id and (value := _resolve(driver.id, values)) is not UNKNOWN:
            values.id = str(value)

    @staticmethod
    def _to_entry(
        resource: Resource,
        hashes: dict[str, str],
        values: ResourceValues,
        status: ResourceStatus,
        driver: Driver | None = None,
    ) -> ResourceEntry:
        return ResourceEntry(
            type=resource.type,
            status=status,
            inputs=hashes,
            keys={name: sorted(value) for name, value in resource.inputs.items() if isinstance(value, Mapping)},
            id=values.id,
            outputs=values.outputs,
            depends_on=tuple(sorted(resource.depends_on)),
            made_of=tuple(sorted(resource.property_dependencies)),
            deletion=tuple(
                DeletionCall(driver.service, call.operation, build_parameters(driver, call, values))
                for call in driver.delete
                if values.id
            )
            if driver
            else (),
            emptied=bool(driver and driver.content_deletion and resource.inputs.get(driver.content_deletion.when)),
        )

    def _delete_with_dependants(self, urn: str) -> None:
        """Delete a resource and the resources whose inputs refer to it, dependants first.

        The entries of the dependants are deleted too. So the engine creates a dependant again when the program
        registers it later in the same run.
        """
        urns = {urn, *self._state.find_dependants(urn)}
        for dependant in self._state.deletion_order(urns):
            self._delete(dependant)

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
            self._call_deletions(entry)
        except BaseException:
            self._state.put(urn, replace(entry, status=ResourceStatus.BROKEN))
            raise
        self._state.drop(urn)

    def _call_deletions(self, entry: ResourceEntry) -> None:
        for index, deletion in enumerate(entry.deletion):
            client = self._clients(deletion.service)
            driver = self._drivers.get(entry.type)
            try:
                if index == 0 and entry.emptied and isinstance(driver, Driver) and driver.content_deletion is not None:
                    driver.content_deletion.delete(client, deletion.params)
                call_service(client, deletion.operation, deletion.params)
            except ClientError as error:
                if not is_not_found(error):
                    raise

    @contextmanager
    def _report_step(self, urn: str, action: ResourceAction) -> Iterator[None]:
        """Report the step's progress, and turn every expected exception into one error that names the resource."""
        self._progress.on_start(urn, action)
        start = time.monotonic()
        try:
            yield
        except ClientError as error:
            details = error.response.get("Error", {})
            raise self._report_failure(
                urn, f"{error.operation_name}: {details.get('Code')}: {details.get('Message')}"
            ) from error
        except (BotoCoreError, ShapeMismatch, TimeoutError, OSError) as error:
            raise self._report_failure(urn, str(error)) from error
        self._progress.on_finish(urn, action, time.monotonic() - start)

    def _report_failure(self, urn: str, message: str) -> ResourceFailed:
        failure = ResourceFailed(urn, message)
        self.failures.append(failure)
        self._progress.on_failure(urn, message)
        return failure


def _to_updating_entry(entry: ResourceEntry, change: ResourceChange, resource: Resource) -> ResourceEntry:
    """Return the entry of a resource during an update: without the hashes of the properties that the update changes, and
    with the old and the new keys of maps, because a part of the update may already have been made.
    """
    keys = {
        name: sorted({*entry.keys.get(name, ()), *value})
        for name, value in resource.inputs.items()
        if isinstance(value, Mapping)
    }
    return replace(entry, inputs={**entry.inputs, **dict.fromkeys(change.changed, "")}, keys={**entry.keys, **keys})


def _resolve(source: Source, values: ResourceValues) -> Any | Unknown:
    """Return the value of a source, or UNKNOWN if it has none."""
    value = source.compute(values) if isinstance(source, ComputedValue) else values[source]
    return UNKNOWN if value is None else value


def _find_missing_values(resource: Resource) -> Iterator[str]:
    """Yield the names of list inputs in which a value from another resource is missing.

    If the missing value is the whole input, the SDK omits the input, so that case cannot be detected here.
    """
    for name, dependencies in resource.request.propertyDependencies.items():
        value = resource.inputs.get(name)
        if dependencies.urns and isinstance(value, list) and None in value:
            yield name
