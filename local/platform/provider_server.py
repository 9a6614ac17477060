"""Server of `make provider`: a new emulator, and the provider with which the Pulumi CLI deploys to it.

Both run until Ctrl-C. The server has a folder for the CLI's state, which it empties at each start. Otherwise, the state
would list resources of an earlier emulator, which no longer exist.
"""

import shutil
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import grpc
from pulumi.runtime.proto import provider_pb2_grpc

from local import LOOPBACK
from local.platform import emulator
from local.platform.emulator_clients import EmulatorClients
from local.platform.folder_lock import CLI_STATE, lock_folder
from local.platform.provider import PulumiProvider
from local.preview.policy_pack_process import UNLIMITED_MESSAGES

FOLDER = emulator.FOLDER / "provider"
"""Folder of the emulator's files and of the CLI's state. `make up` uses another folder, so both can run at once."""
OTHER_COMMANDS = "another `make provider`"
"""Commands that may hold the lock of the folder, for the error message."""
MAX_CONCURRENT_REQUESTS = 64
"""Number of threads that answer the CLI. The CLI creates up to four resources per processor at once."""
GRACE_SECONDS = 1
"""Time for the last responses, when the server stops."""
INSTRUCTIONS = """
The provider listens at {address}, and the emulator at {endpoint}.
In another terminal, in the project's folder:

  export PULUMI_DEBUG_PROVIDERS=aws:{port} PULUMI_CONFIG_PASSPHRASE=local
  pulumi login file://{backend}
  pulumi stack init local
  pulumi up --stack local --policy-pack policies

A deployment is much faster if the CLI saves its state only at the end:

  export PULUMI_EXPERIMENTAL=true PULUMI_SKIP_CHECKPOINTS=true

If you kill such a deployment, start the provider again.

Ctrl-C ends the provider and the emulator, with everything that was deployed."""


def command(folder: Path = FOLDER) -> int:
    """Serve the provider until Ctrl-C, for `make provider`. Return the exit status."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)  # a process in the background may ignore SIGINT
    with lock_folder(folder, OTHER_COMMANDS):
        emulator.stop(folder)  # removes the files that a killed provider may have left
        backend = folder / CLI_STATE
        shutil.rmtree(backend, ignore_errors=True)
        backend.mkdir()
        with emulator.start(folder) as started:
            endpoint = started.emulator.endpoint
            with serve_provider(PulumiProvider(EmulatorClients(endpoint))) as port:
                address = f"{LOOPBACK}:{port}"
                print(INSTRUCTIONS.format(address=address, endpoint=endpoint, port=port, backend=backend))
                try:
                    signal.pause()
                except KeyboardInterrupt:
                    print("The provider and its emulator have ended.")
    return 0


@contextmanager
def serve_provider(provider: PulumiProvider) -> Iterator[int]:
    """Serve a provider on a free port of the loopback address. Yield the port."""
    server = grpc.server(ThreadPoolExecutor(MAX_CONCURRENT_REQUESTS, "provider"), options=UNLIMITED_MESSAGES)
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(provider, server)
    port = server.add_insecure_port(f"{LOOPBACK}:0")
    server.start()
    try:
        yield port
    finally:
        server.stop(GRACE_SECONDS).wait()
