"""Processes of this machine that take the place of Batch's containers, and the decision about another attempt.

`batch_service.py` runs one `JobProcess` for each attempt of a job, and then asks `should_retry`.

The container images are built for arm64 and do not run here. So `IMAGES` describes the entry point and the packages of
each image. A process has its own folder, environment variables and import path, so it can import only those packages of
the project. It can read all files of the machine.
"""

import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import imageio_ffmpeg

from local import ROOT

GRACE_SECONDS = 30.0
"""Time from SIGTERM to SIGKILL: https://docs.aws.amazon.com/batch/latest/userguide/job_timeouts.html."""
# The next three constants are status reasons of an attempt, as Batch reports them.
EXITED = "Essential container in task exited"
RECLAIMED = "Your Spot Task was interrupted."
"""Reason after a simulated interruption by Fargate Spot."""
TIMED_OUT = "Job attempt duration exceeded timeout"
FFMPEG, SCRATCH = "bin/ffmpeg", "tmp"
"""Paths of ffmpeg and of the temporary folder, below the attempt's folder."""


@dataclass(frozen=True)
class ContainerImage:
    """Content of a container image, as far as a process needs it."""

    module: str
    """Entry point. Its arguments are the container's command."""
    packages: tuple[str, ...]
    """Files and folders of the project that the image contains."""
    variables: Mapping[str, str] = field(default_factory=dict)
    """Environment variables that the Dockerfile sets."""
    paths: Mapping[str, str] = field(default_factory=dict)
    """Environment variables with a path below the attempt's folder, in place of a path in the container."""


IMAGES = {
    "meetings-media-images": ContainerImage(
        module="handlers.meetings.media_job",
        packages=("handlers/__init__.py", "handlers/common", "handlers/meetings"),
        variables={"PYTHONUNBUFFERED": "1"},
        paths={"FFMPEG": FFMPEG, "SCRATCH_FOLDER": SCRATCH},
    ),
}
"""Images by the end of the repository's name, which begins with the name of the stack."""


def find_image(image: str) -> ContainerImage:
    """Return the content of an image, by its URI with a tag or digest. Raise ValueError if it is unknown."""
    repository = image.partition("/")[2].partition("@")[0].partition(":")[0]
    for ending, content in IMAGES.items():
        if repository.endswith(f"-{ending}"):
            return content
    raise ValueError(f"the content of the image {image} is unknown: add it to IMAGES in {__name__}")


class JobProcess:
    """Process of one attempt. One thread runs it, and other threads may stop it."""

    def __init__(self, image: ContainerImage, arguments: Sequence[str], variables: Mapping[str, str]) -> None:
        self._image = image
        self._arguments = arguments
        self._variables = variables
        self._process: subprocess.Popen[str] | None = None
        self._lock = threading.Lock()
        self.reason = EXITED
        """Status reason of the attempt. It differs from EXITED if `stop` was called. It is final when `run` has returned."""

    def stop(self, reason: str) -> None:
        """Stop the process by SIGTERM, and by SIGKILL after the grace period. Do nothing if it was stopped before."""
        with self._lock:
            if self.reason != EXITED:
                return
            self.reason = reason
            process = self._process
        if process is not None:
            _terminate(process)

    def run(
        self, log: Callable[[str], None], *, timeout: float | None = None, reclaim_at_text: str | None = None
    ) -> int:
        """Run the process to its end and return its exit code.

        `log` gets each line of output. `timeout` is in seconds. If `reclaim_at_text` is a text, Fargate Spot's interruption
        is simulated at the first line of output that contains it.
        """
        with tempfile.TemporaryDirectory(prefix="batch-") as scratch:
            paths = _prepare_folder(Path(scratch), self._image)
            with self._lock:
                # The process stays in the launcher's process group, so it ends with the emulator.
                self._process = process = subprocess.Popen(
                    [sys.executable, "-P", "-m", self._image.module, *self._arguments],
                    # A job's variables replace those of the image, and the paths in the attempt's folder replace both.
                    env={**self._image.variables, **self._variables, **paths},
                    cwd=paths["TMPDIR"],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    text=True,
                    errors="replace",
                )
                is_stopped = self.reason != EXITED  # `stop` was called before the process existed
            if is_stopped:
                _terminate(process)
            timer = _start_timer(timeout, self.stop, TIMED_OUT) if timeout else None
            with process:
                for line in process.stdout or ():
                    # The process is stopped first, because it would continue while the line is being logged.
                    if reclaim_at_text is not None and reclaim_at_text in line:
                        self.stop(RECLAIMED)
                    log(line.rstrip("\n"))
            if timer is not None:
                timer.cancel()
        # Popen returns the negative number of a signal. A container's exit code is 128 plus that number.
        return process.returncode if process.returncode >= 0 else 128 - process.returncode


def _terminate(process: "subprocess.Popen[str]") -> None:
    process.terminate()
    _start_timer(GRACE_SECONDS, process.kill)


def _prepare_folder(folder: Path, image: ContainerImage) -> dict[str, str]:
    """Link the image's packages and ffmpeg into a folder. Return the environment variables with its paths."""
    for path, target in (
        (FFMPEG, Path(imageio_ffmpeg.get_ffmpeg_exe())),
        *((f"code/{package}", ROOT / package) for package in image.packages),
    ):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).symlink_to(target)
    (folder / SCRATCH).mkdir()
    return {
        "PATH": str((folder / FFMPEG).parent),
        "PYTHONPATH": str(folder / "code"),
        "HOME": str(folder),
        "TMPDIR": str(folder / SCRATCH),
        "PYTHONDONTWRITEBYTECODE": "1",
        **{name: os.environ[name] for name in ("LANG", "LC_ALL") if name in os.environ},
        **{name: str(folder / path) for name, path in image.paths.items()},
    }


def _start_timer(seconds: float, action: Callable[..., object], *arguments: object) -> threading.Timer:
    timer = threading.Timer(seconds, action, arguments)
    timer.daemon = True
    timer.start()
    return timer


def should_retry(strategy: Mapping[str, Any], attempts: int, reason: str, exit_code: int) -> bool:
    """Return True if a job gets another attempt after this number of attempts.

    `reason` and `exit_code` are those of the last attempt, which failed. The first matching entry of `evaluateOnExit`
    decides. If none matches, the job is retried:
    https://docs.aws.amazon.com/batch/latest/APIReference/API_EvaluateOnExit.html.
    """
    if attempts >= int(strategy.get("attempts", 1)):
        return False
    # `onReason` is compared with the reason that a container reports. Local jobs have no containers.
    outcome = {"onStatusReason": reason, "onReason": "", "onExitCode": str(exit_code)}
    for entry in strategy.get("evaluateOnExit") or []:
        if all(_matches_pattern(entry[name], text) for name, text in outcome.items() if entry.get(name)):
            return str(entry["action"]).upper() == "RETRY"
    return True


def _matches_pattern(pattern: str, text: str) -> bool:
    """Return True if a text equals a pattern, or begins with the pattern's text before a final asterisk."""
    return text.startswith(pattern[:-1]) if pattern.endswith("*") else text == pattern
