"""What is done between two deployments: `python -m operations <command>`.

Exit status: 0 when it is done, 1 when an alarm ended a roll-out and the version before has all traffic again, or a
lecture was rejected, or the checklist found something, 2 when the command was refused or could not run to its end.
"""

import argparse
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import boto3

from handlers.common.clients import CONFIG
from operations import alias, backfill, checklist, flag, lecture, redrive, rollout, sample, savings
from operations.desk import Desk
from operations.gateway import Clients, Gateway, told
from operations.problems import Refused
from operations.target import Target

Command = Callable[[Desk, Clients, argparse.Namespace], int]
OfFunction = Callable[[Desk, Target, argparse.Namespace], int]


def main(
    arguments: list[str] | None = None,
    *,
    clients: Clients | None = None,
    clock: Callable[[], float] = time.monotonic,
    wait: Callable[[float], None] = time.sleep,
    say: Callable[[str], None] | None = None,
) -> int:
    """Runs one command."""
    options = _parser().parse_args(arguments)
    command: Command = options.command
    used = clients or _own_client
    desk = Desk(Gateway(used), clock, wait, say or _say)
    try:
        return command(desk, used, options)
    except Refused as refused:
        sys.stderr.write(f"{refused}\n")
    except KeyboardInterrupt:
        sys.stderr.write("interrupted; the command `alias` without --to shows what callers have\n")
    return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m operations", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="command")

    by_flag = _of_function(commands, "flag", _flag, "change one variable of a function for the callers of `live`")
    by_flag.add_argument("assignment", metavar="KEY=VALUE", help="as in PARTIAL_RESULTS_ENABLED=false")

    by_alias = _of_function(commands, "alias", _alias, "list a function's versions, or move `live` to one")
    by_alias.add_argument("--to", metavar="VERSION", help="the version that gets all traffic, at once")

    plan = rollout.Plan()
    out = _of_function(commands, "rollout", _rollout, "give a version a share, watch the alarms, then give it all")
    out.add_argument("--to", metavar="VERSION", help="the version to roll out (default: the newest published)")
    out.add_argument("--share", type=int, default=plan.share, help="percent of the traffic (default: %(default)s)")
    out.add_argument("--minutes", type=float, default=plan.minutes, help="how long to watch (default: %(default)s)")
    out.add_argument("--every", type=float, default=plan.every, help="seconds between looks (default: %(default)s)")
    out.add_argument(
        "--alarms",
        default=plan.alarms,
        metavar="NAME",
        help="only the subsystem's alarms whose names begin so, as in audio-processor (default: all)",
    )

    upload = _command(commands, "lecture", _lecture, "upload a lecture for voice Q&A, and wait for its verdict")
    upload.add_argument("file", type=Path, help="a recording: mp3, mp4, wav, flac, ogg or webm")

    again = _command(commands, "redrive", _redrive, "run a failed manifest of ingestion once more")
    again.add_argument("manifest", help="its id, with which the names of its executions begin")

    _care_of_meetings(commands)
    return parser


def _care_of_meetings(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    fill = _command(commands, "backfill", _backfill, "write the items that an index of meetings lists")
    fill.add_argument("what", choices=sorted(backfill.ATTRIBUTES), help="what the index is by")
    fill.add_argument("--per-second", type=float, default=25.0, help="meetings a second (default: %(default)s)")
    fill.add_argument("--after", default="", help="go on after a run that broke off, as it has printed")
    fill.add_argument("--remove", action="store_true", help="remove these items again")

    check = _command(commands, "checklist", _checklist, "check what can be checked of a stack's meetings")
    check.add_argument("--hours", type=float, default=24.0, help="how far back to look (default: %(default)s)")
    check.add_argument("--recording", type=Path, help="a recording to upload as a sample; needs --token and --api-url")
    check.add_argument("--token", type=Path, help="a file with a token of the identity provider")
    check.add_argument("--api-url", help="frontend.meetings.apiUrl of the stack's outputs")

    saved = _command(commands, "savings", _savings, "what meetings cost before and after a day, by Cost Explorer")
    saved.add_argument("--since", required=True, help="the first day of the change, as in 2026-01-31")
    saved.add_argument("--environment", help="the stack's environment, where that is not its name")
    saved.add_argument("--days", type=int, default=14, help="days on either side (default: %(default)s)")


def _of_function(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]", name: str, command: OfFunction, says: str
) -> argparse.ArgumentParser:
    def on_target(desk: Desk, _: Clients, options: argparse.Namespace) -> int:
        return command(desk, Target.parse(options.stack, options.function), options)

    parser = _command(commands, name, on_target, says)
    parser.add_argument("function", help="<subsystem>/<function>, as in transcription/audio-processor")
    return parser


def _command(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]", name: str, command: Command, says: str
) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=says, description=says)
    parser.set_defaults(command=command)
    parser.add_argument("--stack", required=True, help="the stack's name, as in Pulumi.<stack>.yaml")
    return parser


def _flag(desk: Desk, target: Target, options: argparse.Namespace) -> int:
    return flag.command(desk, target, options.assignment)


def _alias(desk: Desk, target: Target, options: argparse.Namespace) -> int:
    return alias.command(desk, target, options.to)


def _rollout(desk: Desk, target: Target, options: argparse.Namespace) -> int:
    plan = rollout.Plan(options.share, options.minutes, options.every, options.alarms)
    return rollout.command(desk, target, options.to, plan)


def _lecture(desk: Desk, clients: Clients, options: argparse.Namespace) -> int:
    return lecture.command(desk, clients, options.stack, options.file)


def _redrive(desk: Desk, clients: Clients, options: argparse.Namespace) -> int:
    return redrive.command(desk, clients, options.stack, options.manifest)


def _backfill(desk: Desk, clients: Clients, options: argparse.Namespace) -> int:
    return backfill.command(
        desk, clients, options.stack, options.what, options.per_second, options.after, options.remove
    )


def _checklist(desk: Desk, clients: Clients, options: argparse.Namespace) -> int:
    found = sample.Sample.of(options.recording, options.token, options.api_url)
    return checklist.command(desk, clients, options.stack, options.hours, found)


def _savings(desk: Desk, clients: Clients, options: argparse.Namespace) -> int:
    return savings.command(desk, clients, options.stack, options.environment, options.since, options.days)


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
