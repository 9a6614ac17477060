"""Type of the context object that the Lambda runtime passes to handlers."""

from typing import Protocol


class LambdaContext(Protocol):
    """The part of the Lambda context object that handlers use."""

    def get_remaining_time_in_millis(self) -> int:
        """Return the time until the invocation times out."""
        ...
