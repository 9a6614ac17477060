"""What is done between two deployments: `python -m operations <command>`.

Exit status: 0 when it is done, 1 when an alarm ended a roll-out and the version before has all traffic again, or a
lecture was rejected, or the checklist found something, 2 when the command was refused or could not run to its end.
"""

import argparse
import signal
import sys
import time
from collections.abc import Callable
from types import FrameType
from typing import Any, Protocol

import boto3

from handlers.common.aws.clients import CONFIG
from operations import (
    alias_command,
    change_checklist,
    feature_flag,
    gradual_rollout,
    index_backfill,
    lecture_upload,
    manifest_redrive,
    meetings_savings,
)
from operations.aws_gateway import Clients, told
from operations.command_context import Desk
from operations.command_errors import Refused


class Command(Protocol):
    """A module that implements one command."""

    SUMMARY: str

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Add the arguments of the command, besides `--stack`."""

    def run(self, desk: Desk, options: argparse.Namespace) -> int:
        """Run the command and return its exit status."""


COMMANDS: dict[str, Command] = {
    "flag": feature_flag,
    "alias": alias_command,
    "rollout": gradual_rollout,
    "lecture": lecture_upload,
    "redrive": manifest_redrive,
    "backfill": index_backfill,
    "checklist": change_checklist,
    "savings": meetings_savings,
}


def main(
    arguments: list[str] | None = None,
    *,
    clients: Clients | None = None,
    clock: Callable[[], float] = time.monotonic,
    wait: Callable[[float], None] = time.sleep,
    say: Callable[[str], None] | None = None,
) -> int:
    """Runs one command."""
    options = create_parser().parse_args(arguments)
    command: Command = options.command
    try:
        return command.run(Desk(clients or _own_client, clock, wait, say or _say), options)
    except Refused as refused:
        sys.stderr.write(f"{refused}\n")
    except KeyboardInterrupt:
        sys.stderr.write("interrupted; the command `alias` without --to shows what callers have\n")
    return 2


def create_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    parser = argparse.ArgumentParser(prog="python -m operations", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="command")
    for name, command in COMMANDS.items():
        found = commands.add_parser(name, help=command.SUMMARY, description=command.SUMMARY)
        found.set_defaults(command=command)
        found.add_argument("--stack", required=True, help="the stack's name, as in Pulumi.<stack>.yaml")
        command.add_arguments(found)
    return parser


def _own_client(service: Any) -> Any:
    with told(None, service):
        return boto3.client(service, config=CONFIG)


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def stop_cleanly() -> None:
    """A terminal that is closed, and a job that is stopped, end a roll-out as Ctrl-C does: it takes its share back."""

    def stop(_signal: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    for one in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(one, stop)


if __name__ == "__main__":
    stop_cleanly()
    sys.exit(main())
