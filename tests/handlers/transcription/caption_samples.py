"""Caption thresholds for tests."""

from typing import Any

from handlers.transcription.environment import CaptionThresholds, SessionSettings

DEFAULT_THRESHOLDS = CaptionThresholds()
"""The numbers of the product requirements."""


def thresholds(**changes: Any) -> CaptionThresholds:
    """Return the default thresholds with some changes."""
    return DEFAULT_THRESHOLDS.for_session(SessionSettings(**changes))
