"""Command `rollout`: give new versions growing shares of the traffic while alarms are watched, and then all traffic.

All callers of a function use its alias `live`. A version is live if the alias points to it. With `--all`, the command
rolls out every function of the stack whose newest version is not live, as the deployment workflow does. If it ends
early, because of an alarm or for another reason, the previous versions get all traffic again.
"""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml
from pydantic.alias_generators import to_camel

from components.core import Subsystem
from operations.command import NOT_FOUND, PROJECT, CommandContext, CommandFailed, number_type, translate_errors
from operations.lambda_versions import LiveFunction, Routing

SUMMARY = "give new versions a share of the traffic, watch the alarms, then give them all traffic"
ROOT = Path(__file__).resolve().parents[1]
CHECK_SECONDS = 30
REVERT_ATTEMPTS = 4
"""Number of attempts to give the previous version all traffic again."""
REVERT_PAUSE_SECONDS = 5.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("function", nargs="?", help="<subsystem>/<function>, for example transcription/audio-processor")
    what.add_argument("--all", action="store_true", help="every function with a newer version, except pinned functions")
    share, minutes = number_type(1, 99), number_type(0.01, 1440)
    parser.add_argument("--share", nargs="+", type=share, default=[10], help="percentage of each step (default: 10)")
    parser.add_argument("--minutes", type=minutes, default=15, help="time of each step (default: %(default)s)")
    parser.add_argument("--alarms", metavar="NAME", default="", help="watch only alarms `<subsystem>-<NAME>…`")


@dataclass
class Move:
    """Move of a function's traffic from its live version to a new version."""

    function: LiveFunction
    alias: Routing
    """The alias as this command last read or wrote it."""
    old: str
    new: str

    def give_share(self, share: float) -> None:
        """Give the new version a share of the traffic, 0 (none) to 1 (all), unless another user changed the alias."""
        to = Routing(self.new) if share == 1 else Routing(self.old, {self.new: share} if share else {})
        self.alias = self.function.move_alias(to, self.alias)
        self.function.context.print_line(f"{self.function.name}: {to}")

    def revert(self) -> bool:
        """Give the old version all traffic again, and return True if it has.

        An alias that another user has moved to a third version is left unchanged. Failures and further interruptions
        are retried, because the new version must not keep its share when nothing watches the alarms.
        """
        context, problem = self.function.context, ""
        for attempt in range(REVERT_ATTEMPTS):
            try:
                if attempt:
                    context.wait(REVERT_PAUSE_SECONDS)
                self.alias = self.function.read_alias()
                if self.new in {self.alias.version, *self.alias.weights}:
                    self.give_share(0)
                else:
                    context.print_line(f"{self.function.name} was left unchanged: {self.alias}")
                return self.alias.version == self.old  # noqa: TRY300
            except (CommandFailed, KeyboardInterrupt) as error:
                problem = str(error) or "interrupted"
        context.print_line(
            f"THE SHARE COULD NOT BE RETURNED ({problem}). Run `{self.function.alias_command(self.old)}`."
        )
        return False


def run(context: CommandContext, options: argparse.Namespace) -> int:
    """Roll out. Return 0 if the new versions have all traffic.

    If an alarm ended the rollout, return 1 if the previous versions have all traffic again, or else 2.
    """
    if options.all:
        moves = find_moves(context, options.stack)
    else:
        moves = plan_moves(LiveFunction(context, options.stack, options.function))
    if not moves:
        context.print_line("Nothing to roll out: the newest or pinned version has all traffic already.")
        return 0
    prefixes = sorted({move.function.alarm_prefix + options.alarms for move in moves})
    alarms = _read_alarms(context, prefixes)
    if not alarms:
        raise CommandFailed(
            f"No alarm begins with {' or '.join(prefixes)}, so nothing would be watched. Check --alarms."
        )
    if names := _in_state(alarms, "ALARM"):
        raise CommandFailed(
            f"Already in state ALARM: {', '.join(names)}. Fix the cause, or select others with --alarms."
        )
    if names := _in_state(alarms, "INSUFFICIENT_DATA"):
        context.print_line(f"without data, so these alarms cannot detect a problem yet: {', '.join(names)}")
    try:
        alarmed = _shift(context, options, moves, prefixes)
    except (KeyboardInterrupt, Exception):
        for move in moves:
            move.revert()
        raise
    if alarmed:
        context.print_line(f"in state ALARM: {', '.join(alarmed)}")
        results = [move.revert() for move in moves]
        return 1 if all(results) else 2
    context.print_line(
        f"If Pulumi.{options.stack}.yaml pins one of them by `liveVersion`, set the new version there or remove the "
        "setting, because the next deployment applies it."
    )
    return 0


def find_moves(context: CommandContext, stack: str) -> list[Move]:
    """Return the moves of all deployed functions that have a newer version, except functions pinned by `liveVersion`.

    This setting in the stack file fixes the live version. Raise CommandFailed if no function is deployed or pinned.
    """
    try:
        config = yaml.safe_load((ROOT / f"Pulumi.{stack}.yaml").read_text(encoding="utf-8"))["config"]
    except OSError:
        raise CommandFailed(f"Pulumi.{stack}.yaml, which pins versions, is missing. Check --stack.") from None
    moves, is_stack_empty = list[Move](), True
    for subsystem in Subsystem:
        settings = config.get(f"{PROJECT}:{to_camel(subsystem.package)}") or {}
        for handler in sorted((ROOT / "handlers" / subsystem.package).glob("*/handler.py")):
            folder = handler.parent.name
            if (settings.get(to_camel(folder)) or {}).get("liveVersion"):
                is_stack_empty = False
                continue
            try:
                function = LiveFunction(context, stack, f"{subsystem}/{folder.replace('_', '-')}")
                moves += plan_moves(function)
                is_stack_empty = False
            except CommandFailed as error:
                if error.code != NOT_FOUND:  # the stack does not have this function
                    raise
    if is_stack_empty:
        raise CommandFailed(f"The stack {stack} has no function. Check --stack, the account and the Region.")
    return moves


def plan_moves(function: LiveFunction) -> list[Move]:
    """Return the move to the newest version, or no move if it is live already. Wait until it can be called."""
    function.wait_until_provisioned()
    alias = function.read_alias()
    function.refuse_during_rollout(alias)
    new = str(function.list_versions()[0]["Version"])
    if new == alias.version:
        return []
    function.wait_until_callable(new)
    return [Move(function, alias, alias.version, new)]


def _shift(
    context: CommandContext, options: argparse.Namespace, moves: Sequence[Move], prefixes: Sequence[str]
) -> list[str]:
    """Give the new versions each share and then all traffic. Return the alarms that ended this early, or none."""
    for share in options.share:
        for move in moves:
            move.give_share(round(share / 100, 2))
        end = context.clock() + options.minutes * 60
        while (seconds_left := end - context.clock()) > 0:
            context.wait(min(CHECK_SECONDS, seconds_left))
            # An alarm stays in its state for a minute or longer, so checks every `CHECK_SECONDS` miss none.
            if alarmed := _in_state(_read_alarms(context, prefixes), "ALARM"):
                return alarmed
        context.print_line(f"{options.minutes:g} minutes with {share:g} %: no alarm is in state ALARM")
    for move in moves:
        move.give_share(1)
        move.function.wait_until_provisioned()
    return []


def _read_alarms(context: CommandContext, prefixes: Sequence[str]) -> dict[str, str]:
    """Return the states of the metric alarms whose names begin with one of the prefixes, by name."""
    with translate_errors("the alarms"):
        paginator = context.clients("cloudwatch").get_paginator("describe_alarms")
        return {
            alarm["AlarmName"]: alarm["StateValue"]
            for prefix in prefixes
            for page in paginator.paginate(AlarmNamePrefix=prefix, AlarmTypes=["MetricAlarm"])
            for alarm in page["MetricAlarms"]
        }


def _in_state(alarms: Mapping[str, str], state: str) -> list[str]:
    return [name for name, found in alarms.items() if found == state]
