"""Which function is meant: a stack and a logical path, turned into the names that the deployment gives.

Whether there is such a function is for the service to say.
"""

import argparse
import re
import shlex
from dataclasses import dataclass

from components.blocks.naming.physical_names import InvalidName, Kind, physical_name, stack_part
from operations.command_errors import Refused

PROJECT = "polyphony"
PYTHON = ".venv/bin/python"
"""What runs them, from the project's folder: any other Python lacks what they import."""
LIVE = "live"
"""The alias that all callers use (`components/blocks/compute/function.py`)."""
PART = r"[a-z0-9]+(?:-[a-z0-9]+)*"


def named(kind: Kind, stack: str, *path: str, suffix: str = "") -> str:
    """The name that the deployment gives to something of a stack."""
    try:
        return physical_name(kind, [PROJECT, stack_part(stack), *path], suffix)
    except InvalidName as error:
        raise Refused(str(error)) from error


@dataclass(frozen=True)
class Target:
    """One function of one stack."""

    stack: str
    subsystem: str
    what: str
    function: str
    """Its physical name."""
    alarm_prefix: str
    """How the names of all alarms of its subsystem begin."""

    @staticmethod
    def add_argument(parser: argparse.ArgumentParser) -> None:
        """Add the argument that `of` reads."""
        parser.add_argument("function", help="<subsystem>/<function>, as in transcription/audio-processor")

    @staticmethod
    def of(options: argparse.Namespace) -> "Target":
        """Return the function that a command's arguments name."""
        return Target.parse(options.stack, options.function)

    @staticmethod
    def parse(stack: str, path: str) -> "Target":
        """The function that `transcription/audio-processor` means in a stack."""
        found = re.fullmatch(f"({PART})/({PART})", path)
        if found is None:
            raise Refused(
                f"{path!r} is no function: give <subsystem>/<function> in a-z, 0-9 and hyphens, "
                "as in transcription/audio-processor"
            )
        subsystem, what = found.groups()
        function = named(Kind.FUNCTION, stack, subsystem, what)
        return Target(stack, subsystem, what, function, f"{PROJECT}-{stack_part(stack)}-{subsystem}-")

    def command(self, name: str, *rest: str) -> str:
        """A command for this function, to be typed as it stands."""
        return shlex.join(
            [PYTHON, "-m", "operations", name, "--stack", self.stack, f"{self.subsystem}/{self.what}", *rest]
        )


def version_of(text: str) -> str:
    """A published version's number."""
    if text.upper() == "$LATEST":
        raise Refused("$LATEST cannot be given to callers, it changes under them: give the number of a version")
    if not re.fullmatch(r"[1-9][0-9]{0,9}", text):
        raise Refused(f"{text!r} is no version: give a number as `alias` lists them, such as 7")
    return text
