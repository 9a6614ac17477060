"""Role session names: the name that the caller sent, reduced to characters that STS accepts.

AWS logs show the name. Two users may have the same session name, because the permissions do not depend on it. They
depend on the session's tag, which contains the user from the token.
"""

import re
from typing import Annotated

from pydantic import AfterValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

MIN_LENGTH, MAX_LENGTH = 2, 64
"""Limits of STS for a role session name, in characters."""
MAX_INPUT_LENGTH = 1_000
"""Maximum length of the name that the caller sends."""
_FORBIDDEN_CHARACTER = re.compile(r"[^a-zA-Z0-9=,.@_-]")


def sanitise_session_name(name: str) -> str:
    """Remove the characters that STS rejects, and cut the name to `MAX_LENGTH`. The result may be empty."""
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
"""Field type whose validation sanitises the name. So no other module sees the name that the caller sent."""
