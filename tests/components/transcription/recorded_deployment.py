"""Recorded deployment of transcription for tests."""

from components.blocks.naming.context import Subsystem
from components.settings import TranscriptionSettings
from components.transcription import Transcription, TranscriptionArgs
from tests.components.deployment_harness import REGION_AND_ACCOUNT, Deployment, prefix

PREFIX = prefix(Subsystem.TRANSCRIPTION)
API = f"arn:aws:execute-api:{REGION_AND_ACCOUNT}:a1b2c3/live"
PROCESSOR = f"arn:aws:lambda:{REGION_AND_ACCOUNT}:function:{PREFIX}-audio-processor"
ROUTER = f"arn:aws:lambda:{REGION_AND_ACCOUNT}:function:{PREFIX}-router"
CALLBACK = "https://a1b2c3.execute-api.us-east-1.amazonaws.com/live"

TRANSCRIPTION = Deployment(Subsystem.TRANSCRIPTION, Transcription, TranscriptionArgs, TranscriptionSettings)
previewed, deployed = TRANSCRIPTION.previewed, TRANSCRIPTION.deployed
