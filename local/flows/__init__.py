"""What each subsystem does, driven from outside as its users would: for the demo, and for the end-to-end tests."""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from local.platform.emulator import Emulator
from local.platform.emulator_clients import Clients

T = TypeVar("T")
Tell = Callable[[str], None]
"""Hears what was just done."""
PATIENCE_SECONDS = 20
POLL_SECONDS = 0.05
POLL_SHARE = 0.1
"""The longer it has waited, the more seldom it asks: who asks takes the processor from those who work."""


class NotInTime(Exception):
    """Something that should have happened did not."""


def eventually(found: Callable[[], T | None], what: str, seconds: float = PATIENCE_SECONDS) -> T:
    """The first thing that `found` finds. The one place that waits: the platform works on after it answered."""
    began = time.monotonic()
    while (value := found()) is None:
        waited = time.monotonic() - began
        if waited > seconds:
            raise NotInTime(f"{what}: not in {seconds:g} s")
        time.sleep(max(POLL_SECONDS, waited * POLL_SHARE))
    return value


@dataclass(frozen=True)
class Deployment:
    """A stack that was deployed to the emulator."""

    emulator: Emulator
    client: Clients
    ids: Mapping[str, Any]
    """Ids of the resources by their Pulumi names."""
    outputs: Mapping[str, Any]

    def frontend(self, subsystem: str) -> Any:
        """Return what a frontend of a subsystem knows."""
        return self.outputs["frontend"][subsystem]

    def function(self, name: str) -> str:
        """Return the alias of a function."""
        return f"{self.ids[f'{name}-function']}:live"


def invoke(client: Clients, function: str, **event: Any) -> dict[str, Any]:
    """Call a function as its schedule or an operator does, and return its result."""
    answer = client("lambda").invoke(FunctionName=function, Payload=json.dumps(event))
    result: dict[str, Any] = json.loads(answer["Payload"].read())
    return result


class Checks:
    """What a flow found, compared with what it should have found."""

    def __init__(self) -> None:
        self.problems: list[str] = []

    def equal(self, what: str, found: object, expected: object) -> None:
        """Note a problem if the values differ."""
        if found != expected:
            self.problems.append(f"{what}: {found!r}, not {expected!r}")
