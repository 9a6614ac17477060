"""Makes the program's resources on the emulator, and changes only what changed.

The SDK asks for each resource once all that it comes from is made, in threads, so order and concurrency are its. For
each this decides what is needed, makes the calls of the type's driver, and writes down what is known before the next
step, so that a run may end at any point.
"""

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from botocore import xform_name
from botocore.exceptions import BotoCoreError, ClientError

from local.platform.drivers import DRIVERS, RECORDED_ONLY, Driver, RecordedOnly
from local.platform.drivers.model import AwaitedState, ComputedValue, DriverCall, ResourceValues, Source
from local.platform.drivers.service_shapes import ShapeMismatch, build_parameters, find_violations, input_shape
from local.platform.drivers.untagging import adds_tags, make_untag_call, tags_property
from local.platform.emulator_clients import Clients
from local.platform.progress import Progress
from local.platform.resource_changes import ResourceAction, ResourceChange, plan_change
from local.platform.state import DeletionCall, PlatformState, ResourceEntry, ResourceStatus
from local.preview.preview_provider import REGION
from local.preview.property_values import UNKNOWN, Props, Unknown, revealed
from local.preview.resource_graph import Graph, Resource

SETTLE_SECONDS = 30
POLL_SECONDS = 0.05
GONE = ("NotFound", "NoSuch", "NonExistent", "DoesNotExist")
"""How services say that something is not there (any more)."""

Drivers = Mapping[str, Driver | RecordedOnly]
ALL_DRIVERS: Drivers = {**DRIVERS, **RECORDED_ONLY}


class ResourceFailed(Exception):
    """A resource could not be made, changed or deleted."""

    def __init__(self, urn: str, message: str) -> None:
        super().__init__(f"{urn}: {message}")
        self.urn = urn
        self.message = message


class Engine:
    """The provider that `up` runs the program against."""

    def __init__(
        self, clients: Clients, state: PlatformState, progress: Progress, drivers: Drivers = ALL_DRIVERS
    ) -> None:
        self._clients = clients
        self._state = state
        self._progress = progress
        self._drivers = drivers
        self._replacing = threading.Lock()
        self._stopped = threading.Event()
        self.failures: list[ResourceFailed] = []

    def stop(self) -> None:
        """Begins nothing more; what is under way is finished, so that the state knows it."""
        self._stopped.set()

    def call(self, token: str, arguments: Props) -> Props:
        """Answers the program's questions from the emulator itself."""
        match token:
            case "aws:index/getCallerIdentity:getCallerIdentity":
                who = self._clients("sts").get_caller_identity()
                return {"accountId": who["Account"], "arn": who["Arn"], "id": who["Account"], "userId": who["UserId"]}
            case "aws:index/getRegion:getRegion":
                return {"id": REGION, "region": REGION, "name": REGION, "description": REGION}
        raise NotImplementedError(f"the local platform has no answer to {token}({', '.join(arguments)})")

    def make(self, resource: Resource) -> tuple[str, Props]:
        """Makes or changes a resource, or leaves it as it is."""
        if self._stopped.is_set():
            raise InterruptedError(f"not begun: {resource.urn}")
        driver = self._drivers.get(resource.type)
        if driver is None:
            raise self._failure(resource.urn, f"no driver for {resource.type}: add one in local/platform/drivers/")
        if lost := sorted(_lost_inputs(resource)):
            raise self._failure(
                resource.urn,
                f"{', '.join(lost)} came to nothing: the driver of what it is taken from does not give that output",
            )
        if isinstance(driver, Driver) and (forgotten := driver.unhandled_inputs(resource.inputs)):
            raise self._failure(resource.urn, f"{', '.join(forgotten)} has no place in the driver of {resource.type}")
        hashes = self._state.hashes(resource.inputs)
        entry = self._state.get(resource.urn)
        needed = plan_change(driver, resource, entry, hashes)
        if entry is not None and needed.action is ResourceAction.SAME:
            self._progress.on_finish(resource.urn, ResourceAction.SAME, 0)
            return entry.id, entry.outputs
        with self._step(resource.urn, needed.action):
            if entry is not None and needed.action is ResourceAction.REPLACE:
                with self._replacing:
                    self._delete_with_what_it_made(resource.urn)
                entry = None
            return self._made(driver, resource, entry, hashes, needed)

    def delete_gone(self, graph: Graph) -> None:
        """Deletes what the program no longer has."""
        self.delete({urn for urn in self._state.entries() if urn not in {one.urn for one in graph}})

    def delete(self, urns: set[str]) -> None:
        """Deletes resources, each before what it was made after; what fails is kept and the others go on."""
        for urn in self._state.deletion_order(urns):
            try:
                with self._step(urn, ResourceAction.DELETE):
                    self._delete(urn)
            except ResourceFailed:
                continue

    def _made(
        self,
        driver: Driver | RecordedOnly,
        resource: Resource,
        entry: ResourceEntry | None,
        hashes: dict[str, str],
        needed: ResourceChange,
    ) -> tuple[str, Props]:
        known = ResourceValues(resource.inputs, entry.id if entry else "", dict(entry.outputs) if entry else {})
        if isinstance(driver, RecordedOnly):
            known.id = f"recorded-{resource.name}"
            known.outputs = {
                name: value
                for name, source in driver.outputs.items()
                if (value := _value(source, known)) is not UNKNOWN
            }
            self._state.put(resource.urn, self._entry(resource, hashes, known, ResourceStatus.MADE))
            return known.id, known.outputs
        if entry is None:
            self._state.put(resource.urn, self._entry(resource, hashes, known, ResourceStatus.MAKING))
        calls = needed.calls if entry else driver.create
        made = 0
        try:
            for call in calls:
                if entry is not None and adds_tags(call):
                    self._untag(driver, call, known, entry)
                if call.is_needed(known):
                    self._call(driver, call, known)
                    made += 1
                    self._learn(driver, known)
            self._apply(driver, known, needed)
        except Exception:
            if entry is None and made:
                self._state.put(resource.urn, self._entry(resource, hashes, known, ResourceStatus.BROKEN, driver))
            elif entry is None:
                self._state.drop(resource.urn)
            raise
        self._learn(driver, known)
        self._state.put(resource.urn, self._entry(resource, hashes, known, ResourceStatus.MADE, driver))
        return known.id, known.outputs

    def _call(self, driver: Driver, call: DriverCall, known: ResourceValues) -> None:
        client = self._clients(driver.service)
        given = build_parameters(driver, call, known)
        for breach in find_violations(given, input_shape(driver, call), call.operation):
            # The emulator may well take what AWS would refuse.
            raise ShapeMismatch(f"{breach.path} {breach.rule}")
        known.endpoint = getattr(getattr(client, "meta", None), "endpoint_url", "")
        known.answers[call.operation] = _call_service(client, call.operation, given)
        if call.until is not None:
            self._settle(driver, call.until, known)

    def _apply(self, driver: Driver, known: ResourceValues, needed: ResourceChange) -> None:
        applying = driver.property_import
        if applying is None or known[applying.what] is None:
            return
        if needed.action is not ResourceAction.UPDATE or applying.what in needed.changed:
            applying.by(self._clients(driver.service), known.id, revealed(known[applying.what]))

    def _untag(self, driver: Driver, call: DriverCall, known: ResourceValues, entry: ResourceEntry) -> None:
        name = tags_property(call)
        removing = make_untag_call(driver, call, entry.keys.get(name, ()), list(known[name] or ()))
        if removing is not None:
            self._call(driver, removing, known)

    def _settle(self, driver: Driver, until: AwaitedState, known: ResourceValues) -> None:
        client = self._clients(driver.service)
        given = build_parameters(driver, DriverCall(until.operation, until.params), known)
        deadline = time.monotonic() + SETTLE_SECONDS
        while (found := _value_at(_call_service(client, until.operation, given), until.path)) != until.expected:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{until.path} is still {found} after {SETTLE_SECONDS} s, not {until.expected}")
            time.sleep(POLL_SECONDS)

    @staticmethod
    def _learn(driver: Driver, known: ResourceValues) -> None:
        """Takes id and outputs from what was answered so far; what no answer says anew stays as it was."""
        for name, source in driver.outputs.items():
            if (value := _value(source, known)) is not UNKNOWN:
                known.outputs[name] = value
        if not known.id and (found := _value(driver.id, known)) is not UNKNOWN:
            known.id = str(found)

    @staticmethod
    def _entry(
        resource: Resource,
        hashes: dict[str, str],
        known: ResourceValues,
        status: ResourceStatus,
        driver: Driver | None = None,
    ) -> ResourceEntry:
        return ResourceEntry(
            type=resource.type,
            status=status,
            inputs=hashes,
            keys={name: sorted(value) for name, value in resource.inputs.items() if isinstance(value, Mapping)},
            id=known.id,
            outputs=known.outputs,
            depends_on=tuple(sorted(resource.depends_on)),
            made_of=tuple(sorted(resource.made_of)),
            deletion=tuple(
                DeletionCall(driver.service, call.operation, build_parameters(driver, call, known))
                for call in driver.delete
                if known.id
            )
            if driver
            else (),
            emptied=bool(driver and driver.content_deletion and resource.inputs.get(driver.content_deletion.when)),
        )

    def _delete_with_what_it_made(self, urn: str) -> None:
        urns = {urn, *self._state.find_dependants(urn)}
        for one in self._state.deletion_order(urns):
            self._delete(one)

    def _delete(self, urn: str) -> None:
        entry = self._state.get(urn)
        if entry is None:
            return
        for index, deletion in enumerate(entry.deletion):
            client = self._clients(deletion.service)
            driver = self._drivers.get(entry.type)
            try:
                if index == 0 and entry.emptied and isinstance(driver, Driver) and driver.content_deletion is not None:
                    driver.content_deletion.by(client, deletion.params)
                _call_service(client, deletion.operation, deletion.params)
            except ClientError as error:
                if not _is_gone(error):
                    raise
        self._state.drop(urn)

    @contextmanager
    def _step(self, urn: str, action: ResourceAction) -> Iterator[None]:
        """Tells the progress, and turns whatever goes wrong into one error that names the resource."""
        self._progress.on_start(urn, action)
        start = time.monotonic()
        try:
            yield
        except ClientError as error:
            what = error.response.get("Error", {})
            raise self._failure(urn, f"{error.operation_name}: {what.get('Code')}: {what.get('Message')}") from error
        except (BotoCoreError, ShapeMismatch, TimeoutError, OSError) as error:
            raise self._failure(urn, str(error)) from error
        self._progress.on_finish(urn, action, time.monotonic() - start)

    def _failure(self, urn: str, message: str) -> ResourceFailed:
        failure = ResourceFailed(urn, message)
        self.failures.append(failure)
        self._progress.on_failure(urn, message)
        return failure


def _call_service(client: Any, operation: str, given: Props) -> Props:
    answer: Props = getattr(client, xform_name(operation))(**revealed(given))
    return answer


def _value(source: Source, known: ResourceValues) -> Any | Unknown:
    value = source.by(known) if isinstance(source, ComputedValue) else known[source]
    return UNKNOWN if value is None else value


def _value_at(answer: Any, path: str) -> Any:
    for part in path.split("."):
        answer = answer.get(part) if isinstance(answer, Mapping) else None
    return answer


def _lost_inputs(resource: Resource) -> Iterator[str]:
    """Lists in which something taken from another resource came to nothing. A single value, the SDK leaves out."""
    for name, dependencies in resource.request.propertyDependencies.items():
        value = resource.inputs.get(name)
        if dependencies.urns and isinstance(value, list) and None in value:
            yield name


def _is_gone(error: ClientError) -> bool:
    code = str(error.response.get("Error", {}).get("Code", ""))
    return any(sign in code for sign in GONE)
