"""Fixtures for the tests of the policy pack: the recorded program, which is all resources of a preview of prod, and the
faster SDK.
"""

from collections.abc import Iterator

import pytest

from guardrails.pack.policy_pack import policy_applies_to_type
from guardrails.pack.sdk_speedups import cache_decoding, replace_analyzer
from local.preview.resource_graph import Graph
from tests import whole_program
from tests.policies.policy_harness import EngineMessages, messages_from_graph, restored_sdk

PROGRAM_FIXTURES = {"prod", "graph"}


def pytest_itemcollected(item: pytest.Item) -> None:
    """Run all tests that use the recorded program in the same worker, so that it is recorded once."""
    if isinstance(item, pytest.Function) and PROGRAM_FIXTURES & set(item.fixturenames):
        item.add_marker(whole_program.ONE_WORKER)


@pytest.fixture(scope="session")
def prod() -> EngineMessages:
    """Return the recorded program as the messages that the engine would send. Copy it before you change it."""
    return messages_from_graph(whole_program.graph("prod"))


@pytest.fixture(scope="session")
def graph() -> Graph:
    """Return the recorded program."""
    return whole_program.graph("prod")


@pytest.fixture(scope="module")
def fast_sdk() -> Iterator[None]:
    """Replace parts of the SDK as the pack does at its start, because a test checks the whole program many times.
    `test_the_speedups_change_no_answer` shows that the results are the same.
    """
    with restored_sdk():
        cache_decoding()
        replace_analyzer(policy_applies_to_type)
        yield
