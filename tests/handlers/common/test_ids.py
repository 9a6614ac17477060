"""Tests of ULIDs and of user ids, the pseudonyms that are derived from the issuer and the subject of a token."""

import base64
import re
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from handlers.common.ids import (
    USER_ID_PATTERN,
    derive_keyed_user_id,
    derive_user_id,
    new_id,
    now_ms,
    parse_ulid_time,
    timestamp,
    ulid,
)

MOMENTS = st.datetimes(datetime(2000, 1, 1), datetime(2500, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
RANDOM = st.integers(0, 2**80 - 1)
SUBJECTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=300)
ISSUERS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n"), max_size=300)


@given(MOMENTS, MOMENTS, RANDOM, RANDOM)
def test_an_id_has_its_creation_time_and_sorts_by_it(
    time: datetime, other_time: datetime, randomness: int, other_randomness: int
) -> None:
    earlier, later = sorted([ulid(time, randomness), ulid(other_time, other_randomness)])
    assert parse_ulid_time(earlier) <= parse_ulid_time(later)
    assert ulid(datetime.fromtimestamp(1469918176.385, UTC), 0)[:10] == "01ARYZ6S41", "example of the specification"
    assert parse_ulid_time(ulid(time, randomness)) == time.replace(microsecond=time.microsecond // 1000 * 1000)


def test_a_new_id_has_the_current_time_and_random_bits() -> None:
    before_ms = now_ms()
    new_ids = {new_id() for _ in range(100)}
    times_ms = {parse_ulid_time(text).timestamp() * 1000 for text in new_ids}
    assert len(new_ids) == 100
    assert before_ms <= min(times_ms) <= max(times_ms) <= now_ms()


def test_a_timestamp_is_in_utc_with_milliseconds() -> None:
    moment = datetime(2026, 1, 31, 13, 0, 0, 123_999, tzinfo=timezone(timedelta(hours=1)))
    assert timestamp(moment) == "2026-01-31T12:00:00.123Z"


def test_a_text_that_is_not_a_ulid_is_refused() -> None:
    for text in ("", "8" + "0" * 25, "0" * 25, "0" * 27, "I" * 26):
        with pytest.raises(ValueError, match="not a ULID"):
            parse_ulid_time(text)


@given(ISSUERS, SUBJECTS, ISSUERS, SUBJECTS)
def test_different_callers_have_different_user_ids_that_fit_into_keys(
    issuer: str, subject: str, other_issuer: str, other_subject: str
) -> None:
    assume((issuer, subject) != (other_issuer, other_subject))
    user_id = derive_user_id(issuer, subject)
    assert re.fullmatch(USER_ID_PATTERN, user_id)
    assert user_id != derive_user_id(other_issuer, other_subject)
    if other_issuer:
        assert derive_user_id(issuer + other_issuer, subject) != derive_user_id(issuer, other_issuer + subject)
    with pytest.raises(ValueError, match="line break"):
        derive_user_id(f"{issuer}\n", subject)


def test_a_user_id_never_changes() -> None:
    # Data is stored under these ids, so after a change of the rule, no user would find their data.
    assert derive_user_id("https://issuer.test", "somebody") == "AE5KV6R3E34PXXS7YC2TKJGDEMLM7Z4N"


def test_a_keyed_user_id_is_the_hmac_of_the_subject() -> None:
    """Test case 2 of RFC 4231, as the first 160 bits in base32."""
    expected = base64.b32encode(bytes.fromhex("5bdcc146bf60754e6a042426089575c75a003f08")).decode()
    assert derive_keyed_user_id("Jefe", "what do ya want for nothing?") == expected
