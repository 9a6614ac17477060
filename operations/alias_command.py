"""Lists a function's versions, or moves `live` to one of them: the quickest way back, and the way to end a roll-out."""

import argparse

from operations import stack_file_advice
from operations.aws_gateway import Configuration, Routing
from operations.command_context import Desk, described
from operations.function_target import Target, version_of

SUMMARY = "list a function's versions, or move `live` to one"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    Target.add_argument(parser)
    parser.add_argument("--to", metavar="VERSION", help="the version that gets all traffic, at once")


def run(desk: Desk, options: argparse.Namespace) -> int:
    """Shows the versions, or moves the alias to one."""
    target = Target.of(options)
    if options.to is None:
        return _list(desk, target)
    wanted = Routing(version_of(options.to))
    seen = desk.live(target)
    if seen.routing == wanted:
        desk.say(f"{target.function}: {described(wanted)} already; nothing was changed")
    else:
        if desk.callable_version(target, wanted.version).state == "Inactive":
            desk.say(f"version {wanted.version} has slept for weeks: its first calls fail until Lambda has woken it")
        desk.point(target, wanted, seen)
        desk.say(f"{target.function}: {described(wanted)}; before, {described(seen.routing)}")
    for line in stack_file_advice.live_version(target, wanted.version):
        desk.say(line)
    return 0


def _list(desk: Desk, target: Target) -> int:
    routing = desk.live(target).routing
    desk.say(f"{target.function}: {described(routing)}")
    for one in desk.gateway.versions(target.function):
        desk.say(_row(one, routing))
    return 0


def _row(one: Configuration, routing: Routing) -> str:
    mark = "live" if one.version == routing.version else ""
    if one.version in routing.weights:
        mark = f"{routing.weights[one.version]:.0%}"
    return f"{one.version:>6}  {mark:<4}  {one.modified[:16]}  {one.code[:8]}  {one.description}".rstrip()
