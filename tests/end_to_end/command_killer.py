"""Server that runs the commands `up` and `down` of the local platform for tests, and kills them at named points.

The tests start this module as a child process (`CommandRunner`) and send it one request in JSON per line. The server
imports all modules once and forks for each command, because the imports would take most of the time of a test. The
server is a child subreaper of Linux: it becomes the parent of all processes that a killed command leaves behind, so it
can wait for their end without polling. `deployed_test_programs` contains the Pulumi programs that the commands deploy.

A *point* is the moment before a command runs the Pulumi program, starts or kills a process, sends a request to a
service, or opens, replaces or removes one of the platform's files. The last point is the end of the command. The
interpreter's audit events report these moments. A point has a name and a number, for example `request 3`, because a
command reaches some points several times.
"""

import ctypes
import json
import os
import signal
import subprocess
import sys
import threading
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local import ROOT

PR_SET_CHILD_SUBREAPER = 36
"""Option of prctl(2) on Linux."""
MAX_WAIT_SECONDS = 30
"""Maximum time until the processes of a killed command have ended."""
PLATFORM_FILES = {
    "command.lock",
    "emulator.json",
    "emulator.lock",
    "emulator",
    "services.json",
    "state.json",
    "state.partial",
}
"""Names of the platform's files and folders whose changes are points."""
EMULATOR, POLICY_PACK = "the emulator", "the policy pack"
"""Processes that a command starts and kills, as they are called in the names of points."""
COMMAND_END = "end of the command"
"""Name of the point after the work of a command, before its process ends."""


@dataclass(frozen=True)
class CommandResult:
    status: int
    """Exit status, or the negative number of the signal that killed the command."""
    output: str
    points: tuple[str, ...]
    """Points that the command reached, in this order."""


class CommandRunner:
    """Client that starts the server. The server runs commands on the platform in one folder."""

    def __init__(self, folder: Path, *, whole_program: bool) -> None:
        """Start the server. Its commands deploy the whole stack `local`, or only a few resources."""
        self.folder = folder
        self.whole_program = whole_program
        for name in ("home", "tmp"):
            (folder / name).mkdir()
        self._process = subprocess.Popen(  # noqa: S603 - this project's own code
            [sys.executable, __file__],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT), "HOME": str(folder / "home"), "TMPDIR": str(folder / "tmp")},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    @property
    def platform(self) -> Path:
        return self.folder / "platform"

    def run(
        self,
        command: str,
        version: int = 1,
        *,
        kill_at: str = "",
        signal_number: int = signal.SIGKILL,
        with_policies: bool = False,
    ) -> CommandResult:
        """Run a command, and send it a signal when it reaches the point `kill_at`, if this is not empty.

        `version` selects the version (1 or 2) of the few resources. The whole program has one version. `with_policies`
        also runs the policy pack.
        """
        reply = self._request(
            {
                "arguments": [command, "--folder", str(self.platform)],
                "wholeProgram": self.whole_program,
                "version": version,
                "killAt": kill_at,
                "signal": int(signal_number),
                "withPolicies": with_policies,
            }
        )
        return CommandResult(reply["status"], reply["output"], tuple(reply["points"]))

    def wait_for_other_processes(self, *kept_pids: int) -> list[str]:
        """Wait until all processes of the commands except the given ones have ended. Return the command lines of those
        that still run after `MAX_WAIT_SECONDS`.
        """
        remaining: list[str] = self._request({"keptPids": kept_pids})["remaining"]
        return remaining

    def close(self) -> None:
        self._process.communicate()

    def _request(self, request: Mapping[str, object]) -> dict[str, Any]:
        if self._process.stdin is None or self._process.stdout is None:
            raise BrokenPipeError
        self._process.stdin.write(f"{json.dumps(request)}\n")
        self._process.stdin.flush()
        reply: dict[str, Any] = json.loads(self._process.stdout.readline())
        return reply


def describe_point(event: str, arguments: Sequence[Any]) -> str | None:
    """Return the name of the point that an audit event reports; None if it reports no point."""
    match event, arguments:
        case "subprocess.Popen", (_, command, *_):
            return f"start of {EMULATOR if 'launcher.py' in str(command) else POLICY_PACK}"
        # The emulator is killed with its process group, the policy pack without one.
        case "os.killpg", _:
            return f"kill of {EMULATOR}"
        case "os.kill", _:
            return f"kill of {POLICY_PACK}"
        case "http.client.send", (_, bytes(data)) if data.startswith((b"GET ", b"POST ", b"PUT ", b"DELETE ")):
            return None if b"/_ministack/" in data else "request"  # the number of health checks varies
        case "os.rename", (_, target, *_) if Path(str(target)).name in PLATFORM_FILES:
            return f"replacement of {Path(str(target)).name}"
        case (("os.remove" | "shutil.rmtree"), (path, *_)) if Path(str(path)).name in PLATFORM_FILES:
            return f"removal of {Path(str(path)).name}"
        case "open", (str(path), *_) if path.endswith(("/command.lock", "/state.partial")):
            return f"opening of {Path(path).name}"
        case "polyphony.point", (name,):
            return str(name)
    return None


def install_audit_hook(report: Callable[[str], None], kill_at: str, signal_number: int) -> None:
    """Report each point of this process, and send a signal when the point `kill_at` is reached.

    SIGKILL and SIGTERM go to the command alone, as from the system and from `kill`. A terminal sends the other signals
    to all processes of the group.
    """
    counts: Counter[str] = Counter()
    lock = threading.RLock()
    is_sent = False

    def handle(event: str, arguments: Sequence[Any]) -> None:
        nonlocal is_sent
        name = describe_point(event, arguments)
        if name is None:
            return
        with lock:
            if is_sent:  # the command continues after SIGINT
                return
            counts[name] += 1
            point = f"{name} {counts[name]}"
            report(point)
            if point != kill_at:
                return
            is_sent = True
            if signal_number in {signal.SIGKILL, signal.SIGTERM}:
                os.kill(os.getpid(), signal_number)
            else:
                os.killpg(0, signal_number)

    sys.addaudithook(handle)


def serve() -> None:
    """Answer requests until the standard input is closed."""
    from local import __main__ as command_line  # noqa: PLC0415 - only the server needs it

    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)
    command_line.prepare()
    from tests.end_to_end import deployed_test_programs  # noqa: PLC0415 - imported after `prepare`

    deployed_test_programs.import_all()
    for line in sys.stdin:
        request = json.loads(line)
        if "keptPids" in request:
            reply: dict[str, Any] = {"remaining": wait_for_children(set(request["keptPids"]))}
        else:
            reply = run_in_child(request, deployed_test_programs.run_command)
        sys.stdout.write(f"{json.dumps(reply)}\n")
        sys.stdout.flush()


def run_in_child(request: Mapping[str, Any], run: Callable[[Mapping[str, Any]], int]) -> dict[str, Any]:
    """Run a command in a child process, and return its status, output and points."""
    read_end, write_end = os.pipe()
    output = Path(os.environ["TMPDIR"]).parent / "output.txt"
    child = os.fork()
    if child == 0:
        status = 99
        try:
            os.setpgid(0, 0)
            os.close(read_end)
            signal.signal(signal.SIGINT, signal.default_int_handler)  # a program in the background ignores SIGINT
            with output.open("w") as file:
                os.dup2(file.fileno(), 1)
                os.dup2(file.fileno(), 2)
            points_file = os.fdopen(write_end, "w", buffering=1)
            install_audit_hook(lambda point: print(point, file=points_file), request["killAt"], request["signal"])
            status = run(request)
            sys.audit("polyphony.point", COMMAND_END)
        except KeyboardInterrupt:
            status = 130
        except BaseException:  # noqa: BLE001 - shown in the assertion's message
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)
    os.close(write_end)
    with os.fdopen(read_end) as pipe:
        points = pipe.read().splitlines()
    _, wait_status = os.waitpid(child, 0)
    return {"status": os.waitstatus_to_exitcode(wait_status), "output": output.read_text(), "points": points}


def wait_for_children(kept_pids: set[int]) -> list[str]:
    """Wait until this process has no other children. Return the command lines of those that remain."""
    with _time_limit():
        while set(_list_children()) - kept_pids:
            os.waitpid(-1, 0)
    remaining_pids = set(_list_children()) - kept_pids
    return [Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ") for pid in remaining_pids]


@contextmanager
def _time_limit() -> Iterator[None]:
    """Leave the block after `MAX_WAIT_SECONDS`."""

    def stop(*_: object) -> None:
        raise TimeoutError

    signal.signal(signal.SIGALRM, stop)
    signal.alarm(MAX_WAIT_SECONDS)
    try:
        yield
    except TimeoutError:
        pass
    finally:
        signal.alarm(0)


def _list_children() -> list[int]:
    return [int(pid) for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()]


if __name__ == "__main__":
    serve()
