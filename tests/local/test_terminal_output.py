"""Tests of output to a pipe or terminal that may be closed, as in `make preview | head`, and of counts in the output."""

import os
import pty
import select
import subprocess
import sys
from collections.abc import Callable

import pytest

from local import ROOT
from local.terminal_output import format_count

PRINT_AND_EXIT = """
import sys
from local.terminal_output import create_console, survive_closed_output
survive_closed_output()
out = create_console()
for number in range(2_000):
    print(number)
    out.print(number)
print("an error", file=sys.stderr)
sys.stdout.flush()
sys.exit(3)
"""


def run_without_reader(*arguments: str, open_output: Callable[[], tuple[int, int]] = os.pipe) -> int:
    """Run Python with output and errors to a pipe or terminal whose reader has closed it. Return the exit status."""
    reader, writer = open_output()
    os.close(reader)
    try:
        command = [sys.executable, *arguments]
        return subprocess.run(command, cwd=ROOT, stdout=writer, stderr=writer, check=False).returncode  # noqa: S603
    finally:
        os.close(writer)


@pytest.mark.parametrize("open_output", [os.pipe, pty.openpty])
def test_a_program_runs_to_its_end_although_its_output_is_closed(open_output: Callable[[], tuple[int, int]]) -> None:
    assert run_without_reader("-c", PRINT_AND_EXIT, open_output=open_output) == 3


@pytest.mark.parametrize(
    "arguments", [["local", "preview", "--stack", "nowhere"], ["operations", "alias", "--stack", "dev", "nothing"]]
)
def test_a_command_has_its_usual_exit_status_if_the_reader_has_closed_the_pipe(arguments: list[str]) -> None:
    assert run_without_reader("-m", *arguments) == 2


PRINT_AND_WAIT = """
import sys
from local.terminal_output import survive_closed_output
survive_closed_output()
print("The console is at http://127.0.0.1")
sys.stdin.read()
"""


def test_the_lines_of_a_running_command_are_not_buffered_in_a_pipe() -> None:
    with subprocess.Popen(  # noqa: S603
        [sys.executable, "-c", PRINT_AND_WAIT], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        readable, _, _ = select.select([process.stdout], [], [], 20)
        assert readable, "the line waits in a buffer until the command ends"
        process.stdin.close()


def test_a_reader_gets_the_complete_output() -> None:
    output = subprocess.run([sys.executable, "-c", PRINT_AND_EXIT], cwd=ROOT, capture_output=True, check=False).stdout  # noqa: S603
    assert output.splitlines() == [str(number).encode() for number in range(2_000) for _ in range(2)]


@pytest.mark.parametrize(("count", "text"), [(0, "0 findings"), (1, "1 finding"), (2, "2 findings")])
def test_a_count_of_one_is_singular(count: int, text: str) -> None:
    assert format_count(count, "finding") == text
