"""The livestream backend as tests deploy it: as a preview sees it, or as it is once AWS has given its ids."""

from functools import cache
from typing import Any

from components.blocks.context import Subsystem
from components.livestream import Livestream, LivestreamArgs
from components.settings import LivestreamSettings
from tests.components.subsystem import made_by_aws, once, prefix
from tests.engine import Engine, Recorded, foundation_settings, scope

PREFIX = prefix(Subsystem.LIVESTREAM)
BUCKET = f"{PREFIX}-transcripts-123456789012"
TABLE = f"{PREFIX}-null-check"
KEY = "canary-" + "k" * 40
ISSUER = "https://login.example.com/"
IDENTITY = {"issuer": ISSUER, "audience": "polyphony"}

CHANGES: dict[str, dict[str, Any]] = {
    "kept": {"cursorSeconds": 61, "deletedDays": 8, "eventDays": 3, "versioned": False},
    "uploads": {"urlSeconds": 62, "multipartMegabytes": 11, "maxVideoGigabytes": 5, "maxTranscriptMegabytes": 4},
    "api": {
        "corsOrigin": "https://app.example.com",
        "requestsPerSecond": 7,
        "burst": 9,
        "dataTrace": True,
        "wafRequests": 500,
    },
    "alarms": {
        "failedVideosAbove": 8,
        "failedWindowsAbove": 6,
        "clientErrorsAbove": 121,
        "serverErrorsAbove": 122,
        "latencyMs": 123,
    },
    "agent": {
        "memoryDays": 30,
        "windowCharacters": 2_000,
        "windowSeconds": 60,
        "overlapCharacters": 200,
        "guardrailId": "abc123",
        "guardrailVersion": "2",
        "answerSeconds": 49,
        "maxOutputTokens": 2_900,
    },
    "video": {"chunkSeconds": 12, "deliveries": 10, "maxHours": 4},
    "stuck": {"sweepMinutes": 13, "uploadedMinutes": 31},
    "care": {"timeoutSeconds": 100},
}
"""Settings that do not meet: no two numbers are the same, so whoever finds one knows where it comes from."""


def args(foundation: dict[str, Any] | None = None, **changes: Any) -> LivestreamArgs:
    """With a key and a provider, and with settings changed by their outside names."""
    settings = {"identity": IDENTITY, **(foundation or {})}
    made = scope(subsystem=Subsystem.LIVESTREAM, foundation=foundation_settings(**settings))
    return LivestreamArgs(made, LivestreamSettings.model_validate({"encryptionKey": KEY, **changes}))


@once
def livestream(foundation: dict[str, Any] | None = None, **changes: Any) -> Recorded:
    """With changed settings, as a preview sees it: ids are unknown."""
    return Engine().run(lambda: Livestream("livestream", args(foundation, **changes)))


def plain() -> Recorded:
    """By default, as a preview sees it."""
    return livestream()


def changed() -> Recorded:
    """With all of these changes, as a preview sees it."""
    return livestream(**CHANGES)


@cache
def complete() -> Recorded:
    """By default, as it is when AWS has made everything."""
    return made_by_aws(lambda: Livestream("livestream", args()))
