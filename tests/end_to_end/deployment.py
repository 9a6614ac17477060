"""Stack that is deployed to an emulator, with access to what the flows do not see: resource ids, functions and faults."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from local.emulation import faults
from local.emulation.faults import FaultClient
from local.flows import ClientFactory, Stack
from local.flows.identity import open_local_stack
from local.platform.emulator import Emulator
from local.platform.emulator_clients import EmulatorClients
from local.preview import stack_files
from local.preview.stack_files import StackConfig

FULL_MANIFEST = 100
"""Maximum number of files in a manifest. All other tests together upload fewer, so that they start no Spark run."""


def read_test_stack() -> StackConfig:
    """Return the configuration of the stack `local`, with one change: ingestion collects files for full manifests.

    A manifest is a list of files that one Spark run processes. The stack file lets ingestion process each file at once,
    so the tests would never see a full manifest.
    """
    config = stack_files.read_stack("local")
    key = f"{config.project}:ingestion"
    ingestion = json.loads(config.values[key])
    ingestion["manifests"] = {"files": FULL_MANIFEST}
    return replace(config, values={**config.values, key: json.dumps(ingestion)})


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
