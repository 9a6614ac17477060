"""Stack that is deployed to an emulator, with access to what the flows do not see: resource ids, functions and faults."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from local.emulation import faults
from local.emulation.faults import FaultClient
from local.flows import ClientFactory, Stack
from local.flows.identity import open_local_stack
from local.platform.emulator import Emulator
from local.platform.emulator_clients import EmulatorClients
from local.preview.stack_files import StackConfig
from tests.whole_program import change_sections

FULL_MANIFEST = 80
"""Maximum number of files in a manifest. All other tests together upload fewer, so that they start no Spark run."""


def read_test_stack(**ingestion: Any) -> StackConfig:
    """Return the configuration of the stack `local` with changes for the tests.

    - Ingestion collects files for full manifests. A manifest is a list of files that one Spark run processes. The stack
      file lets ingestion process each file at once, so the tests would never see a full manifest.
    - Meetings waits for Spot capacity as short as possible.

    `ingestion` are more changes in the section of ingestion.
    """
    return change_sections(
        "local",
        {
            "ingestion": {"manifests": {"files": FULL_MANIFEST}, **ingestion},
            "meetings": {"processing": {"capacityMinutes": 1, "pollSeconds": 5}},
        },
    )


@dataclass(frozen=True)
class Deployment:
    emulator: Emulator
    client: ClientFactory
    """Function that returns a boto3 client by service."""
    ids: Mapping[str, Any]
    """Resource ids by Pulumi name."""
    outputs: Mapping[str, Any]

    @property
    def stack(self) -> Stack:
        """The stack as the flows see it."""
        return open_local_stack(self.outputs["frontend"], partial(EmulatorClients, self.emulator.endpoint))

    @property
    def faults(self) -> FaultClient:
        """Client that switches on faults of the emulated services."""
        return FaultClient(self.emulator.services[faults.VARIABLE])

    def function(self, name: str) -> str:
        """Return the name of a function with its alias `live`."""
        return f"{self.ids[f'{name}-function']}:live"
