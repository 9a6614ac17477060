"""The real program, recorded once, and the pack as a process."""

import pytest

from local.preview.resource_graph import Graph
from tests import whole_program
from tests.policies.policy_harness import EngineMessages, of_graph

RECORDED = {"prod", "graph"}


def pytest_itemcollected(item: pytest.Item) -> None:
    """Whatever looks at the recorded program does so where it is recorded."""
    if isinstance(item, pytest.Function) and RECORDED & set(item.fixturenames):
        item.add_marker(whole_program.ONE_WORKER)


@pytest.fixture(scope="session")
def prod() -> EngineMessages:
    """The recorded prod program, as the engine would send it. Copy it before changing it."""
    return of_graph(whole_program.graph("prod"))


@pytest.fixture(scope="session")
def graph() -> Graph:
    """The recorded prod program."""
    return whole_program.graph("prod")
