"""The platform on an emulator of its own, brought up once for all end-to-end tests (they share one xdist group)."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytest
from _pytest.nodeid import NodeId

from local import emulator, stack_files
from local.aws import EmulatorClients
from local.emulator import Emulator
from local.graph import Graph, Resource
from local.platform import Deployed, deploy
from local.progress import Silent
from local.values import Props

T = TypeVar("T")
PATIENCE_SECONDS = 20


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Makes `xdist_group` work: xdist 3.8 writes the group into an attribute that pytest 9.2 no longer reads.

    Without it, silently, every worker would bring a platform up.
    """
    for item in items:
        group = item.get_closest_marker("xdist_group")
        if group is not None and not item.nodeid.endswith(f"@{group.args[0]}"):
            item._id = NodeId.parse(f"{item.nodeid}@{group.args[0]}")


def eventually(found: Callable[[], T | None], what: str) -> T:
    """The first thing that `found` finds. The one place where tests wait: the emulator works on after it answered."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (value := found()) is None:
        assert time.monotonic() < deadline, f"{what}: not in {PATIENCE_SECONDS} s"
        time.sleep(0.05)
    return value


@dataclass(frozen=True)
class Platform:
    """What a test sees of it."""

    emulator: Emulator
    deployed: Deployed
    client: EmulatorClients

    @property
    def outputs(self) -> Props:
        """The stack's outputs."""
        return self.deployed.outputs

    @property
    def graph(self) -> Graph:
        """Everything the program registered."""
        return self.deployed.graph

    def resource(self, name: str) -> Resource:
        """A resource by its Pulumi name."""
        return next(one for one in self.graph.customs() if one.name == name)

    def id(self, name: str) -> Any:
        """The id of a resource by its Pulumi name."""
        return self.resource(name).id


@pytest.fixture(scope="session")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    folder: Path = tmp_path_factory.mktemp("platform")
    with emulator.start(folder) as started:
        deployed = deploy(stack_files.read("local"), started.emulator, Silent())
        yield Platform(started.emulator, deployed, EmulatorClients(started.emulator.endpoint))
