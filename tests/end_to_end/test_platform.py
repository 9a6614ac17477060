"""The platform as a whole: what a second up does, what listens, and that nothing stays behind."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from local import ROOT
from local.flows import eventually
from local.platform import emulator
from local.platform import lifecycle as whole
from local.platform.emulator import EmulatorError
from local.platform.progress import SilentProgress
from local.platform.resource_changes import ResourceAction
from local.platform.state import PlatformState
from local.platform.update_plan import UpdatePlan
from local.preview import stack_files
from tests.end_to_end.conftest import Platform
from tests.process_tree import listening, tree

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("platform")]


@pytest.mark.skipif(sys.platform != "linux", reason="reads the sockets of a process tree from /proc")
def test_only_loopback_is_listened_on(platform: Platform) -> None:
    """Handlers have run by now, so their workers are in the tree too."""
    pids = tree(platform.emulator.pid)
    addresses = {address for pid in pids for address in listening(pid)}
    assert f"127.0.0.1:{platform.emulator.port}" in addresses
    assert [one for one in addresses if not one.startswith("127.0.0.1:")] == [], "the services beside it too"


def test_a_plan_of_what_runs_has_nothing_to_do(platform: Platform) -> None:
    steps = UpdatePlan(state_of(platform)).of(stack_files.read("local"))
    assert {step.action for step in steps} == {ResourceAction.SAME}
    assert len(steps) == len(platform.graph.customs())


def test_a_plan_names_what_a_changed_setting_changes(platform: Platform) -> None:
    config = stack_files.read("local")
    values = {**config.values, "polyphony:ingestion": '{"intake": {"batchWindowSeconds": 2}}'}
    steps = UpdatePlan(state_of(platform)).of(replace(config, values=values))
    changed = {step.urn.rpartition("::")[2]: step.action for step in steps if step.action is not ResourceAction.SAME}
    assert changed["ingestion-intake-source"] is ResourceAction.UPDATE, "the window"
    assert changed["ingestion-manifest-builder-function"] is ResourceAction.UPDATE, "the log level is INFO by default"
    assert changed["ingestion-manifest-builder-live"] is ResourceAction.UPDATE, "it follows the version"
    assert ResourceAction.REPLACE not in changed.values()


def test_a_second_up_changes_only_the_functions_whose_settings_changed(platform: Platform) -> None:
    zip_file = ROOT / "build" / "zips" / "ingestion.zip"
    before = zip_file.read_bytes()
    alias = platform.id("ingestion-manifest-builder-function")
    version = platform.client("lambda").get_alias(FunctionName=alias, Name="live")["FunctionVersion"]
    heard = Heard()
    config = stack_files.read("local")
    settings = {**json.loads(config.values["polyphony:ingestion"]), "logLevel": "INFO"}
    changed = replace(config, values={**config.values, "polyphony:ingestion": json.dumps(settings)})
    try:
        whole.deploy(changed, platform.emulator, heard)
    finally:
        whole.deploy(config, platform.emulator, SilentProgress())
    functions = [
        f"ingestion-{one}-{part}" for one in ("manifest-builder", "steps", "sweeper") for part in ("function", "live")
    ]
    assert heard.changed == dict.fromkeys(functions, ResourceAction.UPDATE), "the log level is each function's own"
    now = platform.client("lambda").get_alias(FunctionName=alias, Name="live")["FunctionVersion"]
    assert int(now) == int(version) + 2, "once there, once back"
    assert zip_file.read_bytes() == before


class Heard(SilentProgress):
    def __init__(self) -> None:
        self.changed: dict[str, ResourceAction] = {}

    def on_finish(self, urn: str, action: ResourceAction, _seconds: float, /) -> None:
        if action is not ResourceAction.SAME:
            self.changed[urn.rpartition("::")[2]] = action


def test_an_emulator_ends_with_the_block_that_started_it(tmp_path: Path) -> None:
    with emulator.start(tmp_path) as started:
        pid = started.emulator.pid
        assert emulator.find_running(tmp_path) == started.emulator
        assert started.emulator.port in emulator.PORTS
        with pytest.raises(EmulatorError, match="already runs in this folder"):
            emulator.start(tmp_path)
    assert not alive(pid)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["decisions.jsonl", "emulator.log"]


START = """
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


def test_an_emulator_ends_when_whoever_started_it_is_killed(tmp_path: Path) -> None:
    with subprocess.Popen(  # noqa: S603 - this project's own code
        [sys.executable, "-c", START, str(tmp_path)], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert alive(pid)
        parent.send_signal(signal.SIGKILL)
        parent.wait()
        eventually(lambda: None if alive(pid) else True, "the emulator's end")
        eventually(
            lambda: None if emulator.find_running(tmp_path) else True, "its lock"
        )  # its last thread lets go of it


def test_an_emulator_that_was_told_to_stay_is_stopped_by_down(tmp_path: Path) -> None:
    run = subprocess.run(  # noqa: S603 - this project's own code
        [sys.executable, "-c", START, str(tmp_path), "keep"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    pid = int(run.stdout)
    assert alive(pid)
    found = emulator.find_running(tmp_path)
    assert found is not None
    assert found.pid == pid
    assert whole.find_running_platform(tmp_path) == {"endpoint": found.endpoint, "outputs": {}}
    assert whole.down(tmp_path) == 0
    eventually(lambda: None if alive(pid) else True, "the emulator's end")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["command.lock", "decisions.jsonl", "emulator.log"]


def test_down_without_anything_running_is_no_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert whole.down(tmp_path) == 0
    assert capsys.readouterr().out == "the local platform is not running\n"


@pytest.fixture
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(emulator, "PYTHON", ROOT / "no-such-environment" / "python")


@pytest.mark.usefixtures("_no_environment")
def test_without_the_emulators_environment_the_error_says_what_makes_it(tmp_path: Path) -> None:
    with pytest.raises(EmulatorError, match="`make up`, which creates it"):
        emulator.start(tmp_path)


def state_of(platform: Platform) -> PlatformState:
    there = platform.emulator
    return PlatformState.read(there.folder / "state.json", f"{there.pid}:{there.port}")


def alive(pid: int) -> bool:
    """Whether a process is there and no zombie that its parent has yet to look after."""
    try:
        os.kill(pid, 0)
        if sys.platform != "linux":
            return True
        return "(zombie)" not in Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    except (FileNotFoundError, ProcessLookupError):
        return False
