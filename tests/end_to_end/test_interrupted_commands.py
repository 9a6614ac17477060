"""Tests of killed processes of the local platform.

If `up` or `down` is killed at any point, both commands work afterwards, and no process is left. If a process of the
running platform is killed, every command notices it. The commands deploy a few resources to a real emulator. `make fuzz`
kills them at every point with every signal, and also kills commands that deploy the whole program.
"""

import itertools
import json
import os
import signal
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from local.flows import eventually
from local.platform import emulator, lifecycle
from local.platform.emulator import Emulator
from local.platform.emulator_clients import EmulatorClients
from local.platform.folder_lock import lock_folder
from local.platform.frontend_file import FrontendUnavailable, read_frontend
from local.platform.state import PlatformState, ResourceStatus
from tests.end_to_end.command_killer import END, PACK, CommandResult, CommandRunner
from tests.end_to_end.deployed_test_programs import GONE, GROUP, QUEUES, RETENTION_DAYS, TOPIC
from tests.end_to_end.small_stack import create_function
from tests.process_tree import tree

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.xdist_group("interruption"),
    pytest.mark.skipif(sys.platform != "linux", reason="adopts orphaned processes with a Linux system call"),
]
THOROUGH_PROFILE_ONLY = pytest.mark.skipif(
    os.environ.get("HYPOTHESIS_PROFILE") != "thorough", reason="takes many minutes: `make fuzz` runs it"
)
KEPT_FILES = {"decisions.jsonl", "emulator.log", "command.lock"}
"""Files that stay: two logs, and the lock file that every command uses."""
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
"""Signals of the system when memory is short, of `kill`, of Ctrl-C, and of a closed terminal."""
EMULATOR_IS_KEPT = "replacement of emulator.json 2"
"""Point of a first `up` at which the platform is complete and the emulator outlives the command."""
UP_POINTS = (
    "opening of command.lock 1",
    "run of the program 1",
    "start of the emulator 1",
    "replacement of emulator.json 1",
    "run of the program 2",
    "replacement of state.json 1",
    "request 1",
    "opening of state.partial 3",
    "request 4",
    "kill of the policy pack 1",
    EMULATOR_IS_KEPT,
    f"{END} 1",
)
"""Some points of a first `up`, from its lock to its end."""
DOWN_POINTS = (
    "opening of command.lock 1",
    "opening of state.partial 1",
    "replacement of state.json 1",
    "request 1",
    "opening of state.partial 3",
    "request 3",
    "replacement of state.json 9",
    "kill of the emulator 1",
    "removal of emulator 1",
    "removal of emulator.json 1",
    "removal of state.json 1",
    f"{END} 1",
)
"""Some points of `down`."""
ENDLESS = """
import pathlib, signal

def handler(event, context):
    pathlib.Path(event["started"]).touch()
    signal.pause()
"""
"""Code of a function whose invocation does not end."""
WHOLE_PROGRAM_STEP = 200
"""Distance of the tested points of the whole program, which has thousands of points."""


@pytest.fixture(scope="module")
def runner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CommandRunner]:
    yield from run_commands(tmp_path_factory, "small")


@pytest.fixture(scope="module")
def whole_program_runner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CommandRunner]:
    yield from run_commands(tmp_path_factory, "local")


def run_commands(tmp_path_factory: pytest.TempPathFactory, stack: str) -> Iterator[CommandRunner]:
    runner = CommandRunner(tmp_path_factory.mktemp("runner"), stack)
    yield runner
    runner.run("down")
    runner.close()


@pytest.mark.parametrize(
    ("up_point", "down_point", "other_signal"),
    list(zip(UP_POINTS, DOWN_POINTS, itertools.cycle(SIGNALS[1:]), strict=False)),
    ids=[f"up, {up} - down, {down}" for up, down in zip(UP_POINTS, DOWN_POINTS, strict=True)],
)
def test_up_and_down_work_after_a_kill_at_a_point(
    runner: CommandRunner, up_point: str, down_point: str, other_signal: signal.Signals
) -> None:
    kill_command(runner, "up", up_point, signal.SIGKILL)
    require_gone(runner)
    kill_command(runner, "up", up_point, other_signal)
    require_complete(runner)
    kill_command(runner, "down", down_point, signal.SIGKILL)
    require_complete(runner)
    kill_command(runner, "down", down_point, other_signal)
    require_gone(runner)


@pytest.mark.parametrize(
    "point", ["opening of state.partial 3", "opening of state.partial 5"], ids=["update", "delete"]
)
def test_up_works_after_a_kill_just_after_a_change(runner: CommandRunner, point: str) -> None:
    require_complete(runner)
    kill_command(runner, "up", point, signal.SIGKILL, version=2)
    require_complete(runner, version=1)
    kill_command(runner, "up", point, signal.SIGKILL, version=2)
    require_complete(runner, version=2)
    require_gone(runner)


@pytest.mark.parametrize("point", ["run of the program 1", "run of the program 2", "request 4"])
def test_an_interrupted_first_up_leaves_no_processes_or_files(runner: CommandRunner, point: str) -> None:
    result = kill_command(runner, "up", point, signal.SIGINT)
    assert result.status == 130, result.output
    assert "interrupted; run `make up` to try again" in result.output
    assert "Traceback" not in result.output
    assert remaining_files(runner) == set()


def test_only_one_command_at_a_time_works_on_a_platform(runner: CommandRunner) -> None:
    with lock_folder(runner.platform, ""):
        for command in ("up", "down"):
            result = runner.run(command)
            assert result.status == 2, result.output
            assert f"process {os.getpid()}: wait until it ends" in result.output


@pytest.mark.parametrize("process", ["emulator", "services"])
def test_a_platform_with_a_dead_process_ends_as_a_whole(runner: CommandRunner, process: str) -> None:
    require_complete(runner)
    running = emulator.find_running(runner.platform)
    assert running is not None
    start_endless_invocation(running)
    [services] = [pid for pid in tree(running.pid) if "separate_process_services" in command_line(pid)]
    os.kill(running.pid if process == "emulator" else services, signal.SIGKILL)
    assert runner.await_processes() == [], "the worker of the invocation is killed too"
    assert lifecycle.find_running_platform(runner.platform) is None
    with pytest.raises(FrontendUnavailable, match="not running: start it with `make up`"):
        read_frontend(runner.platform)
    result = runner.run("up")
    assert "the emulator of the last platform has ended: starting a new platform" in result.output
    require_complete(runner)
    require_gone(runner)


@THOROUGH_PROFILE_ONLY
@pytest.mark.parametrize("signal_number", SIGNALS)
def test_up_and_down_work_after_a_kill_at_every_point(runner: CommandRunner, signal_number: signal.Signals) -> None:
    up = runner.run("up", with_policies=True)
    for version in (2, 1):
        for point in runner.run("up", version).points:
            require_complete(runner, 3 - version)
            kill_command(runner, "up", point, signal_number, version)
            require_complete(runner, 3 - version)
            kill_command(runner, "up", point, signal_number, version)
            require_complete(runner, version)
    for point in runner.run("down").points:
        require_complete(runner)
        kill_command(runner, "down", point, signal_number)
        require_complete(runner)
        kill_command(runner, "down", point, signal_number)
        require_gone(runner)
    for point in up.points:
        kill_command(runner, "up", point, signal_number)
        require_gone(runner)
        kill_command(runner, "up", point, signal_number)
        require_complete(runner)
        require_gone(runner)


@THOROUGH_PROFILE_ONLY
def test_up_and_down_of_the_whole_program_work_after_a_kill(whole_program_runner: CommandRunner) -> None:
    runner = whole_program_runner
    up = runner.run("up", with_policies=True)
    assert up.status == 0, up.output
    resources = read_resources(runner)
    points = itertools.zip_longest(
        select_points(up.points), select_points(runner.run("down").points), fillvalue=f"{END} 1"
    )
    for (up_point, down_point), signal_number in zip(points, itertools.cycle(SIGNALS), strict=False):
        kill_command(runner, "up", up_point, signal_number)
        up = runner.run("up")
        assert up.status == 0, up.output
        assert read_resources(runner) == resources
        kill_command(runner, "down", down_point, signal_number)
        up = runner.run("up")
        assert up.status == 0, up.output
        assert read_resources(runner) == resources
        kill_command(runner, "down", down_point, signal_number)
        require_gone(runner)


def kill_command(
    runner: CommandRunner, command: str, point: str, signal_number: signal.Signals, version: int = 1
) -> CommandResult:
    """Kill a command at a point, and require that its processes end."""
    result = runner.run(command, version, kill_at=point, signal_number=signal_number, with_policies=PACK in point)
    assert point in result.points, f"{command} has no point {point}, only {result.points}"
    if signal_number != signal.SIGINT:
        assert result.status == -signal_number, result.output
        assert result.points[-1] == point
    # After the other signals, the next command starts while the processes of this one may still be about to end.
    if command == "up" and signal_number == signal.SIGKILL and point not in {EMULATOR_IS_KEPT, f"{END} 1"}:
        # A first `up` takes its emulator with it, and all other processes. The emulator of an earlier `up` continues.
        running = emulator.find_running(runner.platform)
        kept = [running.pid] if running is not None and running.kept else []
        assert runner.await_processes(*kept) == []
    return result


def require_complete(runner: CommandRunner, version: int = 1) -> None:
    """Run `up`, and require that the platform is complete and that no other process is left."""
    result = runner.run("up", version)
    assert result.status == 0, result.output
    running = emulator.find_running(runner.platform)
    assert running is not None
    assert runner.await_processes(running.pid) == []
    clients = EmulatorClients(running.endpoint)
    topics = {topic["TopicArn"].rpartition(":")[2] for topic in clients("sns").list_topics()["Topics"]}
    queues = {url.rpartition("/")[2] for url in clients("sqs").list_queues().get("QueueUrls", ())}
    groups = {
        group["logGroupName"]: group.get("retentionInDays")
        for group in clients("logs").describe_log_groups()["logGroups"]
    }
    assert topics == ({TOPIC, GONE} if version == 1 else {TOPIC})
    assert queues == {QUEUES[version]}
    assert groups == {GROUP: RETENTION_DAYS[version]}
    platform = lifecycle.find_running_platform(runner.platform)
    assert platform is not None
    assert platform["outputs"].keys() == {"topic"}


def require_gone(runner: CommandRunner) -> None:
    """Run `down`, and require that no process and no file is left."""
    result = runner.run("down")
    assert result.status == 0, result.output
    assert runner.await_processes() == []
    assert remaining_files(runner) == set()


def start_endless_invocation(running: Emulator) -> None:
    """Create a function whose invocation does not end, invoke it, and wait until its code runs."""
    started = running.folder / "emulator" / "started"
    clients = EmulatorClients(running.endpoint)
    role = clients("iam").create_role(RoleName="endless", AssumeRolePolicyDocument=json.dumps({}))["Role"]["Arn"]
    create_function(clients, "endless", ENDLESS, role, Timeout=900)
    clients("lambda").invoke(
        FunctionName="endless", InvocationType="Event", Payload=json.dumps({"started": str(started)})
    )
    eventually(lambda: started.exists() or None, "the invocation")


def command_line(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_text()


def remaining_files(runner: CommandRunner) -> set[str]:
    """Return the names of all files of the commands except those that stay."""
    return {path.name for name in ("platform", "home", "tmp") for path in (runner.folder / name).iterdir()} - KEPT_FILES


def read_resources(runner: CommandRunner) -> set[str]:
    running = emulator.find_running(runner.platform)
    assert running is not None
    state = PlatformState.read(runner.platform / "state.json", f"{running.pid}:{running.port}")
    return {urn for urn, entry in state.entries().items() if entry.status is ResourceStatus.MADE}


def select_points(points: Iterable[str]) -> list[str]:
    return list(points)[::WHOLE_PROGRAM_STEP]
