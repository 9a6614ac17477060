"""What a client's session is called in AWS' logs: of the name that its user gave, what AWS takes. Pure.

It is for whoever reads those logs, and decides nothing: two users may be called alike. What a session may do hangs on
its tag, which is made of whom the token is about.
"""

import re
from typing import Annotated

from pydantic import AfterValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

SHORTEST, LONGEST = 2, 64
"""What STS takes."""
MAX_GIVEN = 1_000
_FOREIGN = re.compile(r"[^a-zA-Z0-9=,.@_-]")


def sanitised(name: str) -> str:
    """What is left of a name; the caller says whether that is enough."""
    return _FOREIGN.sub("", name)[:LONGEST]


def _usable(name: str) -> str:
    left = sanitised(name) if len(name) <= MAX_GIVEN else ""
    if len(left) < SHORTEST:
        # A kind of problem whose words may be told: they say the rule, and nothing of the name.
        raise PydanticCustomError(
            "string_too_short", f"Needs at least {SHORTEST} of a-z, A-Z, 0-9, =,.@_- and at most {MAX_GIVEN} characters"
        )
    return left


SessionName = Annotated[
    str,
    AfterValidator(_usable),
    WithJsonSchema({"type": "string", "minLength": SHORTEST, "maxLength": MAX_GIVEN}),
]
"""A name that is sanitised by being read: nobody has another one to use."""
