"""Environment variables of both transcription functions, and ranges that a deployment shares with them.

Stack settings, the environment models and the settings of a session all use the ranges that are defined here.
"""

from typing import Annotated

from pydantic import Field

from handlers.common.environment import HandlerEnvironment

Stability = Annotated[float, Field(ge=0, le=1)]
"""Share of a result's words and punctuation marks that Amazon Transcribe marks as stable."""
BufferSeconds = Annotated[float, Field(ge=0.5, le=10)]
"""Maximum time that a partial is held back, and that a final waits for earlier results."""
PauseSeconds = Annotated[float, Field(ge=0.2, le=5)]
"""Time without a change of the text after which a partial is shown even if it is not stable. If a result has no
stability, the time since its first version counts instead."""
OrphanSeconds = Annotated[float, Field(ge=5, le=60)]
"""Time after a result's last version when its final is no longer expected. A stream ends in less than 7 seconds, and its
end makes orphans of all open results, so longer times have no effect (docs/decisions/0040)."""
RatePerSecond = Annotated[int, Field(ge=1, le=20)]
"""Maximum number of partials that are shown in one second."""
DedupSeconds = Annotated[int, Field(ge=0, le=60)]
"""Time for which another result must not show the same text; 0 if it may do so at once."""
InFlight = Annotated[int, Field(ge=1, le=8)]
"""Maximum number of concurrent utterances of one session. Each uses one stream of the Amazon Transcribe quota."""


class TranscriptionEnvironment(HandlerEnvironment):
    """Environment variables of the router and the audio processor."""

    structured_logging: bool = True
    """True to log JSON lines."""
    sessions_table_name: str
    live_table_name: str
