"""Guards for all tests, the scheduling of test files, and the engine for component tests."""

import gc
import os
import socket
from functools import cache
from typing import Any

import boto3
import pulumi
import pytest
from _pytest.nodeid import NodeId
from hypothesis import settings
from pulumi.runtime.proto.source_pb2 import StackTrace
from xdist.remote import Producer
from xdist.scheduler import LoadGroupScheduling
from xdist.workermanage import WorkerController

from tests import faster_moto
from tests.fake_engine import Engine

# A run of the whole program creates two million objects that live until its end. With the default thresholds, the
# garbage collector would scan them some thousand times. Without any collection, all finished asyncio tasks would stay.
gc.set_threshold(700_000)
faster_moto.install()
# Otherwise, tests would send their calls to an endpoint or account that the developer's shell names.
for variable in [name for name in os.environ if name.startswith("AWS_")]:
    del os.environ[variable]
# The SDK sends the source position of each resource. Nothing reads it here, and it takes an eighth of a run's time.
pulumi.runtime.resource._get_stack_trace = StackTrace

settings.register_profile("ci", max_examples=30, deadline=None, derandomize=True)
settings.register_profile("thorough", max_examples=2000, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))

FIRST_GROUPS = ("platform", "whole", "modules", "spark")
"""The longest groups of tests. They start first, so that no worker has a long group left at the end."""
NICENESS = 5
"""Reduction of the priority of tests without the platform. The tests of the platform share one worker and take longest,
so they get a processor first."""


def pytest_configure(config: pytest.Config) -> None:
    """Refuse a path that does not exist. The workers of xdist would lose pytest's own error."""
    for argument in config.args:
        path = argument.partition("::")[0]
        if not (config.invocation_params.dir / path).exists():
            raise pytest.UsageError(f"{path} does not exist")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests without a marker as unit tests, and make `xdist_group` work.

    xdist 3.8 writes the group into an attribute that pytest 9.2 no longer reads. Without this code, every worker would
    silently create the shared resources of a group.
    """
    for item in items:
        if not any(item.iter_markers()):
            item.add_marker("unit")
        group = item.get_closest_marker("xdist_group")
        if group is not None and not item.nodeid.endswith(f"@{group.args[0]}"):
            item._id = NodeId.parse(f"{item.nodeid}@{group.args[0]}")


class _FilesAndGroups(LoadGroupScheduling):  # type: ignore[misc]
    """Scheduler that assigns whole files, so that shared resources of a file are created once, with fewer messages.

    The longest groups come first, because the other workers would have to wait for them at the end.
    """

    def _assign_work_unit(self, node: WorkerController) -> None:
        for scope in reversed(FIRST_GROUPS):
            if scope in self.workqueue:
                self.workqueue.move_to_end(scope, last=False)
        super()._assign_work_unit(node)

    def _split_scope(self, nodeid: str) -> str:
        scope = super()._split_scope(nodeid)
        return nodeid.partition("::")[0] if scope == nodeid else scope


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Reduce the priority of a worker at its first test without the platform. The worker of the platform begins with it."""
    if "PYTEST_XDIST_WORKER" in os.environ and not item.nodeid.endswith(f"@{FIRST_GROUPS[0]}"):
        _reduce_priority()


@cache
def _reduce_priority() -> None:
    os.nice(NICENESS)


@pytest.hookimpl(trylast=True)
def pytest_unconfigure() -> None:
    """Let pytest search the objects of a whole run only once for exceptions of finalizers, because that takes seconds."""
    gc.freeze()


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> _FilesAndGroups:
    """Return the scheduler."""
    return _FilesAndGroups(config, log)


@pytest.fixture
def engine() -> Engine:
    """Return a new engine."""
    return Engine()


@pytest.fixture(autouse=True)
def _only_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail every connection that leaves this machine."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        if self.family in {socket.AF_INET, socket.AF_INET6} and address[0] not in {"127.0.0.1", "::1", "localhost"}:
            raise AssertionError(f"A test tried to connect to {address[0]}. Tests must use loopback only.")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)


@pytest.fixture(autouse=True)
def _new_default_session(monkeypatch: pytest.MonkeyPatch) -> None:
    """Start without boto3's default session, because it keeps the credentials of the first test that used it.

    A new session must not ask the metadata service of EC2 for credentials.
    """
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
