"""Room on Python's stack of frames, which it takes from the system in blocks of 16 KB.

A block is given back when the last frame in it ends. Whoever stands at a block's end and calls a function in a loop has
one made and thrown away with each call: 6 µs instead of 0.02. As deep as tests are inside pytest that happens all the
time: it was more than half of the page faults of a run, and a twelfth of its time.
"""

from collections.abc import Callable
from typing import Any

SLOTS = 1 << 16
"""Half a megabyte for a frame: its block is twice as large, and the other half is left for all that it calls."""


def roomy(what: Callable[[], Any]) -> Any:
    """What `what` answers, which now has room for a thousand frames."""
    return what()


roomy.__code__ = roomy.__code__.replace(co_stacksize=SLOTS)
