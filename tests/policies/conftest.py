"""The real program, recorded once a session, and the pack as a process."""

from collections.abc import Mapping

import pytest

from local import program, stack_files
from local.graph import Graph
from local.preview_provider import PreviewProvider
from local.program import Run
from tests.policies.harness import Messages, of_graph

STACKS = ("dev", "staging", "prod", "local")


@pytest.fixture(scope="session")
def runs() -> Mapping[str, Run]:
    """Every stack's program, previewed."""

    class Recorded(dict[str, Run]):
        def __missing__(self, stack: str) -> Run:
            self[stack] = program.run(stack_files.read(stack), PreviewProvider(), preview=True)
            return self[stack]

    return Recorded()


@pytest.fixture(scope="session")
def prod(runs: Mapping[str, Run]) -> Messages:
    """The recorded prod program, as the engine would send it. Copy it before changing it."""
    return of_graph(runs["prod"].graph)


@pytest.fixture(scope="session")
def graph(runs: Mapping[str, Run]) -> Graph:
    """The recorded prod program."""
    return runs["prod"].graph
