"""Command `rollout`: give a new version of a Lambda function a share of the traffic, watch the alarms, then give it the
rest.

If the rollout ends early, because of an alarm or for another reason, the previous version gets all traffic again, and
the resulting routing is printed. An alias that another user has changed meanwhile is not touched.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass

from operations import stack_file_advice
from operations.command_context import CommandContext
from operations.command_errors import CommandFailed, InvalidInput
from operations.function_management_gateway import AlarmState, AliasRouting, LiveAlias
from operations.function_target import FunctionTarget, parse_version
from operations.live_alias import (
    describe_routing,
    get_live_alias,
    move_alias,
    refuse_during_rollout,
    wait_until_callable,
)

SUMMARY = "give a version a share of the traffic, watch the alarms, then give it all traffic"
REVERT_ATTEMPTS = 6
"""Maximum number of attempts to give the previous version all traffic again."""
REVERT_PAUSE_SECONDS = 5.0
"""Pause between two of these attempts."""


@dataclass(frozen=True)
class RolloutPlan:
    share: int = 10
    """Percentage of the traffic that the new version gets."""
    minutes: float = 15
    """Time in minutes for which the alarms are watched before the new version gets all traffic."""
    every: float = 30
    """Seconds between two checks of the alarms."""
    alarms: str = ""
    """Text that follows the subsystem's prefix in the names of the watched alarms. If it is empty, all alarms of the
    subsystem are watched."""

    def __post_init__(self) -> None:
        if not 1 <= self.share <= 99:
            raise CommandFailed(f"--share {self.share}: give a percentage from 1 to 99.")
        if not 0 < self.minutes <= 1440:
            raise CommandFailed(f"--minutes {self.minutes:g}: give a time above 0 and up to 1440 minutes.")
        if not 1 <= self.every <= self.minutes * 60:
            raise CommandFailed(f"--every {self.every:g}: give seconds, at least 1 and at most the time of --minutes.")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    plan = RolloutPlan()
    FunctionTarget.add_argument(parser)
    parser.add_argument("--to", metavar="VERSION", help="version to roll out (default: the newest published version)")
    parser.add_argument(
        "--share", type=int, default=plan.share, help="percentage of the traffic (default: %(default)s)"
    )
    parser.add_argument("--minutes", type=float, default=plan.minutes, help="how long to watch (default: %(default)s)")
    parser.add_argument(
        "--every", type=float, default=plan.every, help="seconds between two checks (default: %(default)s)"
    )
    parser.add_argument(
        "--alarms",
        default=plan.alarms,
        metavar="NAME",
        help="watch only the subsystem's alarms whose names begin with this, for example audio-processor (default: all)",
    )


def run(context: CommandContext, options: argparse.Namespace) -> int:
    """Roll a version out. Return 0 if it has all traffic.

    If an alarm ended the rollout, return 1 if the previous version has all traffic again, or else 2.
    """
    target = FunctionTarget.parse(options.stack, options.function)
    plan = RolloutPlan(options.share, options.minutes, options.every, options.alarms)
    before = get_live_alias(context, target)
    refuse_during_rollout(target, before)
    version = _choose_version(context, target, options.to, before.routing.version)
    alarms = _list_watched_alarms(context, f"{target.alarm_prefix}{plan.alarms}")
    return _Rollout(context, target, plan, before, version).run(alarms)


def _choose_version(context: CommandContext, target: FunctionTarget, to: str | None, live: str) -> str:
    """Return the version to roll out: the given one, or the newest published one."""
    requested = parse_version(to) if to is not None else None
    published = context.gateway.list_versions(target.function_name)
    version = requested or next((configuration.version for configuration in published), live)
    if version == live:
        raise CommandFailed(
            f"Version {version} of {target.function_name} is live already. Set `liveVersion` to it in "
            f"Pulumi.{target.stack}.yaml, deploy, and then roll out the version that the deployment publishes."
        )
    return wait_until_callable(context, target, version).version


def _list_watched_alarms(context: CommandContext, prefix: str) -> list[AlarmState]:
    """Return the alarms to watch. Raises CommandFailed if there is no alarm, or if an alarm is in state ALARM."""
    alarms = context.gateway.list_alarms(prefix)
    if not alarms:
        raise CommandFailed(
            f"No alarm name begins with {prefix}, so nothing would be watched. Check --stack and --alarms."
        )
    if names := [alarm.name for alarm in alarms if alarm.is_in_alarm]:
        raise CommandFailed(
            f"Already in state ALARM: {', '.join(names)}. Nothing was changed. Fix the cause first, or select the alarms to "
            "watch with --alarms."
        )
    if names := names_without_data(alarms):
        context.print_line(f"without data, so these alarms cannot detect a problem yet: {', '.join(names)}")
    return alarms


def names_without_data(alarms: Sequence[AlarmState]) -> list[str]:
    return [alarm.name for alarm in alarms if alarm.has_no_data]


def names_alarmed_since(previous: Sequence[AlarmState], current: Sequence[AlarmState]) -> list[str]:
    """Return the names of the alarms that are in state ALARM, or may have been since the previous check.

    If an alarm has the same state as before but another time of its last change, it was in another state meanwhile,
    possibly in ALARM.
    """
    previous_states = {alarm.name: (alarm.state, alarm.since) for alarm in previous}

    def has_reentered_state(alarm: AlarmState) -> bool:
        state, since = previous_states.get(alarm.name, ("", None))
        return state == alarm.state and since != alarm.since

    return [alarm.name for alarm in current if alarm.is_in_alarm or has_reentered_state(alarm)]


@dataclass(frozen=True)
class _Rollout:
    context: CommandContext
    target: FunctionTarget
    plan: RolloutPlan
    before: LiveAlias
    """The alias before the rollout."""
    version: str

    @property
    def _old_routing(self) -> AliasRouting:
        return self.before.routing

    @property
    def _shared_routing(self) -> AliasRouting:
        return AliasRouting(self._old_routing.version, {self.version: round(self.plan.share / 100, 2)})

    def run(self, alarms: list[AlarmState]) -> int:
        """Shift the share, watch the alarms, then shift all traffic or revert. Return the exit status.

        `alarms`: their states before the rollout.
        """
        try:
            shared = self._shift_share()
            alarmed = self._watch(alarms)
            if not alarmed:
                move_alias(self.context, self.target, AliasRouting(self.version), shared)
        except BaseException:
            self.context.print_line(self._revert_share()[1])
            raise
        if alarmed:
            is_reverted, state = self._revert_share()
            self.context.print_line(f"in state ALARM since the last check: {', '.join(alarmed)}")
            self.context.print_line(state)
            self._print_advice(self._old_routing.version)
            return 1 if is_reverted else 2
        self.context.print_line(
            f"{self.target.function_name}: {describe_routing(AliasRouting(self.version))}; before: version {self._old_routing.version}"
        )
        self._print_advice(self.version)
        return 0

    def _shift_share(self) -> LiveAlias:
        """Give the new version its share."""
        try:
            alias = move_alias(self.context, self.target, self._shared_routing, self.before)
        except InvalidInput:
            raise CommandFailed(
                f"Versions {self._old_routing.version} and {self.version} of {self.target.function_name} cannot share traffic, because "
                "Lambda requires the same role and dead-letter target for both. Use the command `alias` instead."
            ) from None
        self.context.print_line(
            f"{self.target.function_name}: {describe_routing(alias.routing)}, for {self.plan.minutes:g} minutes"
        )
        return alias

    def _watch(self, alarms: list[AlarmState]) -> list[str]:
        """Check the alarms until the time is over, with a last check at the end.

        Return the names of the alarms that are or may have been in state ALARM, as soon as there is one.
        """
        start = self.context.clock()
        end = start + self.plan.minutes * 60
        while (seconds_left := end - self.context.clock()) > 0:
            self.context.wait(min(self.plan.every, seconds_left))
            self._check_routing()
            current_alarms = self.context.gateway.list_alarms(f"{self.target.alarm_prefix}{self.plan.alarms}")
            if alarmed := names_alarmed_since(alarms, current_alarms):
                return alarmed
            minutes = (self.context.clock() - start) / 60
            silent = names_without_data(current_alarms)
            note = f"; without data: {', '.join(silent)}" if silent else ""
            self.context.print_line(
                f"{minutes:.1f} of {self.plan.minutes:g} minutes: none of {len(current_alarms)} alarms is in state ALARM{note}"
            )
            alarms = current_alarms
        return []

    def _check_routing(self) -> None:
        """Raise CommandFailed if another user has changed the alias."""
        routing = get_live_alias(self.context, self.target).routing
        if routing != self._shared_routing:
            raise CommandFailed(
                f"The alias of {self.target.function_name} was changed by another user, so the rollout ends."
            )

    def _revert_share(self) -> tuple[bool, str]:
        """Give the new version's share of the traffic back to the previous version.

        Return whether the previous version has all traffic, and a text for the operator. Failed attempts are repeated,
        also if the operator presses Ctrl-C again, because the new version must not keep its share when nothing watches the alarms.
        """
        problem = "interrupted"
        for attempt in range(REVERT_ATTEMPTS):
            try:
                if attempt:
                    self.context.wait(REVERT_PAUSE_SECONDS)
                alias = self.context.gateway.get_alias(self.target.function_name)
                if alias.routing == self._shared_routing:
                    alias = move_alias(self.context, self.target, self._old_routing, alias)
                    return True, f"the share was returned: {describe_routing(alias.routing)}"
                is_reverted = alias.routing == self._old_routing
                return is_reverted, f"the alias was left unchanged: {describe_routing(alias.routing)}"
            except (CommandFailed, KeyboardInterrupt) as error:
                problem = str(error) or problem
        return False, (
            f"THE SHARE COULD NOT BE RETURNED ({problem}). The last known state: {describe_routing(self._shared_routing)}. Return it "
            f"with `{self.target.alias_command(self._old_routing.version)}`."
        )

    def _print_advice(self, version: str) -> None:
        """Print how to keep the alias at this version in later deployments."""
        for line in stack_file_advice.advise_live_version(self.target, version):
            self.context.print_line(line)
