"""The Lambda function that a command works on, and the physical names of a stack's resources.

Names are computed by the same code as in the deployment. This module does not check whether the resources exist.
"""

import argparse
import re
import shlex
from dataclasses import dataclass

from components.blocks.naming.physical_names import InvalidName, Kind, physical_name, stack_part
from operations.command_errors import CommandFailed

PROJECT = "polyphony"
PYTHON = ".venv/bin/python"
"""Python interpreter in the commands that are printed, relative to the project's folder. Other interpreters may lack
the packages that the commands need."""
LIVE = "live"
"""The alias that all callers use (`components/blocks/compute/function.py`)."""
PATH_PART = r"[a-z0-9]+(?:-[a-z0-9]+)*"
"""Pattern of each part of a function path. The path has two parts, a subsystem (one of the backends) and a function,
for example `transcription/audio-processor`."""


def build_name(kind: Kind, stack: str, *path: str, suffix: str = "") -> str:
    """Return the physical name of a stack's resource. Raises CommandFailed for an invalid stack name."""
    try:
        return physical_name(kind, [PROJECT, stack_part(stack), *path], suffix)
    except InvalidName as error:
        raise CommandFailed(str(error)) from error


@dataclass(frozen=True)
class FunctionTarget:
    """A function of a stack."""

    stack: str
    subsystem: str
    """Name of the subsystem in a function path, for example `voice-qa`."""
    short_name: str
    """Name of the function in a function path, for example `audio-processor`."""
    function_name: str
    """Physical name of the function on AWS."""
    alarm_prefix: str
    """Beginning of the names of all alarms of the subsystem."""

    @staticmethod
    def add_argument(parser: argparse.ArgumentParser) -> None:
        """Add the argument with the path that `parse` reads."""
        parser.add_argument("function", help="<subsystem>/<function>, for example transcription/audio-processor")

    @staticmethod
    def parse(stack: str, path: str) -> "FunctionTarget":
        """Return the function of a path such as `transcription/audio-processor`. Raises CommandFailed."""
        match = re.fullmatch(f"({PATH_PART})/({PATH_PART})", path)
        if match is None:
            raise CommandFailed(
                f"{path!r} is not a function path: give <subsystem>/<function> in a-z, 0-9 and hyphens, "
                "for example transcription/audio-processor"
            )
        subsystem, name = match.groups()
        function = build_name(Kind.FUNCTION, stack, subsystem, name)
        return FunctionTarget(stack, subsystem, name, function, f"{PROJECT}-{stack_part(stack)}-{subsystem}-")

    def alias_command(self, version: str) -> str:
        """Return the shell command that moves the function's alias `live` to a version."""
        path = f"{self.subsystem}/{self.short_name}"
        return shlex.join([PYTHON, "-m", "operations", "alias", "--stack", self.stack, path, "--to", version])


def parse_version(text: str) -> str:
    """Return the number of a published version. Raises CommandFailed."""
    if text.upper() == "$LATEST":
        raise CommandFailed(
            "Callers must not use $LATEST, because it changes with each update. Give the number of a version."
        )
    if not re.fullmatch(r"[1-9][0-9]{0,9}", text):
        raise CommandFailed(f"{text!r} is not a version: give a number that `alias` lists, for example 7")
    return text
