"""Thread that kills the emulator's worker processes at random times: Lambda workers, and the processes of Glue runs.

The emulator itself is not killed, because it holds the data of S3, DynamoDB and SQS in its memory.
"""

import contextlib
import math
import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.process_tree import list_process_tree

PAUSE_SECONDS = 0.1
"""Time between two searches for processes to kill."""
SHORT_LIFE_SECONDS, LONG_LIFE_SECONDS = (0, 3), (3, 30)
"""Bounds of a Lambda worker's lifetime in seconds. Half of the workers get a short life, in which they start and take
their first events. The others make progress on a busy machine too."""
RUN_KILL_SHARE = 0.5
"""Share of the Glue runs that are killed."""
RUN_LIFE_SECONDS = (0, 12)
"""Bounds of the time in seconds after which a Glue run is killed."""


@dataclass(frozen=True)
class WorkerProcess:
    pid: int
    kind: str
    """`Spark (Java)`, `Spark (Python)`, or the name of a Lambda function."""


class ProcessKiller:
    """Kills the workers of one emulator."""

    def __init__(self, emulator_pid: int, seed: int) -> None:
        self._emulator_pid = emulator_pid
        self._random = random.Random(seed)  # noqa: S311 - the same choices for a seed
        self._kill_at: dict[int, float] = {}
        """Time of the kill of each Lambda worker and each Glue run that was seen, by process id. It is infinite after
        this time, and for a run that is not killed."""
        self._stop = threading.Event()
        self.kills: Counter[str] = Counter()
        """Number of killed processes by kind."""

    @contextmanager
    def active(self) -> Iterator[None]:
        self._stop.clear()
        thread = threading.Thread(target=self._run, name="killer")
        thread.start()
        try:
            yield
        finally:
            self._stop.set()
            thread.join()

    def _run(self) -> None:
        while not self._stop.wait(PAUSE_SECONDS):
            workers = self._list_workers()
            run_processes = [worker for worker in workers if worker.kind.startswith("Spark")]
            for worker in workers:
                if worker not in run_processes and self._is_due(worker.pid, self._choose_worker_life):
                    self._kill(worker)
            # The first process of a Glue run is Python. It starts Java, which starts Python workers.
            if run_processes and self._is_due(run_processes[0].pid, self._choose_run_life):
                self._kill(self._random.choice(run_processes))

    def _choose_worker_life(self) -> float:
        return self._random.uniform(*self._random.choice((SHORT_LIFE_SECONDS, LONG_LIFE_SECONDS)))

    def _choose_run_life(self) -> float:
        return self._random.uniform(*RUN_LIFE_SECONDS) if self._random.random() < RUN_KILL_SHARE else math.inf

    def _is_due(self, pid: int, choose_life: Callable[[], float]) -> bool:
        """Return True once for each process, when its chosen life is over."""
        now = time.monotonic()
        if pid not in self._kill_at:
            self._kill_at[pid] = now + choose_life()
        if now < self._kill_at[pid]:
            return False
        self._kill_at[pid] = math.inf
        return True

    def _kill(self, worker: WorkerProcess) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(worker.pid, signal.SIGKILL)
            self.kills[worker.kind] += 1

    def _list_workers(self) -> list[WorkerProcess]:
        """Return the workers, parents before their children."""
        workers = []
        for pid in list_process_tree(self._emulator_pid)[1:]:
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                command_line = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
                if kind := _find_kind(command_line):
                    workers.append(WorkerProcess(pid, kind))
        return workers


def _find_kind(command_line: str) -> str | None:
    program = command_line.partition("\0")[0]
    if ".venv-spark" in program:
        return "Spark (Java)" if program.endswith("java") else "Spark (Python)"
    # The folder of a Lambda worker is `ministack-lambda-<function>-<random>`.
    folder = command_line.partition("ministack-lambda-")[2].partition("/")[0]
    return folder.rpartition("-")[0] or None
