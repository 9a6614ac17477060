"""One attempt of a job: a real process with nothing but its own folder, and whatever ends it. Knows no AWS.

A job that is to stop is told by SIGTERM, as its container would be, and killed when it takes longer than Fargate lets
it.
"""

import queue
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import imageio_ffmpeg

from local.patches.batch_containers import Image, command, furnished
from local.patches.batch_faults import Fault
from local.patches.batch_rules import Ending

GRACE_SECONDS = 30.0
"""From SIGTERM to SIGKILL: https://docs.aws.amazon.com/batch/latest/userguide/job_timeouts.html."""
EXITED = "Essential container in task exited"
RECLAIMED = "Your Spot Task was interrupted."
TIMED_OUT = "Job attempt duration exceeded timeout"
_ENDED = "ended"

Log = Callable[[str], None]


@dataclass(frozen=True)
class Ran:
    """How an attempt went."""

    ending: Ending
    final: bool
    """Whether Batch itself, or somebody, ended the job with it: nothing is tried again then, whatever the status."""


class Attempt:
    """A process, from its start to its end; others may end it."""

    def __init__(self, image: Image, arguments: Sequence[str], variables: Mapping[str, str]) -> None:
        self._image = image
        self._arguments = arguments
        self._variables = variables
        self._told: queue.SimpleQueue[str] = queue.SimpleQueue()

    def terminate(self, reason: str) -> None:
        """Ends it for good."""
        self._told.put(reason)

    def run(
        self, fault: Fault, *, reclaimed: bool, timeout: float | None, log: Log, grace: float = GRACE_SECONDS
    ) -> Ran:
        """Runs it to its end; `reclaimed` has it interrupted where the fault says."""
        with tempfile.TemporaryDirectory(prefix="batch-") as scratch:
            folder = Path(scratch)
            own = furnished(folder, self._image, imageio_ffmpeg.get_ffmpeg_exe())
            process = subprocess.Popen(
                command(sys.executable, self._image, self._arguments),
                # What a definition says comes before what the image has; where things are, only this machine knows.
                env={**self._image.variables, **self._variables, **own},
                cwd=own["TMPDIR"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                text=True,
                errors="replace",
            )
            reader = threading.Thread(
                target=self._read, args=(process, log, fault.at if reclaimed else None), daemon=True
            )
            reader.start()
            try:
                why = self._end(process, timeout, grace)
            finally:
                _close(process)
                reader.join()
            return _ran(process.wait(), why)

    def _read(self, process: "subprocess.Popen[str]", log: Log, until: str | None) -> None:
        try:
            for line in process.stdout or ():
                # Before it is logged, which may take a while in which the program goes on.
                if until is not None and until in line:
                    self._told.put(RECLAIMED)
                    until = None
                log(line.rstrip("\n"))
        finally:
            if process.stdout is not None:
                process.stdout.close()
            self._told.put(_ENDED)

    def _end(self, process: "subprocess.Popen[str]", timeout: float | None, grace: float) -> str:
        """Waits for the end, brings it about where it must; why it ended."""
        why = EXITED
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            try:
                said = self._told.get(timeout=None if deadline is None else max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                said = TIMED_OUT
            if said is _ENDED:
                return why
            if why is EXITED:
                why, deadline = said, time.monotonic() + grace
                process.terminate()
            elif said is TIMED_OUT:
                deadline = None
                _close(process)


def _close(process: "subprocess.Popen[str]") -> None:
    """Lets go of the container, which is killed then with all that it has started."""
    if process.stdin is not None and not process.stdin.closed:
        process.stdin.close()


def _ran(status: int, why: str) -> Ran:
    return Ran(Ending(status, why), final=why not in {EXITED, RECLAIMED})
