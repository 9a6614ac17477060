"""Helpers of all benchmarks: description of the machine, tables, process memory, and a deployed local platform."""

import os
import platform
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from local import ROOT
from local.flows import Deployment
from local.platform import emulator
from local.platform.emulator_clients import EmulatorClients
from local.platform.lifecycle import deploy
from local.platform.progress import SilentProgress
from local.preview import stack_files
from tests.process_tree import tree

MB = 1_000_000
SAMPLE_SECONDS = 0.1
"""Time between two samples of a process's memory and folder."""


class WrongResult(Exception):
    """The measured code returned a wrong result, so its time is meaningless."""


def print_heading(title: str) -> None:
    """Print a title and a description of the machine."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next(
        (line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown processor"
    )
    print(f"\n## {title}\n")
    print(
        f"{os.cpu_count()} cores, {model}, {platform.system()}, Python {platform.python_version()}; "
        f"load average before the start: {os.getloadavg()[0]:.1f}\n",
        flush=True,
    )


def print_table(rows: Mapping[str, Mapping[str, float | str]]) -> None:
    """Print a Markdown table with the columns of the first row."""
    columns = list(next(iter(rows.values())))
    print(f"| | {' | '.join(columns)} |\n|{' --- |' * (len(columns) + 1)}")
    for name, row in rows.items():
        print(f"| {name} | {' | '.join(_to_cell(row[column]) for column in columns)} |", flush=True)


def _to_cell(value: float | str) -> str:
    if isinstance(value, str):
        return value
    digits = next((digits for limit, digits in ((100, 0), (10, 1), (1, 2)) if abs(value) >= limit), 3)
    return f"{value:,.{0 if value == int(value) else digits}f}"


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which at most the given share of the values lies."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def to_milliseconds(seconds: Sequence[float]) -> dict[str, float | str]:
    """Return median, 95th percentile and maximum in milliseconds, rounded."""
    figures = {"median, ms": percentile(seconds, 0.5), "p95, ms": percentile(seconds, 0.95), "max, ms": max(seconds)}
    return {name: round(1000 * value) for name, value in figures.items()}


@contextmanager
def deploy_local_stack() -> Iterator[Deployment]:
    """Deploy the local stack to a new emulator."""
    with tempfile.TemporaryDirectory() as folder, emulator.start(Path(folder)) as started:
        deployed = deploy(stack_files.read_stack("local"), started.emulator, SilentProgress())
        clients = EmulatorClients(started.emulator.endpoint)
        yield Deployment(started.emulator, clients, deployed.ids, deployed.outputs)


@contextmanager
def start_emulator() -> Iterator[EmulatorClients]:
    """Start an emulator without resources, and yield its clients."""
    with tempfile.TemporaryDirectory() as folder, emulator.start(Path(folder)) as started:
        yield EmulatorClients(started.emulator.endpoint)


@dataclass
class ProcessUse:
    """Resources that a process and its children used."""

    elapsed_seconds: float = 0
    processor_seconds: float = 0
    memory_mb: float = 0
    """Peak of the proportional set size (PSS), which counts memory that several processes share only once."""
    folder_mb: float = 0
    """Peak size of the folder in which the process works."""


def run_process(command: Sequence[str], environment: Mapping[str, str], folder: Path) -> ProcessUse:
    """Run a process in the project's folder, and sample its memory and the size of its working folder."""
    use, ended = ProcessUse(), threading.Event()
    seconds_by_pid: dict[int, float] = {}
    with tempfile.TemporaryFile() as errors:
        started = time.monotonic()
        process = subprocess.Popen(command, cwd=ROOT, env=dict(environment), stdout=subprocess.DEVNULL, stderr=errors)

        def sample() -> None:
            while not ended.wait(SAMPLE_SECONDS):
                pids = tree(process.pid)
                seconds_by_pid.update({pid: max(seconds_by_pid.get(pid, 0), _processor_seconds(pid)) for pid in pids})
                use.memory_mb = max(use.memory_mb, sum(_proportional_mb(pid) for pid in pids))
                use.folder_mb = max(use.folder_mb, sum(_size_mb(path) for path in folder.rglob("*")))

        sampler = threading.Thread(target=sample)
        sampler.start()
        _, status, resources = os.wait4(process.pid, 0)
        use.elapsed_seconds = time.monotonic() - started
        ended.set()
        sampler.join()
        # The first value lacks children that their parent did not wait for (Spark's Java), the second one lacks processes
        # that ended between two samples.
        use.processor_seconds = max(resources.ru_utime + resources.ru_stime, sum(seconds_by_pid.values()))
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
