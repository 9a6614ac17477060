"""Tests of the STS session names that clients choose: each name becomes valid for STS, or the client gets an error."""

import re
from functools import cache
from typing import Any

import botocore.session
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from handlers.common.errors import to_field_problems
from handlers.meetings.auth_exchange.api import (
    MAX_INPUT_LENGTH,
    MIN_LENGTH,
    SessionName,
    sanitise_session_name,
)

ADAPTER: TypeAdapter[str] = TypeAdapter(SessionName)
ALLOWED = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789=,.@_-"
ANY_TEXT = st.text(st.characters()) | st.text(st.sampled_from(ALLOWED + " /:+ü\n\u0130")) | st.from_regex(r"\w{,80}")


@cache
def sts_limits() -> Any:
    """Return the limits of session names from the API model of STS."""
    return botocore.session.get_session().get_service_model("sts").shape_for("roleSessionNameType").metadata


@given(ANY_TEXT)
@example("é" * 10)
@example("ann\n")
@example("x" * 65)
@example("\u017ftreet \u212a")  # letters that case folding turns into ASCII
@example("a")
@example("a" * MAX_INPUT_LENGTH)
@example("a" * (MAX_INPUT_LENGTH + 1))
def test_every_accepted_name_is_valid_for_sts(name: str) -> None:
    metadata = sts_limits()
    try:
        session_name = ADAPTER.validate_python(name)
    except ValidationError as error:
        assert len(sanitise_session_name(name)) < MIN_LENGTH or len(name) > MAX_INPUT_LENGTH
        [problem] = to_field_problems(error)
        assert problem.rule == "must have at least 2 of a-z, A-Z, 0-9, =,.@_- and at most 1000 characters"
    else:
        assert metadata["min"] <= len(session_name) <= metadata["max"]
        assert re.fullmatch(metadata["pattern"], session_name, re.ASCII)
