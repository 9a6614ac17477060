"""Functions that several commands use to read and move a Lambda function's alias `live`, which all callers use.

If the Lambda function, the alias or the version does not exist, these Python functions raise `CommandFailed`. Its
message says what to do, or lists the newest versions.
"""

from operations.command_context import CommandContext
from operations.command_errors import CommandFailed, ConcurrentChange, ResourceNotFound, UnknownOutcome
from operations.function_management_gateway import AliasRouting, FunctionConfiguration, LiveAlias
from operations.function_target import LIVE, FunctionTarget

READY_SECONDS = 600.0
"""Maximum time until a new version can be called. With SnapStart this takes minutes."""


def get_live_alias(context: CommandContext, target: FunctionTarget) -> LiveAlias:
    try:
        return context.gateway.get_alias(target.function_name)
    except ResourceNotFound:
        get_latest_configuration(context, target)  # raises CommandFailed if the function does not exist either
        raise CommandFailed(
            f"{target.function_name} has no alias {LIVE}. Deploy the stack {target.stack} first."
        ) from None


def get_latest_configuration(context: CommandContext, target: FunctionTarget) -> FunctionConfiguration:
    try:
        return context.gateway.get_configuration(target.function_name)
    except ResourceNotFound:
        raise CommandFailed(
            f"The function {target.function_name} does not exist in {context.gateway.region}. Check --stack, the path "
            f"{target.subsystem}/{target.short_name}, the account and the Region."
        ) from None


def wait_until_callable(context: CommandContext, target: FunctionTarget, version: str) -> FunctionConfiguration:
    """Wait until a published version can be called, and return its configuration."""
    try:
        configuration = context.poll(lambda: _get_ready(context, target, version), READY_SECONDS)
    except ResourceNotFound:
        newest = context.gateway.list_versions(target.function_name)[:10]
        versions = ", ".join(configuration.version for configuration in newest) or "none"
        raise CommandFailed(
            f"{target.function_name} has no version {version}. The newest versions are: {versions}."
        ) from None
    if configuration is None:
        raise CommandFailed(
            f"Version {version} of {target.function_name} is not ready after {READY_SECONDS:.0f} s. Callers still use the "
            "previous version. Run the command again later."
        )
    if configuration.state == "Failed":
        raise CommandFailed(
            f"Version {version} of {target.function_name} cannot be called ({configuration.reason}). Choose another version."
        )
    return configuration


def _get_ready(context: CommandContext, target: FunctionTarget, version: str) -> FunctionConfiguration | None:
    configuration = context.gateway.get_configuration(target.function_name, version)
    return None if configuration.state == "Pending" else configuration


def move_alias(context: CommandContext, target: FunctionTarget, to: AliasRouting, before: LiveAlias) -> LiveAlias:
    """Change the alias' routing, unless another user changed the alias after `before` was read.

    The first call can succeed although this function gets an error: if the response is lost, botocore repeats the call
    with the old revision, which Lambda refuses. So after an error, the alias is read to find out whether it has the new
    routing.
    """
    try:
        return context.gateway.update_alias(target.function_name, to, before.revision)
    except (ConcurrentChange, UnknownOutcome) as error:
        current = get_live_alias(context, target)
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
    """Raise CommandFailed if a rollout is in progress, which gives a share of the traffic to another version."""
    if alias.routing.weights:
        raise CommandFailed(
            f"A rollout of {target.function_name} is in progress ({describe_routing(alias.routing)}). Wait for it, or end it with "
            f"`{target.alias_command(alias.routing.version)}`."
        )
