"""Test of `make provider`, a process through which the Pulumi CLI deploys to an emulator: instructions, lock and end."""

import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import grpc
import pytest
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc

from local import ROOT

pytestmark = pytest.mark.e2e


COMMAND = [sys.executable, "-m", "local", "provider", "--folder"]


def is_listening(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.parametrize("signal_number", [signal.SIGINT, signal.SIGTERM], ids=["interrupt", "terminate"])
def test_the_provider_serves_until_it_is_stopped_and_its_emulator_ends_with_it(
    signal_number: signal.Signals, tmp_path: Path
) -> None:
    stale_state = tmp_path / "pulumi" / "stale.json"
    stale_state.parent.mkdir()
    stale_state.touch()
    with subprocess.Popen(  # noqa: S603
        [*COMMAND, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        instructions = ""
        while "Ctrl-C ends" not in instructions:
            line = process.stdout.readline()
            assert line, instructions
            instructions += line
        [port] = re.findall(r"PULUMI_DEBUG_PROVIDERS=aws:(\d+) ", instructions)
        [emulator_port] = re.findall(r"the emulator at http://127\.0\.0\.1:(\d+)\.", instructions)
        assert f"pulumi login file://{tmp_path / 'pulumi'}\n" in instructions
        assert not stale_state.exists()

        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            stub = provider_pb2_grpc.ResourceProviderStub(channel)
            assert stub.Handshake(provider_pb2.ProviderHandshakeRequest()).accept_secrets
            identity = stub.Invoke(provider_pb2.InvokeRequest(tok="aws:index/getCallerIdentity:getCallerIdentity"))
            assert getattr(identity, "return")["accountId"] == "123456789012"
        assert is_listening(int(emulator_port))
        second_process = subprocess.run(  # noqa: S603
            [*COMMAND, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, check=False
        )
        assert (second_process.returncode, "another `make provider` is using" in second_process.stderr) == (2, True)

        process.send_signal(signal_number)
        assert process.wait(timeout=20) == 0
        assert process.stdout.read() == "The provider and its emulator have ended.\n"
    assert not is_listening(int(emulator_port))
