"""Tests of the local Batch: the process of a job's attempt, and the decision to retry it."""

import json
from pathlib import Path
from typing import Any

import pytest

from local.emulation.batch import job_processes
from local.emulation.batch.job_processes import (
    EXITED,
    RECLAIMED,
    TIMED_OUT,
    ContainerImage,
    JobProcess,
    find_image,
    should_retry,
)

PROGRAM = """
import json, os, signal, sys, time
from pathlib import Path

match sys.argv[1]:
    case "describe":
        print(json.dumps({"variables": dict(os.environ), "folder": os.getcwd()}))
        try:
            import local
        except ImportError:
            print("the package local cannot be imported")
    case "exit-at-sigterm":
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])  # so that no signal is lost before sigwait
        print("ready", flush=True)
        signal.sigwait([signal.SIGTERM])
        print("stopping", flush=True)
        sys.exit(int(sys.argv[2]))
    case "ignore-sigterm":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        print("ready", flush=True)
        time.sleep(60)
"""
"""Program of the job. Its first argument selects the behaviour, and the second one the exit code after SIGTERM."""
RETRY_INTERRUPTIONS = {
    "attempts": 3,
    "evaluateOnExit": [
        {"onStatusReason": "Your Spot Task was interrupted*", "action": "RETRY"},
        {"onReason": "*", "action": "EXIT"},
    ],
}


class Job:
    """A job that runs `PROGRAM`, and the lines that the program prints."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def run(self, *arguments: str, stop_at: str | None = None, **options: Any) -> tuple[int, str]:
        """Run the program, and stop it when it prints the line `stop_at`. Return its exit code and status reason.

        With the option `reclaim_at_text`, Fargate Spot's interruption is simulated at this line of output.
        """
        image = ContainerImage("program", ("program.py",), {"SETTING": "of the image", "IMAGE_SETTING": "1"})
        process = JobProcess(image, arguments, {"SETTING": "of the definition"})

        def log(line: str) -> None:
            self.lines.append(line)
            if line == stop_at:
                process.stop("stopped by the test")

        return process.run(log, **options), process.reason


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Job:
    (tmp_path / "program.py").write_text(PROGRAM, encoding="utf-8")
    monkeypatch.setattr(job_processes, "ROOT", tmp_path)
    return Job()


def test_a_program_gets_only_its_own_folder_variables_and_packages(job: Job) -> None:
    assert job.run("describe") == (0, EXITED)
    description = json.loads(job.lines[0])
    variables = description["variables"]
    standard = {"HOME", "PATH", "PYTHONPATH", "TMPDIR", "PYTHONDONTWRITEBYTECODE"}
    assert set(variables) - {"LC_CTYPE", "LANG", "LC_ALL"} == {"SETTING", "IMAGE_SETTING", *standard}
    assert variables["SETTING"] == "of the definition", "a job definition's variables take precedence, as on AWS"
    assert job.lines[1] == "the package local cannot be imported"
    assert not Path(description["folder"]).exists(), "the folder is removed with the attempt"


def test_a_simulated_interruption_stops_the_program_at_the_selected_line(job: Job) -> None:
    assert job.run("exit-at-sigterm", "7", reclaim_at_text="ready") == (7, RECLAIMED)
    assert job.lines == ["ready", "stopping"]


@pytest.mark.parametrize(
    ("options", "reason"),
    [({"reclaim_at_text": "ready"}, RECLAIMED), ({"timeout": 0.5}, TIMED_OUT)],
    ids=["interruption", "timeout"],
)
def test_a_program_that_ignores_sigterm_is_killed(
    job: Job, monkeypatch: pytest.MonkeyPatch, options: dict[str, Any], reason: str
) -> None:
    monkeypatch.setattr(job_processes, "GRACE_SECONDS", 0.05)
    assert job.run("ignore-sigterm", **options) == (137, reason), "this is the exit code of a process that SIGKILL ends"


def test_a_stopped_attempt_keeps_the_reason_of_the_stop(job: Job) -> None:
    assert job.run("exit-at-sigterm", "0", stop_at="ready") == (0, "stopped by the test")


EXIT_AT_CODE_75 = {"attempts": 2, "evaluateOnExit": [{"onExitCode": "75", "action": "EXIT"}]}


@pytest.mark.parametrize(
    ("strategy", "attempts", "reason", "exit_code", "is_retried"),
    [
        pytest.param(RETRY_INTERRUPTIONS, 1, RECLAIMED, 143, True, id="interrupted"),
        pytest.param(RETRY_INTERRUPTIONS, 3, RECLAIMED, 143, False, id="no attempts left"),
        pytest.param(RETRY_INTERRUPTIONS, 1, EXITED, 143, False, id="not interrupted"),
        pytest.param(EXIT_AT_CODE_75, 1, EXITED, 1, True, id="no entry matches"),
        pytest.param(EXIT_AT_CODE_75, 1, EXITED, 75, False, id="exit code matches"),
        pytest.param(EXIT_AT_CODE_75, 1, EXITED, 750, True, id="only the beginning of the exit code matches"),
        pytest.param({}, 1, EXITED, 1, False, id="one attempt by default"),
    ],
)
def test_a_failed_attempt_is_retried_according_to_the_retry_strategy(
    strategy: dict[str, Any], attempts: int, reason: str, exit_code: int, is_retried: bool
) -> None:
    assert should_retry(strategy, attempts, reason, exit_code) is is_retried


def test_an_image_is_found_by_its_repository_and_an_unknown_one_is_an_error() -> None:
    account = "123456789012.dkr.ecr.us-east-1.amazonaws.com"
    image = find_image(f"{account}/polyphony-local-meetings-media-images@sha256:0")
    assert image.module == "handlers.meetings.media_job"
    with pytest.raises(ValueError, match=r"the content of the image .*/others:1 is unknown"):
        find_image(f"{account}/others:1")
