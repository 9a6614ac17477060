"""What handlers use of Lambda's own objects."""

from typing import Protocol


class LambdaContext(Protocol):
    """What is used of the runtime's context."""

    def get_remaining_time_in_millis(self) -> int:
        """How long the invocation may still take."""
        ...
