"""Where the launcher reaches into the emulator. Each file mends one thing and names the private attribute it replaces.

Such names are nobody's promise: the emulator's version is pinned to the letter, and `reached` stops the launch with
the name of whatever is no longer there.
"""

from typing import Any

MADE_FOR = "1.5.33"
"""The version whose private names these are."""


class NotThere(Exception):
    """A private name of the emulator has changed."""

    def __init__(self, owner: object, name: str) -> None:
        where = getattr(owner, "__name__", repr(owner))
        super().__init__(
            f"ministack has no {where}.{name}: local/patches was made for ministack {MADE_FOR}; "
            "pin that version in requirements/emulator.in, or mend the patch that names it"
        )


def reached(owner: object, name: str) -> Any:
    """A private attribute that must be there."""
    try:
        return getattr(owner, name)
    except AttributeError:
        raise NotThere(owner, name) from None
