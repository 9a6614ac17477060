"""What a transcript is made of, whoever keeps it: something that was said from one moment to another."""

from typing import Protocol


class Passage(Protocol):
    """One thing that was said."""

    @property
    def start_ms(self) -> int:
        """When it begins."""
        ...

    @property
    def end_ms(self) -> int:
        """When it ends."""
        ...

    @property
    def text(self) -> str:
        """What it is."""
        ...

    @property
    def speaker(self) -> str | None:
        """Who said it, where that is known."""
        ...
