"""Recorded deployment of transcription for tests."""

from components.blocks.naming.context import Subsystem
from components.settings import TranscriptionSettings
from components.transcription import Transcription, TranscriptionArgs
from tests.components.deployment_harness import Deployment, arn, prefix

PREFIX = prefix(Subsystem.TRANSCRIPTION)
API = arn("execute-api", "a1b2c3/live")
PROCESSOR = arn("lambda", f"function:{PREFIX}-audio-processor")
ROUTER = arn("lambda", f"function:{PREFIX}-router")
CALLBACK = "https://a1b2c3.execute-api.us-east-1.amazonaws.com/live"

TRANSCRIPTION = Deployment(Subsystem.TRANSCRIPTION, Transcription, TranscriptionArgs, TranscriptionSettings)
previewed, deployed = TRANSCRIPTION.previewed, TRANSCRIPTION.deployed
"""Functions that return the recorded resources with the default settings, or with the settings that they are given."""
