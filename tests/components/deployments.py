"""Deployments of the five subsystems, with their default settings or with those that a test chooses."""

from typing import Any

from components.core import Subsystem
from components.ingestion import cost as ingestion_cost
from components.ingestion.ingestion import Ingestion
from components.livestream import cost as livestream_cost
from components.livestream.livestream import Livestream
from components.meetings import cost as meetings_cost
from components.meetings.meetings import Meetings
from components.settings import (
    IngestionSettings,
    LivestreamSettings,
    MeetingsSettings,
    TranscriptionSettings,
    VoiceQaSettings,
)
from components.transcription import cost as transcription_cost
from components.transcription.transcription import Transcription
from components.voice_qa import cost as voice_qa_cost
from components.voice_qa.voice_qa import VoiceQa
from tests.components.deployment_harness import Deployment

ISSUER = "https://login.example.com/"
OIDC = {"identity": {"issuer": ISSUER, "audience": "polyphony"}}
ENDPOINT = "https://agent.example.com"
SECRET = "canary-" + "k" * 40
"""Value of the secret settings."""
QA_SETTINGS: dict[str, Any] = {"guestIdKey": SECRET, "agentcore": {"endpoint": ENDPOINT}}

INGESTION = Deployment(Subsystem.INGESTION, Ingestion, IngestionSettings, ingestion_cost.monthly_usage)
TRANSCRIPTION = Deployment(
    Subsystem.TRANSCRIPTION, Transcription, TranscriptionSettings, transcription_cost.monthly_usage
)
VOICE_QA = Deployment(
    Subsystem.VOICE_QA, VoiceQa, VoiceQaSettings, voice_qa_cost.monthly_usage, default_settings=QA_SETTINGS
)
LIVESTREAM = Deployment(
    Subsystem.LIVESTREAM,
    Livestream,
    LivestreamSettings,
    livestream_cost.monthly_usage,
    default_settings={"encryptionKey": SECRET},
    foundation=OIDC,
)
MEETINGS = Deployment(Subsystem.MEETINGS, Meetings, MeetingsSettings, meetings_cost.monthly_usage, foundation=OIDC)
DEPLOYMENTS = {
    deployment.subsystem: deployment for deployment in (INGESTION, TRANSCRIPTION, VOICE_QA, LIVESTREAM, MEETINGS)
}
