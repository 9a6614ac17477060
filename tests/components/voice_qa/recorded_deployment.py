"""Recorded deployment of voice Q&A for tests, with default and with changed settings."""

from typing import Any

from components.blocks.naming.context import Subsystem
from components.settings import VoiceQaSettings
from components.voice_qa import VoiceQa, VoiceQaArgs
from tests.components.deployment_harness import Deployment, arn, prefix
from tests.fake_engine import Recorded

PREFIX = prefix(Subsystem.VOICE_QA)
API = arn("execute-api", "a1b2c3/Prod")
CALLBACK = "https://a1b2c3.execute-api.us-east-1.amazonaws.com/Prod"
BUCKET = f"{PREFIX}-audio-123456789012"
TABLE = f"{PREFIX}-sessions"
HANDLER = arn("lambda", f"function:{PREFIX}-websocket-handler")
WORKER = arn("lambda", f"function:{PREFIX}-query-worker")
VALIDATOR = arn("lambda", f"function:{PREFIX}-validate-lecture")
RUNTIME = arn("bedrock-agentcore", "runtime/lecturer-a1B2c3")
ENDPOINT = "https://agent.example.com"
GUEST_ID_KEY = "canary-" + "k" * 40
CHANGED_SETTINGS: dict[str, Any] = {
    "lectures": {"uploads": "guests", "maxGigabytes": 1.5},
    "audio": {
        "origins": ["https://app.example.com", "http://localhost:3000"],
        "queryDays": 11,
        "responseDays": 12,
        "accelerated": True,
    },
    "sessions": {"days": 6, "queriesAtOnce": 4, "queriesPerHour": 5, "urlSeconds": 61, "lecturesPerDay": 8},
    "agentcore": {"endpoint": "http://10.0.0.5:5000/v1", "answerSeconds": 50},
    "requestsPerSecond": 17,
    "validator": {"timeoutSeconds": 100},
}
"""Settings in which no two numbers are equal, so that a test can recognise each of them."""

VOICE_QA = Deployment(
    Subsystem.VOICE_QA,
    VoiceQa,
    VoiceQaArgs,
    VoiceQaSettings,
    default_settings={"guestIdKey": GUEST_ID_KEY, "agentcore": {"endpoint": ENDPOINT}},
)
previewed, deployed = VOICE_QA.previewed, VOICE_QA.deployed
"""Functions that return the recorded resources with the default settings, or with the settings that they are given."""


def changed_preview() -> Recorded:
    """Return the preview of a deployment with `CHANGED_SETTINGS`."""
    return previewed(**CHANGED_SETTINGS)


def deployed_with_bedrock_agent() -> Recorded:
    """Return the resources with an agent in AgentCore Runtime, as after a deployment."""
    return deployed(agentcore={"mode": "bedrock", "runtimeArn": RUNTIME, "qualifier": "spring"})


def deployed_with_guest_uploads() -> Recorded:
    """Return the resources with lecture uploads by guests, as after a deployment."""
    return deployed(lectures={"uploads": "guests"})
