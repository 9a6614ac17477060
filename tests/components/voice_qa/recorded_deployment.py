"""Recorded deployment of voice Q&A for tests."""

from components.core import Subsystem
from components.settings import VoiceQaSettings
from components.voice_qa.voice_qa import VoiceQa
from tests.components.deployment_harness import Deployment, prefix

PREFIX = prefix(Subsystem.VOICE_QA)
ENDPOINT = "https://agent.example.com"
GUEST_ID_KEY = "canary-" + "k" * 40

VOICE_QA = Deployment(
    Subsystem.VOICE_QA,
    VoiceQa,
    VoiceQaSettings,
    default_settings={"guestIdKey": GUEST_ID_KEY, "agentcore": {"endpoint": ENDPOINT}},
)
deployed = VOICE_QA.deployed
"""Function that returns the recorded resources with the default settings, or with the settings that it is given."""
