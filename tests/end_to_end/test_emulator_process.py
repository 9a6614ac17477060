"""Tests of the emulator's process: its end with the command that started it, and `make provider`, which serves it."""

import contextlib
import re
import signal
import subprocess
import sys
from pathlib import Path

import grpc
import pytest
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc

from local import ROOT
from local.flows import eventually
from local.platform import emulator
from local.platform.emulator import EmulatorError

pytestmark = pytest.mark.e2e

START_EMULATOR = """
import sys
from pathlib import Path
from local.platform import emulator
with emulator.start(Path(sys.argv[1])) as started:
    print(started.emulator.pid, flush=True)
    sys.stdin.read()
"""
"""Program that starts an emulator."""
PROVIDER = [sys.executable, "-m", "local", "provider", "--folder"]


def test_an_emulator_ends_with_its_with_block_and_a_second_one_is_refused(tmp_path: Path) -> None:
    with emulator.start(tmp_path) as started:
        assert emulator.find_running(tmp_path) == started.emulator
        assert started.emulator.port in emulator.PORTS
        with pytest.raises(EmulatorError, match="already runs in this folder"):
            emulator.start(tmp_path)
    assert_ended(tmp_path, started.emulator.pid)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["decisions.jsonl", "emulator.log"]


def test_an_emulator_ends_when_its_parent_process_is_killed(tmp_path: Path) -> None:
    with subprocess.Popen(  # noqa: S603 - this project's own code
        [sys.executable, "-c", START_EMULATOR, str(tmp_path)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        parent.send_signal(signal.SIGKILL)
        parent.wait()
    eventually(lambda: None if emulator.find_running(tmp_path) else True, "the emulator's end")
    assert_ended(tmp_path, pid)


def test_a_missing_emulator_environment_is_reported_with_the_command_that_creates_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(emulator, "PYTHON", ROOT / "no-such-environment" / "python")
    with pytest.raises(EmulatorError, match="`make up`, which creates it"):
        emulator.start(tmp_path)


def test_the_provider_serves_until_it_is_stopped_and_its_emulator_ends_with_it(tmp_path: Path) -> None:
    stale_state = tmp_path / "pulumi" / "stale.json"
    stale_state.parent.mkdir()
    stale_state.touch()
    with subprocess.Popen(  # noqa: S603 - this project's own code
        [*PROVIDER, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        instructions = ""
        while "Ctrl-C ends" not in instructions:
            line = process.stdout.readline()
            assert line, instructions
            instructions += line
        [port] = re.findall(r"PULUMI_DEBUG_PROVIDERS=aws:(\d+) ", instructions)
        running = emulator.find_running(tmp_path)
        assert running is not None
        assert f"the emulator at {running.endpoint}." in instructions
        assert f"pulumi login file://{tmp_path / 'pulumi'}\n" in instructions
        assert not stale_state.exists()
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            stub = provider_pb2_grpc.ResourceProviderStub(channel)
            assert stub.Handshake(provider_pb2.ProviderHandshakeRequest()).accept_secrets
        second = subprocess.run(  # noqa: S603 - this project's own code
            [*PROVIDER, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, check=False
        )
        assert (second.returncode, "another `make provider` is using" in second.stderr) == (2, True)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 0
        assert process.stdout.read() == "The provider and its emulator have ended.\n"
    assert_ended(tmp_path, running.pid)


def assert_ended(folder: Path, pid: int) -> None:
    """Assert that the emulator of a folder and all processes of its group have ended."""
    assert emulator.find_running(folder) is None
    eventually(lambda: None if list_group(pid) else True, "the end of the emulator's processes")


def list_group(group: int) -> list[str]:
    """Return the files in `/proc` of a process group's processes, without those that wait to be reaped."""
    members = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, _, process_group = path.read_text().rpartition(")")[2].split()[:3]
            if int(process_group) == group and state != "Z":
                members.append(str(path))
    return members
