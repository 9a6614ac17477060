"""Recorded deployment of the meetings backend for tests, with default and with changed settings."""

import json
from typing import Any

from components.settings import MeetingsSettings
from handlers.meetings.environment import AUDIO_PART_SECONDS
from tests.components.deployment_harness import arn
from tests.components.deployments import MEETINGS
from tests.fake_engine import Recorded

PREFIX = MEETINGS.prefix
BUCKET = f"{PREFIX}-recordings-123456789012"
TABLE = f"{PREFIX}-meetings"

PAGE = "https://app.example.com"
KEY = arn("kms", "key/0f3c1a5e-7d42-4b8e-9a61-2c5d8e7f9b10")
HAIKU = "us.anthropic.claude-haiku-5-5"
CHANGES: dict[str, Any] = {
    "exchange": {"corsOrigin": PAGE, "requestsPerSecond": 16},
    "kept": {"rawDays": 3, "audioDays": 5, "oldVersionDays": 6},
    "tableKmsKey": KEY,
    "models": {"actionItems": HAIKU, "answerSeconds": 99},
    "processing": {
        "spot": {"vcpus": 2, "memoryMb": 5120},
        "timeoutMinutes": 490,
        "pollSeconds": 9,
        "maxVcpus": 7,
        "maxHours": 2,
    },
    "speech": {"atOnce": 8, "maxMinutes": 17},
    "network": {"cidr": "10.99.0.0/16", "zones": ["c"]},
    "storageUsers": 13,
}
"""Non-default settings. Their values are all different, so a value in the resources identifies its setting."""

deployed = MEETINGS.deployed
"""Function that returns the recorded resources with the default settings, or with the settings that it is given."""


def changed_deployment() -> Recorded:
    """Return the preview of a deployment with `CHANGES`."""
    return deployed(**CHANGES)


def workflow(recorded: Recorded) -> Any:
    """Return the definition of the workflow."""
    return json.loads(recorded.one("sfn.StateMachine").inputs["definition"])


def states(recorded: Recorded) -> Any:
    """Return the workflow's states by name."""
    return workflow(recorded)["States"]


def count_audio_parts(settings: MeetingsSettings) -> int:
    """Return the number of parts in which the longest recording is transcribed."""
    return -(-settings.processing.max_hours * 3600 // AUDIO_PART_SECONDS)
