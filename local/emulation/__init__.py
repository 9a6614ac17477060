"""Corrections of the AWS emulator (ministack), and local services that it lacks. The launcher starts all of them.

Each correction covers one area, and uses private attributes of the emulator. The emulator's version is pinned exactly,
because any version may change private names. If a name is missing, its first use raises an error that contains the
name, at the launch or later. A test checks all names.
"""

import functools
from collections.abc import Callable
from typing import Any

SUPPORTED_VERSION = "1.5.33"
"""Version of the emulator whose private names the corrections use."""


class PrivateNameMissing(Exception):
    """A private name of the emulator does not exist in the installed version."""

    def __init__(self, owner: object, name: str) -> None:
        where = getattr(owner, "__name__", repr(owner))
        super().__init__(
            f"ministack has no {where}.{name}: local/emulation was made for ministack {SUPPORTED_VERSION}; "
            "pin that version in requirements/emulator.in, or adapt the module in local/emulation that names it"
        )


def get_private(owner: object, name: str) -> Any:
    """Return a private attribute of the emulator. Raise PrivateNameMissing if it does not exist."""
    try:
        return getattr(owner, name)
    except AttributeError:
        raise PrivateNameMissing(owner, name) from None


def wrap_function(owner: object, name: str, wrapper: Callable[..., Any]) -> None:
    """Replace a private function by `wrapper`, which gets the emulator's original function as its first argument."""
    setattr(owner, name, functools.partial(wrapper, get_private(owner, name)))
