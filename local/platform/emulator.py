"""Process of the AWS emulator ministack: start it, find it while it runs, and stop it, for all commands and tests.

The process runs the launcher (`local/emulation/launcher.py`), which extends ministack. It inherits a file lock and
holds it until it ends, so a held lock means that the emulator runs. A process id would not show this, because the
system may give the id to another process. The emulator's data is not kept, so the process is killed instead of shut
down.
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
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from local import ACCOUNT, LOOPBACK, REGION, ROOT, CannotRun

FOLDER = ROOT / ".local"
"""Folder of the files of `make up`: locks, process id, logs, state, and the emulator's home."""
PYTHON = ROOT / ".venv-emulator" / "bin" / "python"
"""Python of the emulator's own virtual environment."""
LAUNCHER = ROOT / "local" / "emulation" / "launcher.py"
PORT = 4566
"""Port that `make up` tries first."""
PORTS = range(20_000, 32_000)
"""Ports of other emulators. Systems choose the local ports of connections above this range, so no connection can take
the chosen port before the emulator listens on it."""
ROOT_ACCESS_KEY = "test"
"""Access key and secret of the account's root user, the only credentials that the emulator accepts without
registration."""
START_SECONDS = 30
"""Maximum time until a new emulator answers."""
STOP_SECONDS = 10
"""Maximum time until a killed emulator has ended."""
JOB_LOGS = ("batch.log", "glue.log")
"""Logs of Batch jobs and Glue jobs. They stay until the next start."""
KEEP_RUNNING = b"keep\n"
"""Line for the launcher's standard input. Without this line, the launcher ends together with the process that
started it."""


class EmulatorError(CannotRun):
    """The emulator cannot be started or does not stop."""


@dataclass(frozen=True)
class Emulator:
    """A running emulator."""

    pid: int
    """Process id of the launcher."""
    port: int
    folder: Path
    """Folder of the emulator's files."""

    @property
    def endpoint(self) -> str:
        """URL of all services of the emulator."""
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def services(self) -> dict[str, str]:
        """URLs of this project's own service emulations, by the names of the environment variables that contain them."""
        services: dict[str, str] = json.loads((_home_folder(self.folder) / "services.json").read_text(encoding="utf-8"))
        return services


class StartedEmulator:
    """An emulator that this process started. Unless `keep` is called, it ends with the `with` block or this process."""

    def __init__(self, emulator: Emulator, process: "subprocess.Popen[bytes]") -> None:
        self.emulator = emulator
        self._process = process
        self._kept = False

    def keep(self) -> None:
        """Let the emulator run until `stop`, even after this process has ended."""
        if self._process.stdin is not None:
            self._process.stdin.write(KEEP_RUNNING)
            self._process.stdin.close()
        self._process.returncode = 0  # avoids Popen's warning about a process that is still running
        self._kept = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if not self._kept:
            _kill(self._process.pid)
            self._process.communicate()  # waits until the process has ended
            _remove_files(self.emulator.folder)


def start(folder: Path = FOLDER, port: int | None = None) -> StartedEmulator:
    """Start an emulator with all its files below `folder`.

    The emulator uses the given port if this port is free, and otherwise a random port of `PORTS`.
    """
    if not PYTHON.exists():
        raise EmulatorError("the emulator's virtual environment is missing: run `make up`, which creates it")
    if emulator := find_running(folder):
        raise EmulatorError(
            f"an emulator already runs in this folder on port {emulator.port}: stop it with `make down`"
        )
    _remove_files(folder)
    for name in JOB_LOGS:
        (folder / name).unlink(missing_ok=True)
    home = _home_folder(folder)
    for name in ("tmp", "state", "s3", "cwd"):
        (home / name).mkdir(parents=True)
    # Two emulators that start at the same time hardly choose the same of so many ports.
    candidates = (*([] if port is None else [port]), *random.SystemRandom().sample(PORTS, len(PORTS)))
    return _launch(folder, next(filter(_is_free, candidates)))


def _launch(folder: Path, port: int) -> StartedEmulator:
    home = _home_folder(folder)
    with _log_path(folder).open("wb") as log, _lock_path(folder).open("wb") as lock:
        # This waits while another process has the lock for a moment in `_is_locked`. The launcher inherits the lock, so
        # other commands notice the launcher from its first moment.
        fcntl.flock(lock, fcntl.LOCK_EX)
        process = subprocess.Popen(
            # With `-P`, the launcher cannot import a module from its own folder by accident.
            [str(PYTHON), "-P", "-u", str(LAUNCHER), str(folder), str(lock.fileno())],
            cwd=home / "cwd",
            env=_environment(home, port),
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            pass_fds=(lock.fileno(),),
        )
    started = StartedEmulator(Emulator(process.pid, port, folder), process)
    try:
        _await_health(started.emulator, process)
        _write_record(started.emulator)
    except BaseException:  # also Ctrl-C
        started.__exit__()
        raise
    return started


def find_running(folder: Path = FOLDER) -> Emulator | None:
    """Return the emulator that runs in this folder, or None. A start that is not complete counts as None."""
    if not _is_locked(folder):
        return None
    try:
        record = json.loads(_record_path(folder).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return Emulator(int(record["pid"]), int(record["port"]), folder)


def has_ended(folder: Path = FOLDER) -> bool:
    """Return True if the last emulator of this folder ended without `stop`, so that its files remain."""
    return _record_path(folder).exists() and not _is_locked(folder)


def stop(folder: Path = FOLDER) -> bool:
    """Stop the emulator of this folder and remove its files. Return False if no emulator was running."""
    emulator = find_running(folder)
    if emulator is not None:
        _kill(emulator.pid)
    _remove_files(folder)
    return emulator is not None


def _environment(home: Path, port: int) -> dict[str, str]:
    """Return the environment of the emulator and its handlers, without the user's AWS configuration and proxies."""
    return {
        **{key: os.environ[key] for key in ("LANG", "LC_ALL", "TZ") if key in os.environ},
        "PATH": f"{PYTHON.parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "HOME": str(home),
        "TMPDIR": str(home / "tmp"),
        # Most of these variables are settings of ministack.
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
        # Wait states and retry intervals of Step Functions take 2 % of their usual time. Timeouts are unchanged.
        "SFN_WAIT_SCALE": "0.02",
        # This project does not use these listeners. The first one would listen on all network interfaces.
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        # This socket does not exist, so the user's containers are never touched.
        "DOCKER_HOST": f"unix://{home / 'no-docker'}",
    }


def _await_health(emulator: Emulator, process: "subprocess.Popen[bytes]") -> None:
    def is_healthy() -> bool:
        if process.poll() is not None:
            raise EmulatorError(f"the emulator stopped while it was starting:\n{_last_lines(emulator.folder)}")
        try:
            with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(
                f"{emulator.endpoint}/_ministack/health", timeout=1
            ) as response:
                return bool(response.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    if not _wait_until(is_healthy, START_SECONDS):
        raise EmulatorError(f"the emulator did not answer within {START_SECONDS} s:\n{_last_lines(emulator.folder)}")


def _wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def _kill(pid: int) -> None:
    """Kill the launcher and its Lambda worker processes, which are in the launcher's process group."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # old connections to the port do not count
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
        return True


def _is_locked(folder: Path) -> bool:
    try:
        with _lock_path(folder).open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def _write_record(emulator: Emulator) -> None:
    record = _record_path(emulator.folder)
    partial = record.with_suffix(".partial")
    partial.write_text(json.dumps({"pid": emulator.pid, "port": emulator.port}), encoding="utf-8")
    partial.replace(record)


def _remove_files(folder: Path) -> None:
    """Remove the files of an emulator that has ended. Its log stays, because it may show why the emulator ended.

    Raise EmulatorError if an emulator still runs in the folder.
    """
    if not _wait_until(lambda: not _is_locked(folder), STOP_SECONDS):
        raise EmulatorError(f"the emulator in this folder does not stop; its log is {_log_path(folder)}")
    shutil.rmtree(_home_folder(folder), ignore_errors=True)
    record = _record_path(folder)
    for path in (record.with_suffix(".partial"), record, _lock_path(folder)):
        path.unlink(missing_ok=True)


def _last_lines(folder: Path) -> str:
    lines = _log_path(folder).read_text(encoding="utf-8", errors="replace").splitlines()
    return "\n".join(lines[-20:])


def _home_folder(folder: Path) -> Path:
    return folder / "emulator"


def _record_path(folder: Path) -> Path:
    return folder / "emulator.json"


def _lock_path(folder: Path) -> Path:
    return folder / "emulator.lock"


def _log_path(folder: Path) -> Path:
    return folder / "emulator.log"
