"""Interface of a transcript passage, so that windows and quote search work with the passage types of all subsystems."""

from typing import Protocol


class Passage(Protocol):
    """A passage of a transcript: text with a start and an end time."""

    @property
    def start_ms(self) -> int: ...

    @property
    def end_ms(self) -> int: ...

    @property
    def text(self) -> str: ...

    @property
    def speaker(self) -> str | None:
        """Label of the speaker, or None if it is unknown."""
        ...
