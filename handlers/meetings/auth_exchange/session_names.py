"""Role session names for AWS logs: the name that the client sent, reduced to characters that STS accepts.

They only help readers of those logs. Two users may have the same session name. The session's permissions depend on its
tag, which contains the user from the token.
"""

import re
from typing import Annotated

from pydantic import AfterValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

MIN_LENGTH, MAX_LENGTH = 2, 64
"""Limits of STS."""
MAX_INPUT_LENGTH = 1_000
_FORBIDDEN_CHARACTER = re.compile(r"[^a-zA-Z0-9=,.@_-]")


def sanitise_session_name(name: str) -> str:
    """Remove the characters that STS rejects, and cut the name. The result may be too short."""
    return _FORBIDDEN_CHARACTER.sub("", name)[:MAX_LENGTH]


def _validate_session_name(name: str) -> str:
    sanitised = sanitise_session_name(name) if len(name) <= MAX_INPUT_LENGTH else ""
    if len(sanitised) < MIN_LENGTH:
        # An error type whose message is sent to the client: it names the rule and does not quote the name.
        raise PydanticCustomError(
            "string_too_short",
            f"Needs at least {MIN_LENGTH} of a-z, A-Z, 0-9, =,.@_- and at most {MAX_INPUT_LENGTH} characters",
        )
    return sanitised


SessionName = Annotated[
    str,
    AfterValidator(_validate_session_name),
    WithJsonSchema({"type": "string", "minLength": MIN_LENGTH, "maxLength": MAX_INPUT_LENGTH}),
]
"""A session name. Validation sanitises it, so no other module sees the original."""
