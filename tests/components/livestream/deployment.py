"""The livestream backend as tests deploy it: as a preview sees it, or as it is once AWS has given its ids."""

from functools import cache
from typing import Any

from components.blocks.context import Subsystem
from components.livestream import Livestream, LivestreamArgs
from components.settings import LivestreamSettings
from tests.components.subsystem import made_by_aws, prefix
from tests.engine import Engine, Recorded, foundation_settings, scope

PREFIX = prefix(Subsystem.LIVESTREAM)
BUCKET = f"{PREFIX}-transcripts-123456789012"
TABLE = f"{PREFIX}-null-check"
KEY = "canary-" + "k" * 40
ISSUER = "https://login.example.com/"
IDENTITY = {"issuer": ISSUER, "audience": "polyphony"}


def args(foundation: dict[str, Any] | None = None, **changes: Any) -> LivestreamArgs:
    """With a key and a provider, and with settings changed by their outside names."""
    settings = {"identity": IDENTITY, **(foundation or {})}
    made = scope(subsystem=Subsystem.LIVESTREAM, foundation=foundation_settings(**settings))
    return LivestreamArgs(made, LivestreamSettings.model_validate({"encryptionKey": KEY, **changes}))


def livestream(foundation: dict[str, Any] | None = None, **changes: Any) -> Recorded:
    """With changed settings, as a preview sees it: ids are unknown."""
    return Engine().run(lambda: Livestream("livestream", args(foundation, **changes)))


@cache
def plain() -> Recorded:
    """By default, as a preview sees it."""
    return livestream()


@cache
def complete() -> Recorded:
    """By default, as it is when AWS has made everything."""
    return made_by_aws(lambda: Livestream("livestream", args()))
