"""Environment of the function `transcript-windows`, which divides transcripts into windows for the fact-check agent.

A window is a section of a transcript that is small enough for one model request. A cue is a timed line of a transcript.
The stack setting for the window size has a higher minimum than `WindowCharacters`, derived from `OVERLAP_CHARACTERS`.
"""

from typing import Annotated, Self

from pydantic import Field, model_validator

from handlers.common.environment import HandlerEnvironment
from handlers.common.text import WindowSizes

WindowCharacters = Annotated[int, Field(ge=500, le=50_000)]
WINDOW_SECONDS = 600
"""Default of `window_seconds`."""
WindowSeconds = Annotated[int, Field(ge=30, le=7_200)]
OVERLAP_CHARACTERS = 600
"""Default of `overlap_characters`."""
OverlapCharacters = Annotated[int, Field(ge=100, le=5_000)]


class TranscriptWindowsEnvironment(HandlerEnvironment):
    table_name: str
    bucket_name: str
    agent_queue_url: Annotated[str, Field(min_length=1)]
    """Queue of the function `fact-check-agent`, which analyzes the windows."""
    window_characters: WindowCharacters = 6_000
    """Maximum number of characters in a window's core. Each window but the last has a core and an overlap, which
    repeats the start of the next window. A core that is a single cue may be longer. So may the core of the last window,
    because it includes what would otherwise be its overlap."""
    window_seconds: WindowSeconds = WINDOW_SECONDS
    """Maximum time between the starts of the first and the last cue in a core. The core of the last window may be
    longer."""
    overlap_characters: OverlapCharacters = OVERLAP_CHARACTERS
    """Minimum length of the overlap in characters. A fact claim of at most this length is always complete in one
    window."""

    @model_validator(mode="after")
    def _has_small_overlap(self) -> Self:
        if self.overlap_characters * 2 > self.window_characters:
            raise ValueError("overlap_characters must be at most half of window_characters")
        return self

    @property
    def sizes(self) -> WindowSizes:
        """Window sizes in the form that `split_into_windows` accepts."""
        return WindowSizes(self.window_characters, self.window_seconds * 1000, self.overlap_characters)
