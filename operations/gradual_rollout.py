"""Gives a version a share of the traffic, watches the alarms, and then gives it all or takes it back.

Whatever ends it early, the last thing it does is to take the share back, and then it says what the alias does. An alias
that somebody else has moved meanwhile is left as it is.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass

from operations import stack_file_advice
from operations.aws_gateway import Alarm, Alias, Routing
from operations.command_context import Desk, described, unshared
from operations.command_errors import Invalid, Refused
from operations.function_target import Target, version_of

SUMMARY = "give a version a share, watch the alarms, then give it all"
TAKING_BACK_ATTEMPTS = 6
TAKING_BACK_SECONDS = 5.0


@dataclass(frozen=True)
class Plan:
    """How carefully."""

    share: int = 10
    """Percent of the traffic."""
    minutes: float = 15
    every: float = 30
    """Seconds between two looks at the alarms."""
    alarms: str = ""
    """How the names of the alarms that count go on after the subsystem's."""

    def __post_init__(self) -> None:
        if not 1 <= self.share <= 99:
            raise Refused(f"--share {self.share}: give a percentage from 1 to 99")
        if not 0 < self.minutes <= 1440:
            raise Refused(f"--minutes {self.minutes:g}: give a time above 0 and up to 1440")
        if not 1 <= self.every <= self.minutes * 60:
            raise Refused(f"--every {self.every:g}: give seconds, at least 1 and no more than --minutes")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    plan = Plan()
    Target.add_argument(parser)
    parser.add_argument("--to", metavar="VERSION", help="the version to roll out (default: the newest published)")
    parser.add_argument("--share", type=int, default=plan.share, help="percent of the traffic (default: %(default)s)")
    parser.add_argument("--minutes", type=float, default=plan.minutes, help="how long to watch (default: %(default)s)")
    parser.add_argument("--every", type=float, default=plan.every, help="seconds between looks (default: %(default)s)")
    parser.add_argument(
        "--alarms",
        default=plan.alarms,
        metavar="NAME",
        help="only the subsystem's alarms whose names begin so, as in audio-processor (default: all)",
    )


def run(desk: Desk, options: argparse.Namespace) -> int:
    """Rolls a version out: 0 when it has all traffic, 1 when an alarm rang and the version before has all again."""
    target = Target.of(options)
    plan = Plan(options.share, options.minutes, options.every, options.alarms)
    before = desk.live(target)
    unshared(target, before)
    version = _version(desk, target, options.to, before.routing.version)
    alarms = _quiet(desk, f"{target.alarm_prefix}{plan.alarms}")
    return _Rollout(desk, target, plan, before, version).run(alarms)


def _version(desk: Desk, target: Target, to: str | None, live: str) -> str:
    """The version to roll out: the one given, or the newest that was published."""
    given = version_of(to) if to is not None else None
    version = given or next((one.version for one in desk.gateway.versions(target.function)), live)
    if version == live:
        raise Refused(
            f"version {version} of {target.function} is live already: pin `liveVersion` to it and deploy, then roll out "
            "what that publishes"
        )
    return desk.callable_version(target, version).version


def _quiet(desk: Desk, prefix: str) -> list[Alarm]:
    """The alarms to watch, none of them ringing."""
    found = desk.gateway.alarms(prefix)
    if not found:
        raise Refused(f"no alarm's name begins with {prefix}: nothing would be watched; check --stack and --alarms")
    if loud := ringing(found):
        raise Refused(
            f"already ringing: {', '.join(loud)}; nothing was changed. Mend that first, or choose the alarms that count "
            "by --alarms"
        )
    if silent := without_data(found):
        desk.say(f"without data, so they can tell nothing yet: {', '.join(silent)}")
    return found


def ringing(alarms: Sequence[Alarm]) -> list[str]:
    """Return the names of the alarms that ring."""
    return [alarm.name for alarm in alarms if alarm.is_ringing]


def without_data(alarms: Sequence[Alarm]) -> list[str]:
    """Return the names of the alarms without data."""
    return [alarm.name for alarm in alarms if alarm.has_no_data]


def rang(before: Sequence[Alarm], now: Sequence[Alarm]) -> list[str]:
    """Return the names of the alarms that ring or have rung since the previous look.

    An alarm that is in the same state as before but entered it anew was in another state in between, which may have
    been ALARM.
    """
    previous = {alarm.name: (alarm.state, alarm.since) for alarm in before}

    def entered_anew(alarm: Alarm) -> bool:
        state, since = previous.get(alarm.name, ("", None))
        return state == alarm.state and since != alarm.since

    return [alarm.name for alarm in now if alarm.is_ringing or entered_anew(alarm)]


@dataclass(frozen=True)
class _Rollout:
    desk: Desk
    target: Target
    plan: Plan
    before: Alias
    version: str

    @property
    def _old(self) -> Routing:
        return self.before.routing

    @property
    def _shared(self) -> Routing:
        return Routing(self._old.version, {self.version: round(self.plan.share / 100, 2)})

    def run(self, alarms: list[Alarm]) -> int:
        try:
            shared = self._share()
            loud = self._watch(alarms)
            if not loud:
                self.desk.point(self.target, Routing(self.version), shared)
        except BaseException:
            self.desk.say(self._taken_back()[1])
            raise
        if loud:
            back, state = self._taken_back()
            self.desk.say(f"rang since the last look: {', '.join(loud)}")
            self.desk.say(state)
            self._commit(self._old.version)
            return 1 if back else 2
        self.desk.say(f"{self.target.function}: {described(Routing(self.version))}, before {self._old.version}")
        self._commit(self.version)
        return 0

    def _share(self) -> Alias:
        try:
            alias = self.desk.point(self.target, self._shared, self.before)
        except Invalid:
            raise Refused(
                f"Lambda does not let {self._old.version} and {self.version} of {self.target.function} share traffic: "
                "both need the same role and the same dead-letter target; move by `alias` instead"
            ) from None
        self.desk.say(f"{self.target.function}: {described(alias.routing)}, for {self.plan.minutes:g} minutes")
        return alias

    def _watch(self, alarms: list[Alarm]) -> list[str]:
        """Looks until the time is over or something rings; the last look is at the very end."""
        start = self.desk.clock()
        end = start + self.plan.minutes * 60
        while (left := end - self.desk.clock()) > 0:
            self.desk.wait(min(self.plan.every, left))
            self._still_ours()
            now = self.desk.gateway.alarms(f"{self.target.alarm_prefix}{self.plan.alarms}")
            if loud := rang(alarms, now):
                return loud
            minutes = (self.desk.clock() - start) / 60
            silent = without_data(now)
            note = f"; without data: {', '.join(silent)}" if silent else ""
            self.desk.say(f"{minutes:.1f} of {self.plan.minutes:g} minutes: none of {len(now)} alarms rings{note}")
            alarms = now
        return []

    def _still_ours(self) -> None:
        now = self.desk.live(self.target).routing
        if now != self._shared:
            raise Refused(f"somebody else changed the alias of {self.target.function}: the roll-out ends here")

    def _taken_back(self) -> tuple[bool, str]:
        """Whether the version before has all traffic, and what the alias does now, in words.

        Tried several times, an impatient second Ctrl-C included: a share that stays is watched by nobody.
        """
        trouble = "interrupted"
        for attempt in range(TAKING_BACK_ATTEMPTS):
            try:
                if attempt:
                    self.desk.wait(TAKING_BACK_SECONDS)
                now = self.desk.gateway.alias(self.target.function)
                if now.routing == self._shared:
                    now = self.desk.point(self.target, self._old, now)
                    return True, f"the share was taken back: {described(now.routing)}"
                return now.routing == self._old, f"the alias is left as it is: {described(now.routing)}"
            except (Refused, KeyboardInterrupt) as error:
                trouble = str(error) or trouble
        return False, (
            f"THE SHARE COULD NOT BE TAKEN BACK ({trouble}): as far as is known, {described(self._shared)}; take it back "
            f"by `{self.target.command('alias', '--to', self._old.version)}`"
        )

    def _commit(self, version: str) -> None:
        for line in stack_file_advice.live_version(self.target, version):
            self.desk.say(line)
