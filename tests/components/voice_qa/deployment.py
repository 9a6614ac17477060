"""Voice Q&A as tests deploy it: as a preview sees it, or as it is once AWS has given its ids."""

from functools import cache
from typing import Any

from components.blocks.context import Subsystem
from components.settings import VoiceQaSettings
from components.voice_qa import VoiceQa, VoiceQaArgs
from tests.components.subsystem import ACCOUNT, made_by_aws, once, prefix
from tests.engine import Engine, Recorded, foundation_settings, scope

PREFIX = prefix(Subsystem.VOICE_QA)
API = f"arn:aws:execute-api:{ACCOUNT}:a1b2c3/Prod"
CALLBACK = "https://a1b2c3.execute-api.us-east-1.amazonaws.com/Prod"
BUCKET = f"{PREFIX}-audio-123456789012"
TABLE = f"{PREFIX}-sessions"
HANDLER = f"arn:aws:lambda:{ACCOUNT}:function:{PREFIX}-websocket-handler"
WORKER = f"arn:aws:lambda:{ACCOUNT}:function:{PREFIX}-query-worker"
VALIDATOR = f"arn:aws:lambda:{ACCOUNT}:function:{PREFIX}-validate-lecture"
RUNTIME = f"arn:aws:bedrock-agentcore:{ACCOUNT}:runtime/lecturer-a1B2c3"
ENDPOINT = "https://agent.example.com"
CHANGES: dict[str, dict[str, Any]] = {
    "lectures": {
        "uploads": "guests",
        "maxGigabytes": 1.5,
        "minSeconds": 8,
        "maxSeconds": 601,
        "formats": ["wav", "mp3"],
        "sweepHours": 24,
        "sweepMinutes": 55,
    },
    "audio": {
        "maxQueryMegabytes": 2.5,
        "origins": ["https://app.example.com", "http://localhost:3000"],
        "queryDays": 11,
        "responseDays": 12,
        "oldVersionDays": 13,
        "accelerated": True,
    },
    "sessions": {"days": 6, "queriesAtOnce": 4, "queriesPerHour": 5, "urlSeconds": 61},
    "agentcore": {
        "endpoint": "http://10.0.0.5:5000/v1",
        "connectSeconds": 1,
        "firstByteSeconds": 3,
        "silenceSeconds": 14,
        "answerSeconds": 50,
    },
    "socket": {"stage": "v2", "requestsPerSecond": 17, "burst": 19},
    "validator": {"timeoutSeconds": 100},
}
"""Settings that do not meet: no two numbers are the same, so whoever finds one knows where it comes from."""


def args(foundation: dict[str, Any] | None = None, **changes: Any) -> VoiceQaArgs:
    """With an agent, and with settings changed by their outside names."""
    made = scope(subsystem=Subsystem.VOICE_QA, foundation=foundation_settings(**(foundation or {})))
    return VoiceQaArgs(made, VoiceQaSettings.model_validate({"agentcore": {"endpoint": ENDPOINT}, **changes}))


@once
def voice_qa(foundation: dict[str, Any] | None = None, **changes: Any) -> Recorded:
    """With changed settings, as a preview sees it: ids are unknown."""
    return Engine().run(lambda: VoiceQa("voice-qa", args(foundation, **changes)))


def plain() -> Recorded:
    """By default, as a preview sees it."""
    return voice_qa()


def changed() -> Recorded:
    """With all of these changes, as a preview sees it."""
    return voice_qa(**CHANGES)


@cache
def complete() -> Recorded:
    """By default, as it is when AWS has made everything."""
    return made_by_aws(lambda: VoiceQa("voice-qa", args()))


@cache
def bedrock() -> Recorded:
    """With an agent in AgentCore Runtime, as it is when AWS has made everything."""
    agent = {"mode": "bedrock", "runtimeArn": RUNTIME, "qualifier": "spring"}
    return made_by_aws(lambda: VoiceQa("voice-qa", args(agentcore=agent)))


@cache
def open_to_guests() -> Recorded:
    """Where guests upload lectures, as it is when AWS has made everything."""
    return made_by_aws(lambda: VoiceQa("voice-qa", args(lectures={"uploads": "guests"})))
