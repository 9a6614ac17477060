"""What every command works with, and what all of them do with the alias."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

from operations.aws_gateway import Alias, Clients, Configuration, Gateway, Routing
from operations.command_errors import Changed, NotFound, Refused, Unclear
from operations.function_target import LIVE, Target

LOOK_SECONDS = 1.0
READY_SECONDS = 600.0
"""How long a version may take until it can be called; with SnapStart that is minutes."""

T = TypeVar("T")


@dataclass(frozen=True)
class Desk:
    """The services, time, and where a command speaks."""

    clients: Clients
    clock: Callable[[], float]
    """Seconds; only differences count."""
    wait: Callable[[float], None]
    say: Callable[[str], None]

    @cached_property
    def gateway(self) -> Gateway:
        """Lambda and CloudWatch."""
        return Gateway(self.clients)

    def until(self, done: Callable[[], T | None], seconds: float) -> T | None:
        """What `done` gives, asked for again and again; none when the time is over."""
        end = self.clock() + seconds
        while (found := done()) is None and self.clock() < end:
            self.wait(LOOK_SECONDS)
        return found

    def live(self, target: Target) -> Alias:
        """The function's alias."""
        try:
            return self.gateway.alias(target.function)
        except NotFound:
            self.latest(target)
            raise Refused(f"{target.function} has no alias {LIVE}: deploy the stack {target.stack} first") from None

    def latest(self, target: Target) -> Configuration:
        """The function as the last deployment left it."""
        try:
            return self.gateway.configuration(target.function)
        except NotFound:
            raise Refused(
                f"there is no function {target.function} in {self.gateway.region}: check --stack, the path "
                f"{target.subsystem}/{target.what}, the account and the region"
            ) from None

    def callable_version(self, target: Target, version: str) -> Configuration:
        """A published version, once it can be called."""
        try:
            found = self.until(lambda: self._ready(target, version), READY_SECONDS)
        except NotFound:
            known = ", ".join(one.version for one in self.gateway.versions(target.function)[:10]) or "none"
            raise Refused(f"{target.function} has no version {version}; the newest are {known}") from None
        if found is None:
            raise Refused(
                f"version {version} of {target.function} is not ready after {READY_SECONDS:.0f} s; callers still have "
                "what they had, run it again later"
            )
        if found.state == "Failed":
            raise Refused(f"version {version} of {target.function} cannot be called ({found.reason}): choose another")
        return found

    def _ready(self, target: Target, version: str) -> Configuration | None:
        found = self.gateway.configuration(target.function, version)
        return None if found.state == "Pending" else found

    def point(self, target: Target, to: Routing, seen: Alias) -> Alias:
        """Moves the alias, unless somebody else has. A lost answer, or one to a repeated call, is looked up."""
        try:
            return self.gateway.point(target.function, to, seen.revision)
        except (Changed, Unclear) as error:
            now = self.live(target)
            if now.routing == to:
                return now
            if isinstance(error, Unclear):
                raise
            raise Changed(
                f"somebody else changed {LIVE} of {target.function} meanwhile, nothing was overwritten; "
                f"{described(now.routing)}: look, then run it again"
            ) from None


def described(routing: Routing) -> str:
    """An alias' traffic in words."""
    if not routing.weights:
        return f"version {routing.version} has all traffic"
    rest = 1 - sum(routing.weights.values())
    shares = [f"version {version} has {weight:.0%}" for version, weight in sorted(routing.weights.items())]
    return ", ".join([f"version {routing.version} has {rest:.0%}", *shares])


def unshared(target: Target, alias: Alias) -> None:
    """Refuses while a roll-out gives a share of the traffic to another version."""
    if alias.routing.weights:
        raise Refused(
            f"a roll-out of {target.function} is under way ({described(alias.routing)}): wait for it, or end it by "
            f"`{target.command('alias', '--to', alias.routing.version)}`"
        )
