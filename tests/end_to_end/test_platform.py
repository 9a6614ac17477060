"""Tests of the whole local platform: a second deployment, its sockets, and that nothing is left behind."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from local import ROOT
from local.flows import eventually, read_flow_stack
from local.platform import emulator, lifecycle
from local.platform.emulator import EmulatorError
from local.platform.progress import SilentProgress
from local.platform.resource_change_planning import ResourceAction
from local.platform.state import PlatformState
from local.platform.update_plan import PlanningProvider
from tests.end_to_end.conftest import Platform
from tests.end_to_end.small_stack import ActionRecorder
from tests.process_tree import listening, tree

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("platform")]


@pytest.mark.skipif(sys.platform != "linux", reason="reads the sockets of a process tree from /proc")
def test_the_platform_listens_on_loopback_only(platform: Platform) -> None:
    """Handlers have run by now, so the process tree includes their workers."""
    pids = tree(platform.emulator.pid)
    addresses = {address for pid in pids for address in listening(pid)}
    assert f"127.0.0.1:{platform.emulator.port}" in addresses
    assert [address for address in addresses if not address.startswith("127.0.0.1:")] == [], (
        "the emulated services also listen on loopback only"
    )


def test_a_plan_without_changes_has_no_steps(platform: Platform) -> None:
    steps = PlanningProvider(state_of(platform)).list_steps(read_flow_stack())
    assert {step.action for step in steps} == {ResourceAction.SAME}
    assert len(steps) == len(platform.graph.customs())


def test_a_plan_lists_the_resources_that_a_changed_setting_affects(platform: Platform) -> None:
    config = read_flow_stack()
    values = {**config.values, "polyphony:ingestion": '{"intake": {"batchWindowSeconds": 2}}'}
    steps = PlanningProvider(state_of(platform)).list_steps(replace(config, values=values))
    changed = {step.urn.rpartition("::")[2]: step.action for step in steps if step.action is not ResourceAction.SAME}
    assert changed["ingestion-intake-source"] is ResourceAction.UPDATE, "the batching window changed"
    assert changed["ingestion-manifest-builder-function"] is ResourceAction.UPDATE, (
        "without the stack file, the log level is INFO"
    )
    assert changed["ingestion-manifest-builder-live"] is ResourceAction.UPDATE, "the alias follows the version"
    assert ResourceAction.REPLACE not in changed.values()


def test_a_second_up_updates_only_functions_with_changed_settings(platform: Platform) -> None:
    zip_file = ROOT / "build" / "zips" / "ingestion.zip"
    zip_before = zip_file.read_bytes()
    alias = platform.id("ingestion-manifest-builder-function")
    version = platform.client("lambda").get_alias(FunctionName=alias, Name="live")["FunctionVersion"]
    recorder = ActionRecorder()
    config = read_flow_stack()
    settings = {**json.loads(config.values["polyphony:ingestion"]), "logLevel": "INFO"}
    changed = replace(config, values={**config.values, "polyphony:ingestion": json.dumps(settings)})
    try:
        lifecycle.deploy(changed, platform.emulator, recorder)
    finally:
        lifecycle.deploy(config, platform.emulator, SilentProgress())
    functions = [
        f"ingestion-{function}-{part}"
        for function in ("manifest-builder", "steps", "sweeper")
        for part in ("function", "live")
    ]
    actions = {name: action for name, action in recorder.actions.items() if action is not ResourceAction.SAME}
    assert actions == dict.fromkeys(functions, ResourceAction.UPDATE), (
        "the log level changes the functions and their aliases only"
    )
    new_version = platform.client("lambda").get_alias(FunctionName=alias, Name="live")["FunctionVersion"]
    assert int(new_version) == int(version) + 2, "one version for the change and one for its reversal"
    assert zip_file.read_bytes() == zip_before


def test_an_emulator_stops_at_the_end_of_its_with_block(tmp_path: Path) -> None:
    with emulator.start(tmp_path) as running_emulator:
        pid = running_emulator.emulator.pid
        assert emulator.find_running(tmp_path) == running_emulator.emulator
        assert running_emulator.emulator.port in emulator.PORTS
        with pytest.raises(EmulatorError, match="already runs in this folder"):
            emulator.start(tmp_path)
    assert not alive(pid)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["decisions.jsonl", "emulator.log"]


START_EMULATOR = """
import sys, time
from pathlib import Path
from local.platform import emulator
with emulator.start(Path(sys.argv[1])) as started:
    if "keep" in sys.argv:
        started.keep()
    print(started.emulator.pid, flush=True)
    if "keep" not in sys.argv:
        sys.stdin.read()
"""


def test_an_emulator_stops_when_its_parent_process_is_killed(tmp_path: Path) -> None:
    with subprocess.Popen(  # noqa: S603 - this project's own code
        [sys.executable, "-c", START_EMULATOR, str(tmp_path)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert alive(pid)
        parent.send_signal(signal.SIGKILL)
        parent.wait()
        eventually(lambda: None if alive(pid) else True, "the emulator's end")
        eventually(
            lambda: None if emulator.find_running(tmp_path) else True, "its lock"
        )  # its last thread releases the lock a little later


def test_a_kept_emulator_is_stopped_by_down(tmp_path: Path) -> None:
    run = subprocess.run(  # noqa: S603 - this project's own code
        [sys.executable, "-c", START_EMULATOR, str(tmp_path), "keep"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    pid = int(run.stdout)
    assert alive(pid)
    running = emulator.find_running(tmp_path)
    assert running is not None
    assert running.pid == pid
    assert lifecycle.find_running_platform(tmp_path) == {"endpoint": running.endpoint, "outputs": {}, "ids": {}}
    assert lifecycle.down(tmp_path) == 0
    eventually(lambda: None if alive(pid) else True, "the emulator's end")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["command.lock", "decisions.jsonl", "emulator.log"]


def test_a_missing_emulator_environment_is_reported_with_the_command_that_creates_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(emulator, "PYTHON", ROOT / "no-such-environment" / "python")
    with pytest.raises(EmulatorError, match="`make up`, which creates it"):
        emulator.start(tmp_path)


def state_of(platform: Platform) -> PlatformState:
    there = platform.emulator
    return PlatformState.read(there.folder / "state.json", f"{there.pid}:{there.port}")


def alive(pid: int) -> bool:
    """Return True if a process exists and is not a zombie that its parent has not reaped yet."""
    try:
        os.kill(pid, 0)
        if sys.platform != "linux":
            return True
        return "(zombie)" not in Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    except (FileNotFoundError, ProcessLookupError):
        return False
