"""Tests of user ids, the pseudonyms that are derived from the issuer and the subject of a token."""

import base64
import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from handlers.common.ids import USER_ID_LENGTH, USER_ID_PATTERN, derive_keyed_user_id, derive_user_id

SUBJECTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=300)
ISSUERS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n"), max_size=300)


@given(ISSUERS, SUBJECTS)
def test_a_user_id_fits_into_tags_object_keys_and_table_keys(issuer: str, subject: str) -> None:
    user_id = derive_user_id(issuer, subject)
    assert re.fullmatch(USER_ID_PATTERN, user_id)
    assert len(user_id) == USER_ID_LENGTH


@given(ISSUERS, SUBJECTS, ISSUERS, SUBJECTS)
def test_different_callers_have_different_user_ids(
    issuer: str, subject: str, other_issuer: str, other_subject: str
) -> None:
    assume((issuer, subject) != (other_issuer, other_subject))
    assert derive_user_id(issuer, subject) != derive_user_id(other_issuer, other_subject)


@given(ISSUERS, ISSUERS, ISSUERS)
def test_text_moved_from_issuer_to_subject_gives_another_user_id(issuer: str, moved_text: str, subject: str) -> None:
    assume(moved_text)
    assert derive_user_id(issuer + moved_text, subject) != derive_user_id(issuer, moved_text + subject)


def test_a_user_id_never_changes() -> None:
    # Data is stored under these ids, so after a change of the rule, no user would find their data.
    assert derive_user_id("https://issuer.test", "somebody") == "AE5KV6R3E34PXXS7YC2TKJGDEMLM7Z4N"


def test_an_issuer_with_a_line_break_is_refused() -> None:
    with pytest.raises(ValueError, match="line break"):
        derive_user_id("https://issuer.test\nsome", "body")


@given(SUBJECTS, SUBJECTS, SUBJECTS, SUBJECTS)
def test_a_keyed_user_id_differs_for_each_key_and_subject(
    key: str, subject: str, other_key: str, other_subject: str
) -> None:
    """HMAC pads a key with zero bytes and hashes a long one, so the keys of the test get a fixed length."""
    key, other_key = (f"{len(text):03}{text}".encode().hex()[:64].ljust(64, "x") for text in (key, other_key))
    assume((key, subject) != (other_key, other_subject))
    user_id = derive_keyed_user_id(key, subject)
    assert re.fullmatch(USER_ID_PATTERN, user_id)
    assert user_id != derive_keyed_user_id(other_key, other_subject)


def test_a_keyed_user_id_is_the_hmac_of_the_subject() -> None:
    """Test case 2 of RFC 4231, as the first 160 bits in base32."""
    expected = base64.b32encode(bytes.fromhex("5bdcc146bf60754e6a042426089575c75a003f08")).decode()
    assert derive_keyed_user_id("Jefe", "what do ya want for nothing?") == expected
