"""Environment variables of both transcription functions, and the caption thresholds with their ranges.

Amazon Transcribe sends each result, a piece of recognised speech, in several partial versions and then in a final one.
The thresholds decide which versions clients see, and when. The types in this module define the meaning and range of
each threshold, for the settings of the stack, the environment variables and the settings of a session.
"""

from typing import Annotated

from pydantic import Field

from handlers.common.environment import HandlerEnvironment

Stability = Annotated[float, Field(ge=0, le=1)]
"""Share of a result's words and punctuation marks that Amazon Transcribe marks as stable."""
BufferSeconds = Annotated[float, Field(ge=0.5, le=10)]
"""Maximum time that an unstable partial is held back, and that a final waits for results that started earlier."""
PauseSeconds = Annotated[float, Field(ge=0.2, le=5)]
"""Time for which the text of a result must be unchanged before an unstable partial of it is shown. If Amazon Transcribe
reports no stability, the time since the result's first version counts instead."""
OrphanSeconds = Annotated[float, Field(ge=5, le=60)]
"""Time after a partial when the final of its result is no longer expected. The partial is then shown as it is, and is
called an orphan. When a stream ends, all its open results become orphans. This takes less than 7 seconds, so higher
values have no effect (docs/decisions/0040)."""
RatePerSecond = Annotated[int, Field(ge=1, le=20)]
"""Maximum number of partials that are shown in one second."""
DedupSeconds = Annotated[int, Field(ge=0, le=60)]
"""Time for which no other result may show the same text. 0 allows repeated texts."""
InFlight = Annotated[int, Field(ge=1, le=8)]
"""Maximum number of utterances of one session that are transcribed at the same time. Each uses one stream of the quota
of Amazon Transcribe."""


class TranscriptionEnvironment(HandlerEnvironment):
    """Environment variables of the router and the audio processor."""

    structured_logging: bool = True
    """True to log JSON lines, False to log plain text."""
    sessions_table_name: str
    live_table_name: str
