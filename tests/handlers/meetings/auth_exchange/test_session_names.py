"""What sessions are called: whatever a client says, AWS takes what is left of it, or the client hears why not."""

import re
from functools import cache
from typing import Any

import botocore.session
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from handlers.common.errors import to_field_problems
from handlers.meetings.auth_exchange.session_names import LONGEST, MAX_GIVEN, SHORTEST, SessionName, sanitised

ADAPTER: TypeAdapter[str] = TypeAdapter(SessionName)
ALLOWED = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789=,.@_-"
ANY_TEXT = st.text(st.characters()) | st.text(st.sampled_from(ALLOWED + " /:+ü\n\u0130")) | st.from_regex(r"\w{,80}")


@cache
def of_sts() -> Any:
    """What STS says of a session's name."""
    return botocore.session.get_session().get_service_model("sts").shape_for("roleSessionNameType").metadata


@given(ANY_TEXT)
@example("")
@example("ann\n")
@example("x" * 65)
@example("\u017ftreet \u212a")  # letters that become ASCII where case is folded
def test_only_allowed_characters_are_left_in_their_order_and_not_too_many(name: str) -> None:
    kept = [one for one in name if one in ALLOWED]
    assert sanitised(name) == "".join(kept)[:LONGEST]


@given(st.text(st.sampled_from(ALLOWED), min_size=SHORTEST, max_size=LONGEST))
def test_a_name_that_may_be_is_used_as_it_is(name: str) -> None:
    assert ADAPTER.validate_python(name) == name


@given(ANY_TEXT)
@example("é" * 10)
@example("a")
@example("a" * MAX_GIVEN)
@example("a" * (MAX_GIVEN + 1))
def test_what_is_read_is_what_sts_takes_or_nothing(name: str) -> None:
    metadata = of_sts()
    try:
        used = ADAPTER.validate_python(name)
    except ValidationError as error:
        assert len(sanitised(name)) < SHORTEST or len(name) > MAX_GIVEN
        [problem] = to_field_problems(error)
        assert problem.rule == "Needs at least 2 of a-z, A-Z, 0-9, =,.@_- and at most 1000 characters"
    else:
        assert metadata["min"] <= len(used) <= metadata["max"]
        assert re.fullmatch(metadata["pattern"], used, re.ASCII)


@pytest.mark.parametrize("name", [None, 5, ["ab"], b"ab\xff"])
def test_what_is_no_text_is_no_name(name: Any) -> None:
    with pytest.raises(ValidationError):
        ADAPTER.validate_python(name)
