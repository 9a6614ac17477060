"""An attempt of a job as a real process: told to stop, killed when it does not, and nothing of it left."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from local.flows import eventually
from local.patches.batch_attempts import EXITED, RECLAIMED, TIMED_OUT, Attempt, Ran
from local.patches.batch_containers import SUPERVISOR, Image
from local.patches.batch_faults import Fault
from local.patches.batch_rules import Ending

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals")

PROGRAM = """
import json, os, signal, subprocess, sys, time
from pathlib import Path

match sys.argv[1]:
    case "exit":
        sys.exit(int(sys.argv[2]))
    case "look":
        seen = {"names": sorted(os.environ), "given": os.environ["GIVEN"]}
        print(json.dumps({**seen, "path": os.environ["PATH"], "here": os.getcwd()}))
        try:
            import local
        except ImportError:
            print("none of ours")
    case "leave":
        sleep = [sys.executable, "-c", "import time; time.sleep(60)"]
        print(subprocess.Popen(sleep, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).pid)
    case "listen":
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])  # or it could come just before it is waited for
        print("ready", flush=True)
        signal.sigwait([signal.SIGTERM])
        print("stopping", flush=True)
        sys.exit(int(sys.argv[2]))
    case "deaf":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
        print("ready", child.pid, flush=True)
        time.sleep(60)
"""


class Running:
    """A program, and what it says."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "program.py"
        self._file.write_text(PROGRAM, encoding="utf-8")
        self.said: list[str] = []

    def attempt(self, *arguments: str) -> Attempt:
        image = Image("program", (str(self._file),), {"GIVEN": "by the image", "OF_THE_IMAGE": "1"})
        return Attempt(image, arguments, {"GIVEN": "by the definition"})

    def run(self, *arguments: str, fault: Fault | None = None, timeout: float | None = None, grace: float = 30) -> Ran:
        return self.attempt(*arguments).run(
            fault or Fault(), reclaimed=fault is not None, timeout=timeout, log=self.said.append, grace=grace
        )


@pytest.fixture
def running(tmp_path: Path) -> Running:
    return Running(tmp_path)


@pytest.mark.parametrize("status", [0, 3])
def test_a_program_that_ends_ends_its_attempt(running: Running, status: int) -> None:
    assert running.run("exit", str(status)) == Ran(Ending(status, EXITED), final=False)


def test_what_a_program_leaves_behind_ends_with_it(running: Running) -> None:
    assert running.run("leave", "") == Ran(Ending(0, EXITED), final=False)
    child = int(running.said[0])
    eventually(lambda: None if alive(child) else True, "the end of its child")


def test_a_program_sees_its_own_folder_its_variables_and_ffmpeg(running: Running) -> None:
    assert running.run("look", "").ending.exit_code == 0
    seen = json.loads(running.said[0])
    assert set(seen["names"]) - {"LC_CTYPE"} == {"GIVEN", "OF_THE_IMAGE", *("HOME", "PATH", "PYTHONPATH", "TMPDIR")}
    assert seen["given"] == "by the definition", "which comes before what the image has, as on AWS"
    assert running.said[1] == "none of ours"
    assert not Path(seen["here"]).exists(), "its folder is gone with it"
    assert not Path(seen["path"]).exists()


@pytest.mark.parametrize("status", [0, 7])
def test_a_reclaimed_program_is_told_to_stop_where_the_fault_says(running: Running, status: int) -> None:
    ran = running.run("listen", str(status), fault=Fault(at="ready"))
    assert ran == Ran(Ending(status, RECLAIMED), final=False)
    assert running.said == ["ready", "stopping"]


def test_a_program_that_does_not_listen_is_killed_with_what_it_has_started(running: Running) -> None:
    ran = running.run("deaf", "", fault=Fault(), grace=0.05)
    assert ran == Ran(Ending(128 + signal.SIGKILL, RECLAIMED), final=False)
    child = int(running.said[0].split()[1])
    eventually(lambda: None if alive(child) else True, "the end of its child")


def test_a_program_that_takes_too_long_is_told_to_stop_for_good(running: Running) -> None:
    ran = running.run("deaf", "", timeout=0.5, grace=0.05)
    assert ran == Ran(Ending(128 + signal.SIGKILL, TIMED_OUT), final=True)


def test_somebody_may_end_an_attempt_for_good(running: Running) -> None:
    attempt = running.attempt("listen", "0")

    def log(line: str) -> None:
        running.said.append(line)
        if line == "ready":
            attempt.terminate("enough")

    ran = attempt.run(Fault(), reclaimed=False, timeout=None, log=log)
    assert ran == Ran(Ending(0, "enough"), final=True)


def test_whatever_runs_ends_with_whoever_started_it(running: Running, tmp_path: Path) -> None:
    program = [sys.executable, str(tmp_path / "program.py"), "deaf", ""]
    with subprocess.Popen(  # noqa: S603 - this project's own code
        [sys.executable, "-P", str(SUPERVISOR), *program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as supervisor:
        assert supervisor.stdout is not None
        child = int(supervisor.stdout.readline().split()[1])
        assert alive(child)
        assert supervisor.stdin is not None
        supervisor.stdin.close()
        assert supervisor.wait() == 128 + signal.SIGKILL
    eventually(lambda: None if alive(child) else True, "the end of its child")


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{pid}/status")
    return not (status.exists() and "(zombie)" in status.read_text(encoding="utf-8"))
