"""Local AWS emulators that a benchmark starts: with all resources of the stack `local`, or empty."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from local.platform import emulator
from local.platform.emulator_clients import EmulatorClients
from local.platform.lifecycle import deploy
from local.platform.progress import Progress
from tests.end_to_end.deployment import Deployment, read_test_stack


@contextmanager
def deploy_local_stack() -> Iterator[Deployment]:
    """Deploy the stack `local` to a new emulator, with the configuration of `make demo` (`read_test_stack`)."""
    with tempfile.TemporaryDirectory() as folder, emulator.start(Path(folder)) as started:
        deployed = deploy(read_test_stack(), started.emulator, Progress())
        clients = EmulatorClients(started.emulator.endpoint)
        yield Deployment(started.emulator, clients, deployed.ids, deployed.outputs)


@contextmanager
def start_emulator() -> Iterator[EmulatorClients]:
    """Start an emulator without resources, and yield the factory of its boto3 clients."""
    with tempfile.TemporaryDirectory() as folder, emulator.start(Path(folder)) as started:
        yield EmulatorClients(started.emulator.endpoint)
