"""Context that every command gets: AWS clients, clock and output, and common operations on the alias `live`."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

from operations.aws_account import Clients
from operations.command_errors import CommandRefused, ConcurrentChange, ResourceNotFound, UnknownOutcome
from operations.function_gateway import AliasRouting, FunctionConfiguration, FunctionGateway, LiveAlias
from operations.function_target import LIVE, FunctionTarget

POLL_SECONDS = 1.0
"""Pause between two checks of `CommandContext.poll`."""
READY_SECONDS = 600.0
"""Maximum time until a new version can be called. With SnapStart this takes minutes."""

T = TypeVar("T")


@dataclass(frozen=True)
class CommandContext:
    """AWS clients, clock and output of a command."""

    clients: Clients
    clock: Callable[[], float]
    """Monotonic time in seconds."""
    wait: Callable[[float], None]
    """Function that waits for some seconds."""
    print_line: Callable[[str], None]

    @cached_property
    def gateway(self) -> FunctionGateway:
        """Gateway to Lambda and CloudWatch."""
        return FunctionGateway(self.clients)

    def poll(self, check: Callable[[], T | None], max_seconds: float) -> T | None:
        """Call `check` repeatedly until it returns a value. Return this value, or None after the maximum time."""
        end = self.clock() + max_seconds
        while (result := check()) is None and self.clock() < end:
            self.wait(POLL_SECONDS)
        return result

    def get_live_alias(self, target: FunctionTarget) -> LiveAlias:
        """Return the function's alias `live`."""
        try:
            return self.gateway.get_alias(target.function_name)
        except ResourceNotFound:
            self.get_latest(target)  # raises CommandRefused if the function does not exist either
            raise CommandRefused(
                f"{target.function_name} has no alias {LIVE}. Deploy the stack {target.stack} first."
            ) from None

    def get_latest(self, target: FunctionTarget) -> FunctionConfiguration:
        """Return the configuration of `$LATEST`."""
        try:
            return self.gateway.get_configuration(target.function_name)
        except ResourceNotFound:
            raise CommandRefused(
                f"The function {target.function_name} does not exist in {self.gateway.region}. Check --stack, the path "
                f"{target.subsystem}/{target.short_name}, the account and the Region."
            ) from None

    def wait_until_callable(self, target: FunctionTarget, version: str) -> FunctionConfiguration:
        """Wait until a published version can be called, and return its configuration."""
        try:
            configuration = self.poll(lambda: self._get_ready(target, version), READY_SECONDS)
        except ResourceNotFound:
            newest = self.gateway.list_versions(target.function_name)[:10]
            versions = ", ".join(configuration.version for configuration in newest) or "none"
            raise CommandRefused(
                f"{target.function_name} has no version {version}. The newest versions are: {versions}."
            ) from None
        if configuration is None:
            raise CommandRefused(
                f"Version {version} of {target.function_name} is not ready after {READY_SECONDS:.0f} s. Callers still use the "
                "previous version. Run the command again later."
            )
        if configuration.state == "Failed":
            raise CommandRefused(
                f"Version {version} of {target.function_name} cannot be called ({configuration.reason}). Choose another version."
            )
        return configuration

    def _get_ready(self, target: FunctionTarget, version: str) -> FunctionConfiguration | None:
        configuration = self.gateway.get_configuration(target.function_name, version)
        return None if configuration.state == "Pending" else configuration

    def move_alias(self, target: FunctionTarget, to: AliasRouting, before: LiveAlias) -> LiveAlias:
        """Change the alias' routing, unless another user changed the alias after `before` was read.

        If the response is lost, or botocore repeated the call, the alias is read to find out whether it was changed.
        """
        try:
            return self.gateway.update_alias(target.function_name, to, before.revision)
        except (ConcurrentChange, UnknownOutcome) as error:
            current = self.get_live_alias(target)
            if current.routing == to:
                return current
            if isinstance(error, UnknownOutcome):
                raise
            raise ConcurrentChange(
                f"The alias {LIVE} of {target.function_name} was changed by another user meanwhile. Nothing was overwritten: "
                f"{describe_routing(current.routing)}. Check this, then run the command again."
            ) from None


def describe_routing(routing: AliasRouting) -> str:
    """Return an alias' routing as text, for example `version 1 has 90%, version 2 has 10%`."""
    if not routing.weights:
        return f"version {routing.version} has all traffic"
    main_share = 1 - sum(routing.weights.values())
    shares = [f"version {version} has {weight:.0%}" for version, weight in sorted(routing.weights.items())]
    return ", ".join([f"version {routing.version} has {main_share:.0%}", *shares])


def refuse_during_rollout(target: FunctionTarget, alias: LiveAlias) -> None:
    """Raise CommandRefused if a rollout is in progress, which gives a share of the traffic to another version."""
    if alias.routing.weights:
        raise CommandRefused(
            f"A rollout of {target.function_name} is in progress ({describe_routing(alias.routing)}). Wait for it, or end it with "
            f"`{target.shell_command('alias', '--to', alias.routing.version)}`."
        )
