"""Runs the program, unmodified and in this process, against a provider of ours.

Pulumi keeps its state in context variables, so each run gets a context of its own and leaves nothing behind.
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
from typing import Any, ParamSpec, TypeVar, cast

import pulumi
from pulumi.runtime import mocks
from pulumi.runtime.settings import SETTINGS, _get_rpc_manager, set_root_resource
from pulumi.runtime.stack import run_in_stack

from local import ROOT, CannotRun
from local.preview.property_values import Props, properties
from local.preview.resource_graph import Graph
from local.preview.resource_monitor import Monitor, Provider
from local.preview.sdk_shortcuts import quicker_sdk
from local.preview.stack_files import StackConfig

REGISTRATIONS_AT_ONCE = 32
Given = ParamSpec("Given")
Answer = TypeVar("Answer")


class ProgramError(CannotRun):
    """The program stopped, with a message meant for its user."""


@dataclass(frozen=True)
class Run:
    """What a run left behind."""

    graph: Graph
    outputs: Props
    messages: tuple[str, ...]
    """What the program had to say: warnings and errors."""


def run(config: StackConfig, provider: Provider, *, preview: bool) -> Run:
    """Runs `__main__.py` of the project for one stack."""
    return record(
        lambda: runpy.run_path(str(ROOT / "__main__.py"), run_name="__main__"), config, provider, preview=preview
    )


def record(body: Callable[[], object], config: StackConfig, provider: Provider, *, preview: bool) -> Run:
    """Runs anything as if it were a stack's program."""
    return contextvars.Context().run(_record, body, config, provider, preview)


def _record(body: Callable[[], object], config: StackConfig, provider: Provider, preview: bool) -> Run:
    monitor = Monitor(provider)
    log = _Collector()

    async def program() -> None:
        # The SDK registers in the loop's own threads, of which two cores give six: most of them wait for a service.
        # A preview waits for nobody: without threads it is faster, and registers components in the program's order.
        threads = _NoThreads() if preview else ThreadPoolExecutor(REGISTRATIONS_AT_ONCE)
        asyncio.get_running_loop().set_default_executor(threads)
        # A root that is no stack keeps `set_mocks` from registering one: `run_in_stack` does, as the CLI's entry
        # point has it do, and registers the stack's outputs at the end.
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
        SETTINGS.outputs.clear()  # the one thing that Pulumi keeps outside its context: tasks of an earlier run
        pulumi.runtime.set_all_config(dict(config.values), sorted(config.secret_keys))

        async def entry() -> None:
            body()  # whatever it answers: the SDK would await it
            await _settled()

        await run_in_stack(entry)

    with _surroundings(config), quicker_sdk():
        try:
            asyncio.run(program())
        except pulumi.RunError as error:
            raise ProgramError(str(error)) from error
    return Run(monitor.graph, properties(monitor.graph.stack.outputs), tuple(log.messages))


class _NoThreads(ThreadPoolExecutor):
    """Does at once what it is given; asyncio wants its executors to be of this class."""

    def submit(self, fn: Callable[Given, Answer], /, *args: Given.args, **kwargs: Given.kwargs) -> Future[Answer]:
        """What came of it."""
        done: Future[Answer] = Future()
        try:
            done.set_result(fn(*args, **kwargs))
        except Exception as error:  # noqa: BLE001 - whoever waits for it is told
            done.set_exception(error)
        return done


async def _settled() -> None:
    """Waits until all that the program began is done, or something of it failed, which the SDK then tells.

    The SDK waits too, but looks at every open task each time one is done, which is a fifth of a subsystem's run.
    """
    while True:
        tasks = {*_get_rpc_manager().rpcs, *SETTINGS.outputs}
        if any(one.done() and (one.cancelled() or one.exception()) for one in tasks):
            return
        tasks = {one for one in tasks if not one.done()}
        if not tasks:
            return
        await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)


@contextmanager
def _surroundings(config: StackConfig) -> Iterator[None]:
    """What the CLI gives a program: the project's folder as working directory and import root, and its config."""
    before = os.environ.get("PULUMI_CONFIG")
    folder = Path.cwd()
    os.environ["PULUMI_CONFIG"] = json.dumps(dict(config.values))
    os.chdir(ROOT)
    try:
        yield
    finally:
        os.chdir(folder)
        if before is None:
            del os.environ["PULUMI_CONFIG"]
        else:
            os.environ["PULUMI_CONFIG"] = before


class _Collector(logging.Handler):
    """Keeps what the program tells its user."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.messages: list[str] = []
        self.logger = logging.Logger("program", logging.WARNING)  # noqa: LOG001 - not in the tree: it is this run's
        self.logger.addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())
