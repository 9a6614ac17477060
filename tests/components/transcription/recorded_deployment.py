"""Recorded deployment of transcription for tests."""

from components.core import Subsystem
from components.settings import TranscriptionSettings
from components.transcription.transcription import Transcription
from tests.components.deployment_harness import Deployment, arn, prefix

PREFIX = prefix(Subsystem.TRANSCRIPTION)
PROCESSOR = arn("lambda", f"function:{PREFIX}-audio-processor")
CALLBACK = "https://a1b2c3.execute-api.us-east-1.amazonaws.com/live"

TRANSCRIPTION = Deployment(Subsystem.TRANSCRIPTION, Transcription, TranscriptionSettings)
deployed = TRANSCRIPTION.deployed
"""Function that returns the recorded resources with the default settings, or with the settings that it is given."""
