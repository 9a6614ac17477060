"""A command of the local platform whose program waits in the middle of the deployment, so that a test can interrupt it.

`python -m tests.end_to_end.interruptible_command <folder> <second group> <up|down>` runs the command with a program of two
log groups, which are not checked by the policy pack. After it has created the first group, the program prints `WAITING`
and waits until the file `continue` exists in the folder. If the second group's name is too long, its creation fails.
"""

import signal
import sys
import time
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from types import SimpleNamespace

from local import __main__ as command_line
from local.platform import lifecycle
from local.preview import program_run, stack_files
from local.preview.program_run import ProgramRun, Provider
from local.preview.stack_files import StackConfig

WAITING = "waiting for the file `continue`"


def register_groups(second_name: str, folder: Path) -> None:
    from pulumi_aws import cloudwatch  # noqa: PLC0415 - after `prepare`, the import is much faster

    first = cloudwatch.LogGroup("first", name="first")
    cloudwatch.LogGroup("second", name=first.name.apply(partial(wait, folder, second_name)))


def wait(folder: Path, second_name: str, _first_name: str) -> str:
    """Return the name of the second group when the file exists."""
    print(WAITING, flush=True)  # noqa: T201 - read by the test
    while not (folder / "continue").exists():
        time.sleep(0.02)
    return second_name


def main() -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a process in the background may ignore it
    command_line.prepare()
    folder, second_name, command = Path(sys.argv[1]), sys.argv[2], sys.argv[3]

    def run_program(config: StackConfig, provider: Provider, *, preview: bool, report: object) -> ProgramRun:
        return program_run.run_function(
            partial(register_groups, second_name, folder), config, provider, preview=preview
        )

    lifecycle.run_program = run_program  # type: ignore[assignment, attr-defined]
    lifecycle.list_deployed_findings = lambda *_: []
    lifecycle.PolicyPackProcess = lambda *_, **_options: nullcontext(SimpleNamespace(send=None))  # type: ignore[assignment, attr-defined]
    stack_files.read_stack = lambda *_: StackConfig("polyphony", "local", {})
    sys.exit(command_line.main([command, "--folder", str(folder / "platform")]))


if __name__ == "__main__":
    main()
