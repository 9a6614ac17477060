"""The meetings backend as tests deploy it: as a preview sees it, or as it is once AWS has given its ids."""

import json
from functools import cache
from typing import Any

from components.blocks.context import Subsystem
from components.meetings import Meetings, MeetingsArgs
from components.settings import MeetingsSettings
from tests.components.subsystem import ACCOUNT, made_by_aws, once, prefix
from tests.engine import Engine, Recorded, foundation_settings, scope

PREFIX = prefix(Subsystem.MEETINGS)
BUCKET = f"{PREFIX}-recordings-123456789012"
TABLE = f"{PREFIX}-meetings"
ISSUER = "https://login.example.com/"
IDENTITY = {"issuer": ISSUER, "audience": "polyphony"}

PAGE = "https://app.example.com"
DIGEST = f"sha256:{'0a' * 32}"
KEY = f"arn:aws:kms:{ACCOUNT}:key/0f3c1a5e-7d42-4b8e-9a61-2c5d8e7f9b10"
HAIKU = "us.anthropic.claude-haiku-4-5-20251001-v1:0"
CHANGES: dict[str, dict[str, Any]] = {
    "exchange": {
        "corsOrigin": PAGE,
        "credentialSeconds": 1800,
        "renewBeforeSeconds": 301,
        "requestsPerSecond": 16,
        "burst": 19,
        "stage": "v1",
        "wafRequests": 500,
    },
    "kept": {"rawDays": 3, "audioDays": 4, "workDays": 5, "versioned": False},
    "table": {"kmsKey": KEY},
    "models": {"actionItems": HAIKU, "answerSeconds": 99, "guardrailId": "abc123", "guardrailVersion": "2"},
    "processing": {
        "spot": {"vcpus": 0.5, "memoryMb": 1024},
        "attempts": 7,
        "timeoutMinutes": 490,
        "maxVcpus": 6,
        "pieceSeconds": 60,
        "maxHours": 2,
        "diskGigabytes": 21,
    },
    "speech": {"partSeconds": 7_200, "atOnce": 8, "maxSpeakers": 11},
    "media": {"imageDigest": DIGEST},
    "network": {"cidr": "10.99.0.0/16", "zones": ["c"]},
    "care": {
        "sweepMinutes": 12,
        "storageHourUtc": 14,
        "processingMinutes": 31,
        "giveUpMinutes": 98,
        "storageUsers": 13,
    },
    "storage": {"timeoutSeconds": 100},
    "alarms": {"requestsMeasured": True},
}
"""Settings that do not meet: no two numbers are the same, so whoever finds one knows where it comes from."""


def args(foundation: dict[str, Any] | None = None, **changes: Any) -> MeetingsArgs:
    """With a provider, and with settings changed by their outside names."""
    settings = {"identity": IDENTITY, **(foundation or {})}
    made = scope(subsystem=Subsystem.MEETINGS, foundation=foundation_settings(**settings))
    return MeetingsArgs(made, MeetingsSettings.model_validate(changes))


@once
def meetings(foundation: dict[str, Any] | None = None, **changes: Any) -> Recorded:
    """With changed settings, as a preview sees it: ids are unknown."""
    return Engine().run(lambda: Meetings("meetings", args(foundation, **changes)))


def plain() -> Recorded:
    """By default, as a preview sees it."""
    return meetings()


def changed() -> Recorded:
    """With all of these changes, as a preview sees it."""
    return meetings(**CHANGES)


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
