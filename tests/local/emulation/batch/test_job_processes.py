"""Tests of the process of a Batch attempt, of the retry decision, and of the faults of queues."""

import json
from pathlib import Path
from typing import Any

import pytest

from local.emulation.batch import job_processes
from local.emulation.batch.fault_injection import QueueFault, read_fault, set_faults
from local.emulation.batch.job_processes import (
    EXITED,
    RECLAIMED,
    TIMED_OUT,
    ContainerImage,
    JobProcess,
    find_image,
)
from local.emulation.batch.retry_strategy import matches_pattern, should_retry

PROGRAM = """
import json, os, signal, sys, time
from pathlib import Path

match sys.argv[1]:
    case "look":
        print(json.dumps({"names": sorted(os.environ), "given": os.environ["GIVEN"], "here": os.getcwd()}))
        try:
            import local
        except ImportError:
            print("none of ours")
    case "listen":
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])  # or it could come just before it is waited for
        print("ready", flush=True)
        signal.sigwait([signal.SIGTERM])
        print("stopping", flush=True)
        sys.exit(int(sys.argv[2]))
    case "deaf":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        print("ready", flush=True)
        time.sleep(60)
"""
RECLAIMED_ONLY = {
    "attempts": 3,
    "evaluateOnExit": [
        {"onStatusReason": "Your Spot Task was interrupted*", "action": "RETRY"},
        {"onReason": "*", "action": "EXIT"},
    ],
}


class Running:
    """A program and its output."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def run(self, *arguments: str, stop_at: str | None = None, **how: Any) -> tuple[int, str]:
        """Run the program. Return its exit code and the reason of its end."""
        image = ContainerImage("program", ("program.py",), {"GIVEN": "by the image", "OF_THE_IMAGE": "1"})
        process = JobProcess(image, arguments, {"GIVEN": "by the definition"})

        def log(line: str) -> None:
            self.said.append(line)
            if line == stop_at:
                process.stop("enough")

        return process.run(log, **how), process.reason


@pytest.fixture
def running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Running:
    (tmp_path / "program.py").write_text(PROGRAM, encoding="utf-8")
    monkeypatch.setattr(job_processes, "ROOT", tmp_path)
    return Running()


def test_a_program_sees_only_its_folder_variables_and_packages(running: Running) -> None:
    assert running.run("look", "") == (0, EXITED)
    result = json.loads(running.said[0])
    own = {"HOME", "PATH", "PYTHONPATH", "TMPDIR", "PYTHONDONTWRITEBYTECODE"}
    assert set(result["names"]) - {"LC_CTYPE", "LANG", "LC_ALL"} == {"GIVEN", "OF_THE_IMAGE", *own}
    assert result["given"] == "by the definition", "a job definition's variables take precedence, as on AWS"
    assert running.said[1] == "none of ours"
    assert not Path(result["here"]).exists(), "the folder is removed with the attempt"


def test_a_reclaimed_program_is_stopped_at_the_line_that_the_fault_names(running: Running) -> None:
    assert running.run("listen", "7", reclaim_at="ready") == (7, RECLAIMED)
    assert running.said == ["ready", "stopping"]


@pytest.mark.parametrize(
    ("end", "reason"), [({"reclaim_at": "ready"}, RECLAIMED), ({"timeout": 0.5}, TIMED_OUT)], ids=["Spot", "timeout"]
)
def test_a_program_that_ignores_the_signal_is_killed(
    running: Running, monkeypatch: pytest.MonkeyPatch, end: dict[str, Any], reason: str
) -> None:
    monkeypatch.setattr(job_processes, "GRACE_SECONDS", 0.05)
    assert running.run("deaf", "", **end) == (137, reason)


def test_a_stopped_attempt_keeps_the_first_reason(running: Running) -> None:
    assert running.run("listen", "0", stop_at="ready") == (0, "enough")


NOT_CODE_75 = {"attempts": 2, "evaluateOnExit": [{"onExitCode": "75", "action": "EXIT"}]}


@pytest.mark.parametrize(
    ("strategy", "attempts", "reason", "exit_code", "is_retried"),
    [
        (RECLAIMED_ONLY, 1, RECLAIMED, 143, True),
        (RECLAIMED_ONLY, 3, RECLAIMED, 143, False),
        (RECLAIMED_ONLY, 1, EXITED, 143, False),
        (NOT_CODE_75, 1, EXITED, 1, True),
        (NOT_CODE_75, 1, EXITED, 75, False),
        ({}, 1, EXITED, 1, False),
    ],
    ids=["reclaimed", "no attempts left", "failed by itself", "no entry matches", "code matches", "one by default"],
)
def test_the_retry_strategy_decides_about_another_attempt(
    strategy: dict[str, Any], attempts: int, reason: str, exit_code: int, is_retried: bool
) -> None:
    assert should_retry(strategy, attempts, reason, exit_code) is is_retried


def test_a_pattern_matches_the_whole_text_or_its_beginning() -> None:
    assert matches_pattern("one*", "one and more")
    assert not matches_pattern("one*", "on")
    assert not matches_pattern("one", "one and more")


def test_an_unknown_image_is_named_in_the_error() -> None:
    account = "123456789012.dkr.ecr.us-east-1.amazonaws.com"
    assert (
        find_image(f"{account}/polyphony-local-meetings-media-images@sha256:0").module == "handlers.meetings.media_job"
    )
    with pytest.raises(ValueError, match=r"the content of the image .*/others:1 is unknown"):
        find_image(f"{account}/others:1")


def test_a_queue_keeps_its_fault_until_another_is_set(tmp_path: Path) -> None:
    (tmp_path / "emulator").mkdir()
    assert read_fault(tmp_path, "spot") == QueueFault()
    set_faults(tmp_path, {"spot": QueueFault(reclaimed_attempts=2)})
    assert (read_fault(tmp_path, "spot"), read_fault(tmp_path, "on-demand")) == (
        QueueFault(reclaimed_attempts=2),
        QueueFault(),
    )
    set_faults(tmp_path, {})
    assert read_fault(tmp_path, "spot") == QueueFault()
