"""Types of objects that the Lambda runtime passes to handlers."""

from typing import Protocol


class LambdaContext(Protocol):
    """The used part of the Lambda context object."""

    def get_remaining_time_in_millis(self) -> int:
        """Return the time until the invocation is terminated."""
        ...
