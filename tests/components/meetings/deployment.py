"""The meetings backend as tests deploy it: as a preview sees it, or as it is once AWS has given its ids."""

import json
from functools import cache
from typing import Any

from components.blocks.context import Subsystem
from components.meetings import Meetings, MeetingsArgs
from components.settings import MeetingsSettings
from tests.components.subsystem import made_by_aws, once, prefix
from tests.engine import Engine, Recorded, foundation_settings, scope

PREFIX = prefix(Subsystem.MEETINGS)
BUCKET = f"{PREFIX}-recordings-123456789012"
TABLE = f"{PREFIX}-meetings"
ISSUER = "https://login.example.com/"
IDENTITY = {"issuer": ISSUER, "audience": "polyphony"}


def args(foundation: dict[str, Any] | None = None, **changes: Any) -> MeetingsArgs:
    """With a provider, and with settings changed by their outside names."""
    settings = {"identity": IDENTITY, **(foundation or {})}
    made = scope(subsystem=Subsystem.MEETINGS, foundation=foundation_settings(**settings))
    return MeetingsArgs(made, MeetingsSettings.model_validate(changes))


@once
def meetings(foundation: dict[str, Any] | None = None, **changes: Any) -> Recorded:
    """With changed settings, as a preview sees it: ids are unknown."""
    return Engine().run(lambda: Meetings("meetings", args(foundation, **changes)))


@cache
def plain() -> Recorded:
    """By default, as a preview sees it."""
    return meetings()


@cache
def complete() -> Recorded:
    """By default, as it is when AWS has made everything."""
    return made_by_aws(lambda: Meetings("meetings", args()))


def workflow(recorded: Recorded) -> dict[str, Any]:
    """The definition of the workflow."""
    found: dict[str, Any] = json.loads(recorded.one("sfn.StateMachine").inputs["definition"])
    return found


def states(recorded: Recorded) -> dict[str, Any]:
    """Its states by name."""
    found: dict[str, Any] = workflow(recorded)["States"]
    return found
