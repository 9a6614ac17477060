"""Environment variables of both transcription functions, and the caption thresholds with their ranges.

Amazon Transcribe sends each result, a piece of recognised speech, first as partials and then as a final. The thresholds
decide which of these versions clients see, and when. The types below define their meanings and ranges, for stack
settings, environment models and session settings. An utterance is a few seconds of speech, which a client sends in one
message.
"""

from typing import Annotated

from pydantic import Field

from handlers.common.environment import HandlerEnvironment

Stability = Annotated[float, Field(ge=0, le=1)]
"""Minimum share of a partial's words and punctuation marks that Amazon Transcribe must mark as stable. Below it, the
partial is unstable, unless its text ends a sentence."""
BufferSeconds = Annotated[float, Field(ge=0.5, le=10)]
"""Maximum time that an unstable partial is held back, and that a final waits for results that started earlier."""
PauseSeconds = Annotated[float, Field(ge=0.2, le=5)]
"""Time for which the text of a result must be unchanged before an unstable partial of it is shown. If Amazon Transcribe
reports no stability, the time since the result's first version counts instead."""
OrphanSeconds = Annotated[float, Field(ge=5, le=60)]
"""Time without a new version after which a result becomes an orphan: its last partial is shown as its final. A stream
ends after less than 7 seconds, and its end makes orphans of all results without a final. So values of 7 or more
change nothing (docs/decisions/0040)."""
RatePerSecond = Annotated[int, Field(ge=1, le=20)]
"""Maximum number of partials that are shown in one second."""
DedupSeconds = Annotated[int, Field(ge=0, le=60)]
"""Time for which no other result may show the same text. 0 allows repeated texts."""
InFlight = Annotated[int, Field(ge=1, le=8)]
"""Maximum number of concurrent utterances of one session. Each uses one stream of Amazon Transcribe's quota."""


class TranscriptionEnvironment(HandlerEnvironment):
    """Environment variables of the router and the audio processor."""

    structured_logging: bool = True
    """True to log JSON lines, False to log plain text."""
    sessions_table_name: str
    live_table_name: str
