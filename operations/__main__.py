"""Commands that change or examine a deployed stack: `python -m operations <command>`.

Exit status: 0 if the command succeeded. 1 if an alarm ended a rollout and the previous versions have all traffic again,
or if `verify` found a failure. 2 if the command was refused or did not finish its work.
"""

import argparse
import signal
import sys
import time
from collections.abc import Callable
from functools import cache, partial
from types import FrameType, ModuleType
from typing import Any

import boto3

from handlers.common.aws import CONFIG
from local.terminal_output import survive_closed_output
from operations import alias, announce, erase, flag, manifest_redrive, rollout, verify
from operations.command import CommandContext, CommandFailed, translate_errors

COMMANDS: dict[str, ModuleType] = {
    "flag": flag,
    "alias": alias,
    "rollout": rollout,
    "redrive": manifest_redrive,
    "announce": announce,
    "erase": erase,
    "verify": verify,
}
"""Module of each command, with `SUMMARY`, `add_arguments(parser)` and `run(context, options)`, the exit status."""
PRINT = partial(print, flush=True)


def main(
    arguments: list[str] | None = None,
    *,
    clients: Callable[[str], Any] | None = None,
    resources: Callable[[str], Any] | None = None,
    clock: Callable[[], float] = time.monotonic,
    wait: Callable[[float], None] = time.sleep,
    print_line: Callable[[str], None] = PRINT,
) -> int:
    """Run one command and return its exit status. Tests give the named arguments, which replace AWS and the time."""
    parser = argparse.ArgumentParser(prog="python -m operations", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="command")
    for name, command in COMMANDS.items():
        command_parser = commands.add_parser(name, help=command.SUMMARY, description=command.SUMMARY)
        command_parser.set_defaults(run=command.run)
        command_parser.add_argument("--stack", required=True, help="name of the stack, as in Pulumi.<stack>.yaml")
        command.add_arguments(command_parser)
    options = parser.parse_args(arguments)
    try:
        make_client = clients or cache(partial(_connect, boto3.client))
        make_resource = resources or partial(_connect, boto3.resource)
        context = CommandContext(make_client, make_resource, clock, wait, print_line)
        return int(options.run(context, options))
    except CommandFailed as error:
        sys.stderr.write(f"{error}\n")
    except KeyboardInterrupt:
        sys.stderr.write(
            "Interrupted. The command `alias` without --to shows which version of a function callers use.\n"
        )
    return 2


def _connect(create: Callable[..., Any], service: str) -> Any:
    """Return the client or resource of a service. Raise CommandFailed, for example if no Region is configured."""
    with translate_errors(service):
        return create(service, config=CONFIG)


def stop_cleanly() -> None:
    """Handle SIGTERM and SIGHUP like Ctrl-C, so that a rollout gives all traffic back before it ends.

    Signals that the caller ignores stay ignored, for example SIGHUP by `nohup`.
    """

    def stop(_signal: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, stop)


if __name__ == "__main__":
    survive_closed_output()
    stop_cleanly()
    sys.exit(main())
