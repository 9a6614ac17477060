"""Fixtures of the tests that run the Pulumi CLI. The tests are skipped on a machine without the CLI."""

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from components import handler_archive
from local.platform import emulator
from local.platform.emulator import Emulator
from local.platform.emulator_clients import EmulatorClients
from local.platform.provider import PulumiProvider
from local.platform.provider_server import serve_provider
from tests.entry_modules import ENTRY_MODULES

CLI_REQUIRED_VARIABLE = "REQUIRE_PULUMI_CLI"
"""Environment variable that continuous integration sets, so that a missing CLI fails the tests there."""


def find_pulumi_cli() -> Path:
    """Return the path of the Pulumi CLI. Without it, fail the test if it is required, and skip the test otherwise."""
    path = shutil.which("pulumi")
    if path is not None:
        return Path(path)
    reason = "the Pulumi CLI is not on the PATH"
    if os.environ.get(CLI_REQUIRED_VARIABLE):
        pytest.fail(f"{reason}, but {CLI_REQUIRED_VARIABLE} is set")
    pytest.skip(f"{reason}, so nothing is tested with the CLI")


@pytest.fixture(scope="session")
def pulumi_cli() -> Path:
    return find_pulumi_cli()


@dataclass
class ObservedClients:
    """Clients of the emulator that record each call. A test can make operations fail, or run code before each call."""

    clients: EmulatorClients
    calls: list[str] = field(default_factory=list)
    """Operations in the order of their calls, as boto3 names them."""
    refused_operations: set[str] = field(default_factory=set)
    """Operations that fail with an error of the service."""
    before_call: Callable[[str], None] = lambda _operation: None
    """Function that is called before each call, in its thread."""

    def __call__(self, service: str) -> Any:
        return _ObservedClient(self, self.clients(service))


class _ObservedClient:
    def __init__(self, observer: ObservedClients, client: Any) -> None:
        self._observer = observer
        self._client = client

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._client, name)
        if not callable(attribute) or name in ("get_paginator", "get_waiter"):
            return attribute

        def call(**parameters: Any) -> Any:
            self._observer.calls.append(name)
            self._observer.before_call(name)
            if name in self._observer.refused_operations:
                raise ClientError({"Error": {"Code": "LimitExceededException", "Message": "refused by the test"}}, name)
            return attribute(**parameters)

        return call


@dataclass(frozen=True)
class ServedPlatform:
    """An emulator, and the Pulumi provider through which the CLI deploys to it."""

    emulator: Emulator
    clients: ObservedClients
    environment: dict[str, str]
    """Variables by which the CLI finds the provider."""

    @property
    def unobserved_clients(self) -> EmulatorClients:
        """Clients with which a test reads or changes resources. Their calls are not recorded."""
        return self.clients.clients


@pytest.fixture(scope="module")
def served_platform(pulumi_cli: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedPlatform]:
    """Empty emulator with a provider, for the tests of one module."""
    # The tests deploy copies of the program, but the provider reads the functions' archives from this project's folder.
    for entry_module in ENTRY_MODULES:
        handler_archive.write_archive(entry_module)
    with emulator.start(tmp_path_factory.mktemp("emulator")) as started:
        clients = ObservedClients(EmulatorClients(started.emulator.endpoint))
        with serve_provider(PulumiProvider(clients)) as port:
            yield ServedPlatform(started.emulator, clients, {"PULUMI_DEBUG_PROVIDERS": f"aws:{port}"})
