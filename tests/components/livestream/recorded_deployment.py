"""Recorded deployment of the livestream backend for tests, with default and with changed settings."""

from typing import Any

from components.blocks.naming.context import Subsystem
from components.livestream import Livestream, LivestreamArgs
from components.settings import LivestreamSettings
from tests.components.deployment_harness import Deployment, prefix
from tests.fake_engine import Recorded

PREFIX = prefix(Subsystem.LIVESTREAM)
BUCKET = f"{PREFIX}-transcripts-123456789012"
TABLE = f"{PREFIX}-null-check"
KEY = "canary-" + "k" * 40
ISSUER = "https://login.example.com/"
CHANGES: dict[str, dict[str, Any]] = {
    "uploads": {"multipartMegabytes": 11, "maxVideoGigabytes": 5, "maxTranscriptMegabytes": 4, "objectDays": 3},
    "api": {"corsOrigin": "https://app.example.com", "requestsPerSecond": 7},
    "agent": {
        "memoryDays": 30,
        "windowCharacters": 2_000,
        "answerSeconds": 66,
        "atOnce": 6,
    },
    "video": {"chunkSeconds": 12, "chunkingMinutes": 31},
    "care": {"timeoutSeconds": 100},
}
"""Non-default settings. All numbers are different, so a number in the resources identifies its setting."""

LIVESTREAM = Deployment(
    Subsystem.LIVESTREAM,
    Livestream,
    LivestreamArgs,
    LivestreamSettings,
    default_settings={"encryptionKey": KEY},
    foundation={"identity": {"issuer": ISSUER, "audience": "polyphony"}},
)
previewed, deployed = LIVESTREAM.previewed, LIVESTREAM.deployed
"""Functions that return the recorded resources with the default settings, or with the settings that they are given."""


def changed_preview() -> Recorded:
    """Return the preview of a deployment with `CHANGES`."""
    return previewed(**CHANGES)
