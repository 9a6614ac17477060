"""Command `alias`: list a function's versions, or give one of them all traffic of the alias `live`.

All callers of a function use this alias. Moving it is the fastest rollback. It also ends a rollout of several steps.
"""

import argparse
import re

from operations.command import NOT_FOUND, CommandContext, CommandFailed
from operations.lambda_versions import LiveFunction, Routing

SUMMARY = "list a function's versions, or move the alias `live` to one of them"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("function", help="<subsystem>/<function>, for example transcription/audio-processor")
    parser.add_argument("--to", metavar="VERSION", help="version that gets all traffic immediately")


def run(context: CommandContext, options: argparse.Namespace) -> int:
    """List the versions, or move the alias to the version `--to`, which must be callable first."""
    function = LiveFunction(context, options.stack, options.function)
    if options.to and not re.fullmatch(r"[1-9][0-9]{0,9}", options.to):
        raise CommandFailed(f"{options.to!r} is not a version: give a number that `alias` lists, for example 7.")
    before = function.read_alias()
    if not options.to:
        context.print_line(f"{function.name}: {before}")
        for found in function.list_versions():
            version = found["Version"]
            share = before.weights.get(version)
            mark = f"{share:.0%}" if share else "live" if version == before.version else ""
            row = f"{version:>6}  {mark:<4}  {found['LastModified'][:16]}  {found['CodeSha256'][:8]}  {found['Description']}"
            context.print_line(row.rstrip())
        return 0
    if before == (to := Routing(options.to)):
        context.print_line(f"{function.name}: {to} already; nothing was changed")
    else:
        try:
            function.wait_until_callable(to.version)
        except CommandFailed as error:
            if error.code != NOT_FOUND:
                raise
            versions = ", ".join(found["Version"] for found in function.list_versions())
            raise CommandFailed(f"{function.name} has no version {to.version}, only: {versions}.", NOT_FOUND) from None
        function.move_alias(to, before)
        context.print_line(f"{function.name}: {to}; before: {before}")
    context.print_line(
        f'Commit `liveVersion: "{to.version}"` in the section of {function.path} to Pulumi.{function.stack}.yaml. Otherwise '
        "the next deployment that publishes a version moves `live`."
    )
    return 0
