"""Context that every command gets: AWS clients, a clock, and functions that wait and that print a line."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

from operations.aws_account import Clients
from operations.function_management_gateway import FunctionGateway

POLL_SECONDS = 1.0
"""Pause between two calls of the function that `CommandContext.poll` calls repeatedly."""

T = TypeVar("T")


@dataclass(frozen=True)
class CommandContext:
    """Services and functions that a command gets from outside. Tests replace them."""

    clients: Clients
    clock: Callable[[], float]
    """Monotonic time in seconds."""
    wait: Callable[[float], None]
    """Function that waits for some seconds."""
    print_line: Callable[[str], None]

    @cached_property
    def gateway(self) -> FunctionGateway:
        return FunctionGateway(self.clients)

    def poll(self, check: Callable[[], T | None], max_seconds: float) -> T | None:
        """Call `check` repeatedly until it returns a value. Return this value, or None after the maximum time."""
        end = self.clock() + max_seconds
        while (result := check()) is None and self.clock() < end:
            self.wait(POLL_SECONDS)
        return result
