"""A command of the local platform whose program waits in the middle of the deployment, so that a test can interrupt it.

`python -m tests.end_to_end.interruptible_command <folder> <second group> <command>` runs a command, for example `up`, with
the program that `replace_program` describes. After it has created the first group, the program prints `WAITING` and waits
until it is interrupted, or until the file `continue` exists in the folder.
"""

import signal
import sys
import time
from collections.abc import Callable
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


def replace_program(
    set_attribute: Callable[[object, str, object], None], second_name: str, wait: Callable[[], None] = lambda: None
) -> None:
    """Replace the program of the commands by two log groups, which are not checked by the policy pack.

    `wait` is called between the creations of the groups. If the second group's name is too long, its creation fails.
    """

    def name_second(_first_name: str) -> str:
        wait()
        return second_name

    def register_groups() -> None:
        from pulumi_aws import cloudwatch  # noqa: PLC0415 - after `prepare`, the import is much faster

        first = cloudwatch.LogGroup("first", name="first")
        cloudwatch.LogGroup("second", name=first.name.apply(name_second))

    def run_program(config: StackConfig, provider: Provider, *, preview: bool, on_registration: object) -> ProgramRun:
        return program_run.run_function(register_groups, config, provider, preview=preview)

    set_attribute(lifecycle, "run_program", run_program)
    set_attribute(lifecycle, "list_deployed_findings", lambda *_: [])
    set_attribute(lifecycle, "PolicyPackProcess", lambda *_, **_options: nullcontext(SimpleNamespace(send=None)))
    set_attribute(stack_files, "read_stack", lambda *_: StackConfig("polyphony", "local", {}))


def wait_for_file(path: Path) -> None:
    print(WAITING, flush=True)  # noqa: T201 - read by the test
    while not path.exists():
        time.sleep(0.02)


def main() -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a process in the background may ignore it
    command_line.prepare()
    folder, second_name, command = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
    replace_program(setattr, second_name, partial(wait_for_file, folder / "continue"))
    sys.exit(command_line.main([command, "--folder", str(folder / "platform")]))


if __name__ == "__main__":
    main()
