"""No depth of a test is dearer than another. Where `False` fails, Python keeps its blocks, and `roomy` may go."""

import resource
from threading import Thread

import pytest

from tests.roomy import roomy

CALLS = 500


def leaf() -> None:
    """Needs a frame, and nothing else: one that is larger than its caller's, so that some caller stands too near."""


leaf.__code__ = leaf.__code__.replace(co_stacksize=50)


def dearest(depths: range) -> int:
    """The most page faults that calls at one of these depths took."""

    def called(depth: int) -> None:
        if depth:
            called(depth - 1)
        else:
            for _ in range(CALLS):
                leaf()

    def faults(depth: int) -> int:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        called(depth)
        return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

    return max(faults(depth) for depth in depths)


@pytest.mark.parametrize("spared", [True, False])
def test_calls_at_a_blocks_end_make_no_block_each(spared: bool) -> None:
    found: list[int] = []

    def tried() -> None:
        found.append(dearest(range(400)))

    # A thread has a stack of its own, which begins empty.
    thread = Thread(target=(lambda: roomy(tried)) if spared else tried)
    thread.start()
    thread.join()
    assert (found[0] < CALLS) is spared
