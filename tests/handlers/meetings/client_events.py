"""Functions that run at an event of a boto3 client, for example before each call of an operation."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def at_event(client: Any, event: str, function: Callable[..., object]) -> Iterator[None]:
    """Call a function at each event of the client within the block. Its arguments depend on the event."""
    # botocore uses the result of an event's function as the response, unless it is None.
    identifier = object()

    def call(**arguments: Any) -> None:
        function(**arguments)

    client.meta.events.register(event, call, unique_id=identifier)
    try:
        yield
    finally:
        client.meta.events.unregister(event, unique_id=identifier)
