"""Fixtures with the recorded prod program, for the tests of the policy pack."""

import pytest

from local.preview.resource_graph import Graph
from tests import whole_program
from tests.policies.policy_harness import EngineMessages, messages_from_graph

RECORDED = {"prod", "graph"}


def pytest_itemcollected(item: pytest.Item) -> None:
    """Run all tests that use the recorded program in the same worker, so that it is recorded once."""
    if isinstance(item, pytest.Function) and RECORDED & set(item.fixturenames):
        item.add_marker(whole_program.ONE_WORKER)


@pytest.fixture(scope="session")
def prod() -> EngineMessages:
    """Return the recorded prod program as the engine would send it. Copy it before you change it."""
    return messages_from_graph(whole_program.graph("prod"))


@pytest.fixture(scope="session")
def graph() -> Graph:
    """Return the recorded prod program."""
    return whole_program.graph("prod")
