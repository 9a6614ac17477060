"""The AWS emulator as a process: started, found again, stopped. What it does with a request is the launcher's business.

It keeps nothing that must survive, so it is killed rather than asked to stop. A file lock that the launcher holds for
as long as it lives says whether it runs: a process id alone may have become somebody else's.
"""

import contextlib
import fcntl
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from local import LOOPBACK, ROOT, CannotRun
from local.preview.preview_provider import ACCOUNT, REGION

FOLDER = ROOT / ".local"
PYTHON = ROOT / ".venv-emulator" / "bin" / "python"
LAUNCHER = ROOT / "local" / "emulation" / "launcher.py"
PORT = 4566
"""Where `make up` serves, if nothing else does: the address that Pulumi.local.yaml names for the CLI."""
PORTS = range(20_000, 32_000)
"""For all others: below those that systems give to the near ends of connections, one of which could be had meanwhile."""
PORTS_TRIED = 20
ROOT_ACCESS_KEY = "test"
"""Access key and secret of the emulator's owner, the only ones that it takes without knowing them."""
START_SECONDS = 30
STOP_SECONDS = 10
JOB_LOGS = ("batch.log", "glue.log")
"""Written by jobs, and kept for as long as the emulator's own."""
KEEP_RUNNING = b"keep\n"
"""What tells the launcher to stay when its parent is gone."""


class EmulatorError(CannotRun):
    """The emulator did not come up, or did not go."""


@dataclass(frozen=True)
class Emulator:
    """A running emulator."""

    pid: int
    port: int
    folder: Path

    @property
    def endpoint(self) -> str:
        """Where all of its services answer."""
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def services(self) -> dict[str, str]:
        """Where the services are that the emulator lacks, by the variables that lead handlers to them."""
        found: dict[str, str] = json.loads((_home_folder(self.folder) / "services.json").read_text(encoding="utf-8"))
        return found


class StartedEmulator:
    """An emulator of this process: it ends with the block, or with this process however that ends, unless kept."""

    def __init__(self, emulator: Emulator, process: "subprocess.Popen[bytes]") -> None:
        self.emulator = emulator
        self._process = process
        self._kept = False

    def keep(self) -> None:
        """Lets it outlive this process."""
        if self._process.stdin is not None:
            self._process.stdin.write(KEEP_RUNNING)
            self._process.stdin.close()
        self._process.returncode = 0  # not waited for, and nobody warned of it
        self._kept = True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._kept:
            _kill(self._process.pid)
            self._process.communicate()
            _remove_files(self.emulator.folder)


def start(folder: Path = FOLDER, port: int | None = None) -> StartedEmulator:
    """Starts an emulator whose files are all below `folder`; on the given port if that is free."""
    if not PYTHON.exists():
        raise EmulatorError("the emulator's environment is missing: run `make up`, which creates it")
    if found := find_running(folder):
        raise EmulatorError(f"an emulator already runs here on port {found.port}: `make down` stops it")
    _remove_files(folder)
    for name in JOB_LOGS:
        (folder / name).unlink(missing_ok=True)
    home = _home_folder(folder)
    for name in ("tmp", "state", "s3", "cwd"):
        (home / name).mkdir(parents=True)
    with _reserve_port(port) as chosen:
        return _launch(folder, chosen)


def _launch(folder: Path, port: int) -> StartedEmulator:
    home = _home_folder(folder)
    with _log_path(folder).open("wb") as log:
        process = subprocess.Popen(
            [str(PYTHON), "-P", "-u", str(LAUNCHER), str(folder)],
            cwd=home / "cwd",
            env=_environment(home, port),
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    started = StartedEmulator(Emulator(process.pid, port, folder), process)
    try:
        _await_health(started.emulator, process)
        _write_record(folder, started.emulator)
    except BaseException:
        started.__exit__(None, None, None)
        raise
    return started


def find_running(folder: Path = FOLDER) -> Emulator | None:
    """The emulator that runs in this folder, if one does."""
    if not _is_locked(folder):
        return None
    try:
        known = json.loads(_record_path(folder).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return Emulator(int(known["pid"]), int(known["port"]), folder)


def stop(folder: Path = FOLDER) -> bool:
    """Stops the emulator of this folder and removes its files; false where none ran."""
    found = find_running(folder)
    if found is not None:
        _kill(found.pid)
    _remove_files(folder)
    return found is not None


def _environment(home: Path, port: int) -> dict[str, str]:
    """All that the emulator, and every handler in it, sees: nothing of the user's AWS configuration or proxies."""
    return {
        **{key: os.environ[key] for key in ("LANG", "LC_ALL", "TZ") if key in os.environ},
        "PATH": f"{PYTHON.parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "HOME": str(home),
        "TMPDIR": str(home / "tmp"),
        "STATE_DIR": str(home / "state"),
        "S3_DATA_DIR": str(home / "s3"),
        "PYTHONDONTWRITEBYTECODE": "1",
        "BIND_HOST": LOOPBACK,
        "GATEWAY_PORT": str(port),
        "MINISTACK_HOST": LOOPBACK,
        "MINISTACK_ACCOUNT_ID": ACCOUNT,
        "MINISTACK_REGION": REGION,
        "AUTH": "true",
        "LOG_LEVEL": "INFO",
        "LAMBDA_EXECUTOR": "local",
        # A workflow's waits and its pauses before another try take a fiftieth of their time; timeouts stay as they are.
        "SFN_WAIT_SCALE": "0.02",
        # Listeners that nothing here uses; the first would serve on every address.
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        # No socket is there, so containers of the user's are never touched.
        "DOCKER_HOST": f"unix://{home / 'no-docker'}",
    }


def _await_health(emulator: Emulator, process: "subprocess.Popen[bytes]") -> None:
    def answers() -> bool:
        if process.poll() is not None:
            raise EmulatorError(f"the emulator stopped at once:\n{_last_lines(emulator.folder)}")
        try:
            with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(
                f"{emulator.endpoint}/_ministack/health", timeout=1
            ) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    if not _wait_until(answers, START_SECONDS):
        raise EmulatorError(f"no answer from the emulator in {START_SECONDS} s:\n{_last_lines(emulator.folder)}")


def _wait_until(holds: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def _kill(pid: int) -> None:
    """The launcher leads a group of its own, so that its Lambda workers go with it."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)


@contextmanager
def _reserve_port(wanted: int | None) -> Iterator[int]:
    """A free port that no other start takes meanwhile: who has the datagram port of a number may take the other one."""
    others = random.SystemRandom().sample(PORTS, PORTS_TRIED)
    for port in others if wanted is None else (wanted, *others):
        with socket.socket(type=socket.SOCK_DGRAM) as claim:
            try:
                claim.bind((LOOPBACK, port))
            except OSError:
                continue
            if _is_free(port):
                yield port
                return
    raise EmulatorError("no port is free on this machine")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
        return True


def _is_locked(folder: Path) -> bool:
    try:
        with (folder / "emulator.lock").open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def _write_record(folder: Path, emulator: Emulator) -> None:
    record = _record_path(folder)
    partial = record.with_suffix(".partial")
    partial.write_text(json.dumps({"pid": emulator.pid, "port": emulator.port}), encoding="utf-8")
    partial.replace(record)


def _remove_files(folder: Path) -> None:
    """Removes what an emulator had, never one that is there; its log stays, for whoever wonders why it ended."""
    if not _wait_until(lambda: not _is_locked(folder), STOP_SECONDS):
        raise EmulatorError(f"an emulator that has this folder does not end; its log is {_log_path(folder)}")
    shutil.rmtree(_home_folder(folder), ignore_errors=True)
    for path in (_record_path(folder), folder / "emulator.lock"):
        path.unlink(missing_ok=True)


def _last_lines(folder: Path) -> str:
    lines = _log_path(folder).read_text(encoding="utf-8", errors="replace").splitlines()
    return "\n".join(lines[-20:])


def _home_folder(folder: Path) -> Path:
    return folder / "emulator"


def _record_path(folder: Path) -> Path:
    return folder / "emulator.json"


def _log_path(folder: Path) -> Path:
    return folder / "emulator.log"
