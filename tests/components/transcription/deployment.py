"""Transcription as tests deploy it: as a preview sees it, or as it is once AWS has given its ids."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from components.blocks.context import Subsystem
from components.settings import TranscriptionSettings
from components.transcription import Transcription, TranscriptionArgs
from tests.components.subsystem import ACCOUNT, made_by_aws, once, prefix
from tests.engine import Engine, Recorded, foundation_settings, scope

PREFIX = prefix(Subsystem.TRANSCRIPTION)
API = f"arn:aws:execute-api:{ACCOUNT}:a1b2c3/live"
PROCESSOR = f"arn:aws:lambda:{ACCOUNT}:function:{PREFIX}-audio-processor"
ROUTER = f"arn:aws:lambda:{ACCOUNT}:function:{PREFIX}-router"
CALLBACK = "https://a1b2c3.execute-api.us-east-1.amazonaws.com/live"


@once
def transcription(foundation: Mapping[str, Any] | None = None, **changes: Any) -> Recorded:
    """With changed settings, as a preview sees it: ids are unknown."""
    made = scope(subsystem=Subsystem.TRANSCRIPTION, foundation=foundation_settings(**(foundation or {})))
    args = TranscriptionArgs(made, TranscriptionSettings.model_validate(changes))
    return Engine().run(lambda: Transcription("transcription", args))


def plain() -> Recorded:
    """By default, as a preview sees it."""
    return transcription()


@cache
def complete() -> Recorded:
    """By default, as it is when AWS has made everything."""
    args = TranscriptionArgs(scope(subsystem=Subsystem.TRANSCRIPTION), TranscriptionSettings())
    return made_by_aws(lambda: Transcription("transcription", args))
