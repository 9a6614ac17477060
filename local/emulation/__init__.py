"""Extensions of ministack, the AWS emulator of the local platform: corrections of its faults, and services that it
lacks.

The docstring of a module that corrects the emulator has a table of its corrections, with what they are needed for.
`docs/local-platform.md` has all rows. `tests/local/emulation/behaviour/` has a function with the name of each
correction, which shows that the installed version of the emulator needs it. So after an upgrade, the tests tell which
corrections to remove.

Most corrections replace private functions of ministack. Any other version can have other private names, so
`requirements/emulator.in` pins the version. A correction gets each private name with `get_private` or `wrap_function`,
and a test checks that all these names exist.
"""

import functools
from collections.abc import Callable
from typing import Any

SUPPORTED_VERSION = "1.5.33"
"""Version of ministack whose private names the corrections use."""


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
    """Replace a private function of the emulator. `wrapper` gets the original function, then the call's arguments."""
    setattr(owner, name, functools.partial(wrapper, get_private(owner, name)))
