"""Tests of killed processes of the local platform.

If `up` or `down` is killed at any point, both commands work afterwards, and no process is left. A *point* is a moment
such as `request 3`, just before the command sends its third request to a service (`command_killer.py`). If a process of
the running platform is killed, every command notices it. The commands deploy a few resources to a real emulator.
`make fuzz` kills them at every point with every signal, and also kills commands that deploy the whole program.
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
from tests.end_to_end.command_killer import COMMAND_END, POLICY_PACK, CommandResult, CommandRunner
from tests.end_to_end.deployed_test_programs import LOG_GROUP, QUEUES, REMOVED_TOPIC, RETENTION_DAYS, TOPIC
from tests.end_to_end.small_stack import create_function
from tests.process_tree import list_process_tree

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.xdist_group("interruption"),
    pytest.mark.skipif(
        sys.platform != "linux", reason="the server adopts orphaned processes with a system call of Linux"
    ),
]
THOROUGH_PROFILE_ONLY = pytest.mark.skipif(
    os.environ.get("HYPOTHESIS_PROFILE") != "thorough", reason="takes many minutes: `make fuzz` runs it"
)
KEPT_FILES = {"decisions.jsonl", "emulator.log", "command.lock"}
"""Files that stay: two logs, and the lock file that every command uses."""
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
"""Signals that the system sends when memory is short, and that `kill`, Ctrl-C and a closed terminal send."""
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
    f"{COMMAND_END} 1",
)
"""Some points of a first `up`, from its lock to its end.

It runs the program twice, for a preview and for the deployment. A command writes its state to `state.partial`, which then replaces `state.json`.
"""
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
    f"{COMMAND_END} 1",
)
"""Some points of `down`."""
ENDLESS_FUNCTION = """
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
    yield from start_runner(tmp_path_factory, whole_program=False)


@pytest.fixture(scope="module")
def whole_program_runner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CommandRunner]:
    yield from start_runner(tmp_path_factory, whole_program=True)


def start_runner(tmp_path_factory: pytest.TempPathFactory, *, whole_program: bool) -> Iterator[CommandRunner]:
    """Yield a runner of commands, and remove its platform at the end."""
    runner = CommandRunner(tmp_path_factory.mktemp("runner"), whole_program=whole_program)
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
    delete_platform(runner)
    kill_command(runner, "up", up_point, other_signal)
    complete_platform(runner)
    kill_command(runner, "down", down_point, signal.SIGKILL)
    complete_platform(runner)
    kill_command(runner, "down", down_point, other_signal)
    delete_platform(runner)


@pytest.mark.parametrize(
    "point", ["opening of state.partial 3", "opening of state.partial 5"], ids=["after an update", "after a deletion"]
)
def test_up_works_after_a_kill_just_after_a_change(runner: CommandRunner, point: str) -> None:
    """`up` is killed when it is about to store in its state that it has changed a resource."""
    complete_platform(runner)
    kill_command(runner, "up", point, signal.SIGKILL, version=2)
    complete_platform(runner, version=1)
    kill_command(runner, "up", point, signal.SIGKILL, version=2)
    complete_platform(runner, version=2)
    delete_platform(runner)


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
    """A separate process runs the services that the emulator lacks."""
    complete_platform(runner)
    running = emulator.find_running(runner.platform)
    assert running is not None
    start_endless_invocation(running)
    [services] = [pid for pid in list_process_tree(running.pid) if "separate_process_services" in command_line(pid)]
    os.kill(running.pid if process == "emulator" else services, signal.SIGKILL)
    assert runner.wait_for_other_processes() == [], "the worker of the invocation is killed too"
    assert lifecycle.find_running_platform(runner.platform) is None
    with pytest.raises(FrontendUnavailable, match="not running: start it with `make up`"):
        read_frontend(runner.platform)
    result = runner.run("up")
    assert "the emulator of the last platform has ended: starting a new platform" in result.output
    complete_platform(runner)
    delete_platform(runner)


@THOROUGH_PROFILE_ONLY
@pytest.mark.parametrize("signal_number", SIGNALS)
def test_up_and_down_work_after_a_kill_at_every_point(runner: CommandRunner, signal_number: signal.Signals) -> None:
    first_up = runner.run("up", with_policies=True)
    for version, other_version in ((2, 1), (1, 2)):
        for point in runner.run("up", version).points:
            complete_platform(runner, other_version)
            kill_command(runner, "up", point, signal_number, version)
            complete_platform(runner, other_version)
            kill_command(runner, "up", point, signal_number, version)
            complete_platform(runner, version)
    for point in runner.run("down").points:
        complete_platform(runner)
        kill_command(runner, "down", point, signal_number)
        complete_platform(runner)
        kill_command(runner, "down", point, signal_number)
        delete_platform(runner)
    for point in first_up.points:
        kill_command(runner, "up", point, signal_number)
        delete_platform(runner)
        kill_command(runner, "up", point, signal_number)
        complete_platform(runner)
        delete_platform(runner)


@THOROUGH_PROFILE_ONLY
def test_up_and_down_of_the_whole_program_work_after_a_kill(whole_program_runner: CommandRunner) -> None:
    runner = whole_program_runner
    up = runner.run("up", with_policies=True)
    assert up.status == 0, up.output
    resources = read_resources(runner)
    points = itertools.zip_longest(
        select_points(up.points), select_points(runner.run("down").points), fillvalue=f"{COMMAND_END} 1"
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
        delete_platform(runner)


def kill_command(
    runner: CommandRunner, command: str, point: str, signal_number: signal.Signals, version: int = 1
) -> CommandResult:
    """Kill a command at a point, and assert that its processes end."""
    result = runner.run(
        command, version, kill_at=point, signal_number=signal_number, with_policies=POLICY_PACK in point
    )
    assert point in result.points, f"{command} has no point {point}, only {result.points}"
    if signal_number != signal.SIGINT:
        assert result.status == -signal_number, result.output
        assert result.points[-1] == point
    # After other signals, the check is omitted on purpose, so that the next command may start while processes of this
    # command are still ending.
    if command == "up" and signal_number == signal.SIGKILL and point not in {EMULATOR_IS_KEPT, f"{COMMAND_END} 1"}:
        # All processes end with a killed first `up`, also the emulator. The emulator of an earlier `up` continues.
        running = emulator.find_running(runner.platform)
        kept_pids = [running.pid] if running is not None and running.kept else []
        assert runner.wait_for_other_processes(*kept_pids) == []
    return result


def complete_platform(runner: CommandRunner, version: int = 1) -> None:
    """Run `up`, and assert that the platform has all resources of the version and that no other process is left."""
    result = runner.run("up", version)
    assert result.status == 0, result.output
    running = emulator.find_running(runner.platform)
    assert running is not None
    assert runner.wait_for_other_processes(running.pid) == []
    clients = EmulatorClients(running.endpoint)
    topics = {topic["TopicArn"].rpartition(":")[2] for topic in clients("sns").list_topics()["Topics"]}
    queues = {url.rpartition("/")[2] for url in clients("sqs").list_queues().get("QueueUrls", ())}
    groups = {
        group["logGroupName"]: group.get("retentionInDays")
        for group in clients("logs").describe_log_groups()["logGroups"]
    }
    assert topics == ({TOPIC, REMOVED_TOPIC} if version == 1 else {TOPIC})
    assert queues == {QUEUES[version]}
    assert groups == {LOG_GROUP: RETENTION_DAYS[version]}
    platform = lifecycle.find_running_platform(runner.platform)
    assert platform is not None
    assert platform["outputs"].keys() == {"topic"}


def delete_platform(runner: CommandRunner) -> None:
    """Run `down`, and assert that no process and no file of the platform is left."""
    result = runner.run("down")
    assert result.status == 0, result.output
    assert runner.wait_for_other_processes() == []
    assert remaining_files(runner) == set()


def start_endless_invocation(running: Emulator) -> None:
    """Create a function whose invocation does not end, invoke it, and wait until its code runs."""
    started = running.folder / "emulator" / "started"
    clients = EmulatorClients(running.endpoint)
    role = clients("iam").create_role(RoleName="endless", AssumeRolePolicyDocument=json.dumps({}))["Role"]["Arn"]
    create_function(clients, "endless", ENDLESS_FUNCTION, role, Timeout=900)
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
