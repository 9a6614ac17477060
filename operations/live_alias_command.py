"""Command `alias`: list a Lambda function's versions, or move its Lambda alias `live` to one of them.

Moving the alias is the fastest rollback. It also ends a gradual rollout, which the command `rollout` makes.
"""

import argparse

from operations import stack_file_advice
from operations.command_context import CommandContext
from operations.function_management_gateway import AliasRouting, FunctionConfiguration
from operations.function_target import FunctionTarget, parse_version
from operations.live_alias import describe_routing, get_live_alias, move_alias, wait_until_callable

SUMMARY = "list a function's versions, or move the alias `live` to one of them"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    FunctionTarget.add_argument(parser)
    parser.add_argument("--to", metavar="VERSION", help="version that gets all traffic immediately")


def run(context: CommandContext, options: argparse.Namespace) -> int:
    """List the versions, or move the alias to one of them."""
    target = FunctionTarget.parse(options.stack, options.function)
    if options.to is None:
        return _list_versions(context, target)
    new_routing = AliasRouting(parse_version(options.to))
    before = get_live_alias(context, target)
    if before.routing == new_routing:
        context.print_line(f"{target.function_name}: {describe_routing(new_routing)} already; nothing was changed")
    else:
        if wait_until_callable(context, target, new_routing.version).state == "Inactive":
            context.print_line(
                f"Version {new_routing.version} is inactive because it was not called for weeks. Its first calls fail until Lambda has activated it."
            )
        move_alias(context, target, new_routing, before)
        context.print_line(
            f"{target.function_name}: {describe_routing(new_routing)}; before: {describe_routing(before.routing)}"
        )
    for line in stack_file_advice.advise_live_version(target, new_routing.version):
        context.print_line(line)
    return 0


def _list_versions(context: CommandContext, target: FunctionTarget) -> int:
    routing = get_live_alias(context, target).routing
    context.print_line(f"{target.function_name}: {describe_routing(routing)}")
    for version in context.gateway.list_versions(target.function_name):
        context.print_line(_row(version, routing))
    return 0


def _row(configuration: FunctionConfiguration, routing: AliasRouting) -> str:
    share = "live" if configuration.version == routing.version else ""
    if configuration.version in routing.weights:
        share = f"{routing.weights[configuration.version]:.0%}"
    return f"{configuration.version:>6}  {share:<4}  {configuration.modified[:16]}  {configuration.code_hash[:8]}  {configuration.description}".rstrip()
