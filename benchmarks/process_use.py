"""Measurement of one process: time, processor time, memory, and the size of the folder to which it writes."""

import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.benchmark_report import WrongResult
from local import ROOT
from tests.process_tree import list_process_tree

MB = 1_000_000
SAMPLE_SECONDS = 0.1
"""Time between two samples of a process's memory and folder."""


@dataclass
class ProcessUse:
    """Resources that a process and its children used."""

    elapsed_seconds: float = 0
    processor_seconds: float = 0
    memory_mb: float = 0
    """Peak of the proportional set size (PSS), which counts memory only once if several processes share it."""
    folder_mb: float = 0
    """Peak size of the measured folder."""


def run_process(command: Sequence[str], environment: Mapping[str, str], folder: Path | None = None) -> ProcessUse:
    """Run a process in the project's root folder, and return its use of resources. Raise WrongResult if it fails.

    `folder` is the folder whose size is measured. None measures no folder.
    """
    use, ended = ProcessUse(), threading.Event()
    seconds_by_pid: dict[int, float] = {}
    with tempfile.TemporaryFile() as errors:
        started = time.monotonic()
        process = subprocess.Popen(command, cwd=ROOT, env=dict(environment), stdout=subprocess.DEVNULL, stderr=errors)

        def sample() -> None:
            while not ended.wait(SAMPLE_SECONDS):
                pids = list_process_tree(process.pid)
                seconds_by_pid.update({pid: max(seconds_by_pid.get(pid, 0), _processor_seconds(pid)) for pid in pids})
                use.memory_mb = max(use.memory_mb, sum(_proportional_mb(pid) for pid in pids))
                files = folder.rglob("*") if folder else ()
                use.folder_mb = max(use.folder_mb, sum(map(_size_mb, files)))

        sampler = threading.Thread(target=sample)
        sampler.start()
        _, status, resources = os.wait4(process.pid, 0)
        use.elapsed_seconds = time.monotonic() - started
        ended.set()
        sampler.join()
        # The kernel's value lacks children that their parent did not wait for, such as Spark's Java. The samples lack the
        # use of a process after its last sample. So both are too low.
        use.processor_seconds = max(resources.ru_utime + resources.ru_stime, sum(seconds_by_pid.values()))
        # `wait4` has taken the status, so `Popen` cannot find it any more.
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            errors.seek(0)
            raise WrongResult(
                f"{command[:3]} ended with status {process.returncode}:\n{errors.read().decode()[-3000:]}"
            )
    return use


def _proportional_mb(pid: int) -> float:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0  # the process has ended
    return sum(int(line.split()[1]) * 1024 / MB for line in lines if line.startswith("Pss:"))


def _processor_seconds(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0  # the process has ended
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _size_mb(path: Path) -> float:
    try:
        return path.stat().st_size / MB if path.is_file() else 0
    except OSError:
        return 0  # the file has been removed
