"""What the function that has transcripts analyzed reads from its environment; a deployment's settings share the ranges."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from handlers.common.environment import HandlerEnvironment
from handlers.common.text.text_windows import WindowSizes

WindowCharacters = Annotated[int, Field(ge=500, le=50_000)]
WINDOW_SECONDS = 600
WindowSeconds = Annotated[int, Field(ge=30, le=7_200)]
OVERLAP_CHARACTERS = 600
OverlapCharacters = Annotated[int, Field(ge=100, le=5_000)]


class TranscriptEnvironment(HandlerEnvironment):
    """The function's own."""

    table_name: str
    bucket_name: str
    agent_queue_url: Annotated[str, Field(min_length=1)]
    window_characters: WindowCharacters = 6_000
    """Of what is said in a window, before its overlap with the next."""
    window_seconds: WindowSeconds = WINDOW_SECONDS
    overlap_characters: OverlapCharacters = OVERLAP_CHARACTERS
    """The longest claim that is certain to stand whole in one window."""

    @model_validator(mode="after")
    def _overlaps(self) -> Self:
        if self.overlap_characters * 2 > self.window_characters:
            raise ValueError("windows overlap by half of their characters at most")
        return self

    @property
    def sizes(self) -> WindowSizes:
        """How large windows are."""
        return WindowSizes(self.window_characters, self.window_seconds * 1000, self.overlap_characters)
