"""What a client's session is called in AWS' logs: of the name that its user gave, what AWS takes. Pure.

It is for whoever reads those logs, and decides nothing: two users may be called alike. What a session may do hangs on
its tag, which is made of whom the token is about.
"""

import re
from typing import Annotated

from pydantic import AfterValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

MIN_LENGTH, MAX_LENGTH = 2, 64
"""What STS takes."""
MAX_INPUT_LENGTH = 1_000
_FORBIDDEN_CHARACTER = re.compile(r"[^a-zA-Z0-9=,.@_-]")


def sanitise_session_name(name: str) -> str:
    """What is left of a name; the caller says whether that is enough."""
    return _FORBIDDEN_CHARACTER.sub("", name)[:MAX_LENGTH]


def _validate_session_name(name: str) -> str:
    left = sanitise_session_name(name) if len(name) <= MAX_INPUT_LENGTH else ""
    if len(left) < MIN_LENGTH:
        # A kind of problem whose words may be told: they say the rule, and nothing of the name.
        raise PydanticCustomError(
            "string_too_short",
            f"Needs at least {MIN_LENGTH} of a-z, A-Z, 0-9, =,.@_- and at most {MAX_INPUT_LENGTH} characters",
        )
    return left


SessionName = Annotated[
    str,
    AfterValidator(_validate_session_name),
    WithJsonSchema({"type": "string", "minLength": MIN_LENGTH, "maxLength": MAX_INPUT_LENGTH}),
]
"""A name that is sanitised by being read: nobody has another one to use."""
