"""Guards that hold for every test, and the engine that component tests run on."""

import gc
import inspect
import os
import socket
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pulumi
import pytest
from _pytest.nodeid import NodeId
from hypothesis import settings
from xdist.remote import Producer
from xdist.scheduler import LoadGroupScheduling
from xdist.workermanage import WorkerController

from tests import faster_moto
from tests.fake_engine import Engine

# A run of the whole program makes two million objects that all stay until its end: the usual thresholds would have them
# gone through some thousand times. None at all would keep every task that ever ran, and asyncio goes through those.
gc.set_threshold(200_000)
faster_moto.install()

settings.register_profile("ci", max_examples=30, deadline=None, derandomize=True)
settings.register_profile("thorough", max_examples=2000, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))

TESTS = Path(__file__).parent
PLATFORM = "platform"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What says nothing else of itself is a unit test; and `xdist_group` works.

    xdist 3.8 writes the group into an attribute that pytest 9.2 no longer reads. Without this, silently, every worker
    would bring up what a group shares.
    """
    for item in items:
        if not any(item.iter_markers()):
            item.add_marker("unit")
        group = item.get_closest_marker("xdist_group")
        if group is not None and not item.nodeid.endswith(f"@{group.args[0]}"):
            item._id = NodeId.parse(f"{item.nodeid}@{group.args[0]}")


class _FilesAndGroups(LoadGroupScheduling):  # type: ignore[misc]
    """Hands out whole files: what a file's tests share is made once, and a thousand messages are one.

    The platform's come first of all: they wait most of the time, and whatever computes fits in beside them.
    """

    def _assign_work_unit(self, node: WorkerController) -> None:
        if PLATFORM in self.workqueue:
            self.workqueue.move_to_end(PLATFORM, last=False)
        super()._assign_work_unit(node)

    def _split_scope(self, nodeid: str) -> str:
        scope = super()._split_scope(nodeid)
        return nodeid.partition("::")[0] if scope == nodeid else scope


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> _FilesAndGroups:
    """Who gets which tests."""
    return _FilesAndGroups(config, log)


@pytest.fixture
def engine() -> Engine:
    """A fresh engine."""
    return Engine()


@pytest.fixture(autouse=True)
def _only_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reaches beyond this machine."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        if self.family in {socket.AF_INET, socket.AF_INET6} and address[0] not in {"127.0.0.1", "::1", "localhost"}:
            raise AssertionError(f"a test tried to reach {address[0]}: tests use loopback only")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)


@cache
def _of_tests(source: str) -> bool:
    """Kept: a run of the program asks thousands of times for a few hundred files."""
    return TESTS in Path(source).parents


@pytest.fixture(autouse=True)
def unawaited(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[int, str]]:
    """Fails a test whose own `.apply` never ran: an assertion in it would have counted for nothing."""
    pending: dict[int, str] = {}
    apply = pulumi.Output.apply

    def watched(self: pulumi.Output[Any], func: Callable[[Any], Any], *rest: Any, **named: Any) -> pulumi.Output[Any]:
        plain = inspect.unwrap(func) if inspect.isfunction(func) else None
        source = plain.__code__.co_filename if inspect.isfunction(plain) else ""
        if not _of_tests(source):
            return apply(self, func, *rest, **named)
        pending[id(func)] = f"{Path(source).name}:{func.__code__.co_firstlineno}"

        def ran(value: Any) -> Any:
            pending.pop(id(func), None)
            return func(value)

        return apply(self, ran, *rest, **named)

    monkeypatch.setattr(pulumi.Output, "apply", watched)
    yield pending
    if pending:
        pytest.fail(f"never awaited, so it checked nothing: .apply at {', '.join(pending.values())}; use engine.run")
