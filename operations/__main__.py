"""Commands that change or examine a deployed stack: `python -m operations <command>`.

Exit status: 0 if the command succeeded. 1 if an alarm ended a rollout and the previous version has all traffic again,
or if `verify` found a failure. 2 if the command was refused or did not finish its work.
"""

import argparse
import signal
import sys
import time
from collections.abc import Callable
from functools import partial
from types import FrameType
from typing import Any, Protocol

import boto3

from handlers.common.aws.client_config import CONFIG
from operations import (
    announce,
    environment_variable_command,
    gradual_rollout,
    live_alias_command,
    manifest_redrive,
    meetings_index_backfill,
    verify,
)
from operations.aws_account import Clients
from operations.aws_errors import translate_errors
from operations.command_context import CommandContext
from operations.command_errors import CommandFailed


class Command(Protocol):
    """A module that implements one command."""

    SUMMARY: str

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Add the arguments of the command, in addition to `--stack`."""

    def run(self, context: CommandContext, options: argparse.Namespace) -> int:
        """Run the command and return its exit status."""


COMMANDS: dict[str, Command] = {
    "flag": environment_variable_command,
    "alias": live_alias_command,
    "rollout": gradual_rollout,
    "redrive": manifest_redrive,
    "announce": announce,
    "backfill": meetings_index_backfill,
    "verify": verify,
}

_print_line = partial(print, flush=True)


def main(
    arguments: list[str] | None = None,
    *,
    clients: Clients | None = None,
    clock: Callable[[], float] = time.monotonic,
    wait: Callable[[float], None] = time.sleep,
    print_line: Callable[[str], None] = _print_line,
) -> int:
    """Run one command and return its exit status."""
    options = create_parser().parse_args(arguments)
    command: Command = options.command
    try:
        return command.run(CommandContext(clients or _create_client, clock, wait, print_line), options)
    except CommandFailed as error:
        sys.stderr.write(f"{error}\n")
    except KeyboardInterrupt:
        sys.stderr.write(
            "Interrupted. After `flag`, `alias` or `rollout`, the command `alias` without --to shows which version callers "
            "use.\n"
        )
    return 2


def create_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m operations", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="command")
    for name, command in COMMANDS.items():
        command_parser = commands.add_parser(name, help=command.SUMMARY, description=command.SUMMARY)
        command_parser.set_defaults(command=command)
        command_parser.add_argument("--stack", required=True, help="name of the stack, as in Pulumi.<stack>.yaml")
        command.add_arguments(command_parser)
    return parser


def _create_client(service: Any) -> Any:
    with translate_errors(None, service):
        return boto3.client(service, config=CONFIG)


def stop_cleanly() -> None:
    """Handle SIGTERM and SIGHUP like Ctrl-C.

    A rollout then gives all traffic back to the previous version before it ends.
    """

    def stop(_signal: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)


if __name__ == "__main__":
    stop_cleanly()
    sys.exit(main())
