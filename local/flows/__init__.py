"""Helpers that the flows share. A flow uses one deployed backend from end to end, as its users do.

The demo and the end-to-end tests run the flows. `<subsystem>_flow.py` contains a flow, and `<subsystem>_client.py` the
client that it uses.
"""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from local.emulation import faults
from local.emulation.faults import FaultClient
from local.flows.word_errors import MAX_WORD_ERROR_RATE, word_error_rate
from local.platform.emulator import Emulator
from local.platform.emulator_clients import Clients
from local.preview import stack_files
from local.preview.stack_files import StackConfig

T = TypeVar("T")
StepReporter = Callable[[str], None]
"""Function that gets the description of each finished step of a flow."""
PATIENCE_SECONDS = 20
"""Default time limit for an expected result."""
POLL_SECONDS = 0.05
"""Minimum time between two polls."""
POLL_SHARE = 0.1
"""Time between later polls, as a share of the time waited so far. More frequent polls would slow down the platform."""


def read_flow_stack() -> StackConfig:
    """Return the configuration of the stack `local`, with one change: ingestion collects files for full manifests.

    A manifest is a list of up to 200 files that one Spark run processes. The stack file lets ingestion process each
    file at once, so the flows would never see a full manifest.
    """
    config = stack_files.read_stack("local")
    key = f"{config.project}:ingestion"
    ingestion = json.loads(config.values[key])
    del ingestion["manifests"]["flushMinutes"]
    return replace(config, values={**config.values, key: json.dumps(ingestion)})


class ResultNotInTime(Exception):
    """Error that an expected result did not appear within the time limit."""


def eventually(find: Callable[[], T | None], what: str, seconds: float = PATIENCE_SECONDS) -> T:
    """Call `find` until its result is not None, and return the result. Raise ResultNotInTime after `seconds`.

    `what` describes the result in the error.
    """
    started = time.monotonic()
    while (value := find()) is None:
        waited = time.monotonic() - started
        if waited > seconds:
            raise ResultNotInTime(f"{what} did not appear within {seconds:g} s")
        time.sleep(max(POLL_SECONDS, waited * POLL_SHARE))
    return value


@dataclass(frozen=True)
class Deployment:
    """Stack that is deployed to the emulator."""

    emulator: Emulator
    client: Clients
    """Function that returns a boto3 client by service."""
    ids: Mapping[str, Any]
    """Resource ids by Pulumi name."""
    outputs: Mapping[str, Any]

    def frontend(self, subsystem: str) -> Any:
        """Return the part of the `frontend` output for a subsystem."""
        return self.outputs["frontend"][subsystem]

    @property
    def faults(self) -> FaultClient:
        """Client that switches on faults of the emulated services."""
        return FaultClient(self.emulator.services[faults.VARIABLE])

    def function(self, name: str) -> str:
        """Return the name of a function with its alias `live`."""
        return f"{self.ids[f'{name}-function']}:live"


def invoke(client: Clients, function: str, **event: Any) -> dict[str, Any]:
    """Invoke a function as its schedule or an operator does, and return its result."""
    answer = client("lambda").invoke(FunctionName=function, Payload=json.dumps(event))
    result: dict[str, Any] = json.loads(answer["Payload"].read())
    return result


class Checks:
    """Comparisons of a flow's actual results with the expected ones."""

    def __init__(self) -> None:
        self.problems: list[str] = []
        """Description of each difference. A flow without problems has succeeded."""

    def equal(self, what: str, actual: object, expected: object) -> None:
        """Add a problem if the values differ."""
        if actual != expected:
            self.problems.append(f"{what}: got {actual!r}, expected {expected!r}")

    def recognised(self, what: str, actual: Sequence[str], spoken: Sequence[str]) -> None:
        """Add a problem unless the texts are recognised versions of the spoken sentences, in the same order."""
        rates = [word_error_rate(*pair) for pair in zip(spoken, actual, strict=False)]
        if len(actual) != len(spoken) or max(rates, default=0) > MAX_WORD_ERROR_RATE:
            self.problems.append(
                f"{what}: got {list(actual)}, spoken were {list(spoken)}; at most {MAX_WORD_ERROR_RATE:.0%} of the "
                "words of a sentence may differ"
            )
