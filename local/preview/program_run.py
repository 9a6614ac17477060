"""Runner of the Pulumi program: executes `__main__.py` unmodified in this process, without the Pulumi CLI.

The caller gives a provider, which replaces the AWS provider: in a preview it creates no resources, and on the local
platform it creates them on the emulator.

The program registers resources with a resource monitor, which is usually a part of Pulumi's engine. The monitor here needs
no engine. It extends the monitor of Pulumi's mock runtime. The SDK registers a resource only after all its dependencies
are created, so independent resources are created concurrently, and dependent resources in order.
"""

import asyncio
import contextvars
import json
import logging
import os
import runpy
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ParamSpec, Protocol, TypeVar, cast

import pulumi
from google.protobuf import empty_pb2
from google.protobuf.struct_pb2 import Struct
from pulumi.runtime import mocks
from pulumi.runtime.proto import resource_pb2
from pulumi.runtime.settings import SETTINGS, _get_rpc_manager, set_root_resource
from pulumi.runtime.stack import run_in_stack

from local import ROOT, CannotRun
from local.preview.resource_graph import STACK_TYPE, Graph, Resource
from local.preview.stack_files import StackConfig
from local.property_values import Props, to_python_properties

MAX_CONCURRENT_REGISTRATIONS = 32
"""Maximum number of resources that a deployment creates at once."""
OnRegistration = Callable[[Resource], None]
"""Function that is called with each resource when the program registers it, before the resource is created."""
Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


class Provider(Protocol):
    """Replacement for the AWS provider: `PreviewProvider` in a preview, `Engine` on the local platform."""

    def call(self, token: str, arguments: Props) -> Props:
        """Return the result of a provider function such as `aws:index/getRegion:getRegion`."""

    def make(self, resource: Resource, /) -> tuple[str, Props]:
        """Create a custom resource. Return its id (empty if unknown), and its outputs in addition to its inputs."""


class ProgramError(CannotRun):
    """The program failed with a `pulumi.RunError`, whose message explains the cause to the user."""


@dataclass(frozen=True)
class ProgramRun:
    """Result of one run of the program."""

    graph: Graph
    outputs: Props
    messages: tuple[str, ...]
    """Warnings and errors that the program logged."""


class Monitor(mocks.MockMonitor):
    """Monitor that records every registration in a graph. The Pulumi SDK calls its methods, possibly in several threads."""

    def __init__(self, provider: Provider, on_registration: OnRegistration) -> None:
        super().__init__(cast("Any", None))  # It needs no mocks, because it answers every request itself.
        self.graph = Graph()
        self._provider = provider
        self._on_registration = on_registration

    def Invoke(  # noqa: N802 - the protocol's name
        self, request: resource_pb2.ResourceInvokeRequest
    ) -> resource_pb2.ResourceInvokeResponse:
        """Call a provider function. The inherited method would leave an event loop open in this thread."""
        response = resource_pb2.ResourceInvokeResponse()
        result: Struct = getattr(response, "return")  # The protocol's field name is a Python keyword.
        result.update(self._provider.call(request.tok, to_python_properties(request.args)))
        return response

    def RegisterResource(  # noqa: N802 - the protocol's name
        self, request: resource_pb2.RegisterResourceRequest
    ) -> resource_pb2.RegisterResourceResponse:
        """Record a resource. If it is a custom resource, let the provider create it."""
        resource = self.graph.add(_urn(request), request)
        self._on_registration(resource)
        outputs = Struct()
        outputs.CopyFrom(request.object)
        if resource.custom:
            resource.id, provider_outputs = self._provider.make(resource)
            outputs.update(provider_outputs)
        resource.outputs = outputs
        return resource_pb2.RegisterResourceResponse(urn=resource.urn, id=resource.id, object=outputs)

    def RegisterResourceOutputs(  # noqa: N802 - the protocol's name
        self, request: resource_pb2.RegisterResourceOutputsRequest
    ) -> empty_pb2.Empty:
        """Store the outputs of a component."""
        self.graph[request.urn].outputs = request.outputs
        return empty_pb2.Empty()


def run_program(
    config: StackConfig, provider: Provider, *, preview: bool, on_registration: OnRegistration = lambda _: None
) -> ProgramRun:
    """Run the project's `__main__.py` for one stack. With `preview`, values can be unknown, as in `pulumi preview`."""
    return run_function(
        lambda: runpy.run_path(str(ROOT / "__main__.py"), run_name="__main__"),
        config,
        provider,
        preview=preview,
        on_registration=on_registration,
    )


def run_function(
    body: Callable[[], object],
    config: StackConfig,
    provider: Provider,
    *,
    preview: bool,
    on_registration: OnRegistration = lambda _: None,
) -> ProgramRun:
    """Run a function as the program of a stack, in the same way as `run_program` runs `__main__.py`."""
    # Pulumi keeps its state in context variables. With a new context, no run sees the state of another.
    return contextvars.Context().run(_run_in_new_loop, body, config, Monitor(provider, on_registration), preview)


def _run_in_new_loop(body: Callable[[], object], config: StackConfig, monitor: Monitor, preview: bool) -> ProgramRun:
    """Run a function as a program in a new event loop, and record what it registers, exports and logs."""
    log = _MessageCollector()

    async def program() -> None:
        # The SDK registers resources in the event loop's threads. In a deployment, most of them wait for the emulator, so
        # the default of six threads on two cores is too low. A preview waits for nothing. Without threads it is faster,
        # and registers components in the order of the program.
        threads = _SynchronousExecutor() if preview else ThreadPoolExecutor(MAX_CONCURRENT_REGISTRATIONS)
        asyncio.get_running_loop().set_default_executor(threads)
        # `run_in_stack` registers the stack and its outputs, as under the CLI. `set_mocks` would register a second stack,
        # unless it finds a root resource. So a dummy is the root resource during this call.
        set_root_resource(cast("Any", object()))
        mocks.set_mocks(
            monitor.mocks,
            project=config.project,
            stack=config.stack,
            preview=preview,
            logger=log.logger,
            monitor=monitor,
        )
        set_root_resource(cast("Any", None))
        SETTINGS.outputs.clear()  # Pulumi does not keep these tasks in the context, so tasks of an earlier run remain.
        pulumi.runtime.set_all_config(dict(config.values), sorted(config.secret_keys))

        async def entry() -> None:
            body()  # Its result is not returned, because the SDK would await the result.
            await _wait_for_registrations()

        await run_in_stack(entry)

    with _cli_environment(config):
        try:
            asyncio.run(program())
        except pulumi.RunError as error:
            raise ProgramError(str(error)) from error
    return ProgramRun(monitor.graph, to_python_properties(monitor.graph.stack.outputs), tuple(log.messages))


def _urn(request: resource_pb2.RegisterResourceRequest) -> str:
    """Return the URN that Pulumi's engine would assign. It contains the types of all ancestors except the stack."""
    ancestors = request.parent.split("::")[2] if request.parent else STACK_TYPE
    kind = request.type if ancestors == STACK_TYPE else f"{ancestors}${request.type}"
    return f"urn:pulumi:{pulumi.get_stack()}::{pulumi.get_project()}::{kind}::{request.name}"


class _SynchronousExecutor(ThreadPoolExecutor):
    """Executor that runs each function at once, in the caller's thread. asyncio requires a `ThreadPoolExecutor`."""

    def submit(
        self, fn: Callable[Parameters, Result], /, *args: Parameters.args, **kwargs: Parameters.kwargs
    ) -> Future[Result]:
        """Call the function; return a finished future with its result or exception."""
        future: Future[Result] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:  # noqa: BLE001 - the future raises it where the result is read
            future.set_exception(error)
        return future


async def _wait_for_registrations() -> None:
    """Wait until all registrations and outputs are done, or until one has failed. The SDK then raises the error.

    The SDK would wait too, but it checks all open tasks whenever a task ends. In a run of the program with one
    subsystem, these checks would take a fifth of the time.
    """
    while True:
        tasks = {*_get_rpc_manager().rpcs, *SETTINGS.outputs}
        if any(task.done() and (task.cancelled() or task.exception()) for task in tasks):
            return
        tasks = {task for task in tasks if not task.done()}
        if not tasks:
            return
        await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)


@contextmanager
def _cli_environment(config: StackConfig) -> Iterator[None]:
    """Give the program what the CLI gives it: the variable `PULUMI_CONFIG`, and the working directory."""
    previous_config = os.environ.get("PULUMI_CONFIG")
    previous_folder = Path.cwd()
    os.environ["PULUMI_CONFIG"] = json.dumps(dict(config.values))
    os.chdir(ROOT)
    try:
        yield
    finally:
        os.chdir(previous_folder)
        if previous_config is None:
            del os.environ["PULUMI_CONFIG"]
        else:
            os.environ["PULUMI_CONFIG"] = previous_config


class _MessageCollector(logging.Handler):
    """Log handler that keeps the program's warnings and errors."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.messages: list[str] = []
        self.logger = logging.Logger("program", logging.WARNING)  # noqa: LOG001 - belongs to this run only
        self.logger.addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())
