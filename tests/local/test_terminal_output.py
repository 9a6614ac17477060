"""Tests of output to a pipe whose reader ends first, as in `make preview | head`."""

import os
import select
import subprocess
import sys

import pytest

from local import ROOT
from local.terminal_output import format_count

ENDING = """
import sys
from local.terminal_output import create_console, survive_closed_pipes
survive_closed_pipes()
out = create_console()
for number in range(20_000):
    print(number)
    out.print(number)
print("an error", file=sys.stderr)
sys.stdout.flush()
sys.exit(3)
"""


def run_without_reader(*arguments: str) -> int:
    """Run a Python program whose output and errors go to a pipe that is closed. Return its exit status."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        command = [sys.executable, *arguments]
        return subprocess.run(command, cwd=ROOT, stdout=writer, stderr=writer, check=False).returncode  # noqa: S603
    finally:
        os.close(writer)


def test_a_closed_pipe_changes_neither_the_work_nor_the_exit_status() -> None:
    assert run_without_reader("-c", ENDING) == 3


@pytest.mark.parametrize(
    ("arguments", "status"),
    [(["models", "--stack", "prod"], 0), (["preview", "--stack", "nowhere"], 2), (["--help"], 0)],
)
def test_a_command_without_a_reader_ends_with_its_own_status(arguments: list[str], status: int) -> None:
    assert run_without_reader("-m", "local", *arguments) == status


WAITING = """
import sys
from local.terminal_output import survive_closed_pipes
survive_closed_pipes()
print("The console is at http://127.0.0.1")
sys.stdin.read()
"""


def test_a_command_that_runs_on_has_written_its_lines_to_a_pipe() -> None:
    with subprocess.Popen(  # noqa: S603
        [sys.executable, "-c", WAITING], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        readable, _, _ = select.select([process.stdout], [], [], 20)
        assert readable, "the line waits in a buffer until the command ends"
        process.stdin.close()


def test_the_output_of_a_command_is_complete_if_it_is_read() -> None:
    output = subprocess.run([sys.executable, "-c", ENDING], cwd=ROOT, capture_output=True, check=False).stdout  # noqa: S603
    assert output.splitlines() == [str(number).encode() for number in range(20_000) for _ in range(2)]


@pytest.mark.parametrize(("count", "text"), [(0, "0 findings"), (1, "1 finding"), (2, "2 findings")])
def test_a_count_of_one_is_singular(count: int, text: str) -> None:
    assert format_count(count, "finding") == text
