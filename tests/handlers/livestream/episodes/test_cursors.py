"""Cursors, the encrypted positions in a list with which clients get the next page.

Each line of the secret gives a key. The key of the first line encrypts, and the other keys still decrypt older cursors.
"""

import base64
from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from handlers.common.errors import HandlerError
from handlers.livestream.episodes.operations import CURSOR_SECONDS, Cursors
from tests.handlers.livestream.harness import ANN, START

SECRET, NEWER_SECRET = "secret-number-one", "secret-number-two"
LIST = ("listClaims", ANN, "E")
POSITION = "3.1-canary"


def create_cursor(secret: str = SECRET) -> str:
    return Cursors(lambda: secret, lambda: START).encrypt(POSITION, *LIST)


def is_accepted(cursor: str, secret: str = SECRET, now: datetime = START) -> bool:
    try:
        return Cursors(lambda: secret, lambda: now).decrypt(cursor, *LIST) == POSITION
    except HandlerError as error:
        if (error.code, error.code.status) != ("CURSOR_INVALID", 400):
            raise
        return False


CURSOR = create_cursor()


def test_a_cursor_reveals_nothing_and_needs_no_escaping_in_a_url() -> None:
    assert b"canary" not in base64.urlsafe_b64decode(f"{CURSOR}==") + CURSOR.encode()
    assert CURSOR.replace("-", "").replace("_", "").isalnum()
    assert create_cursor() != CURSOR, "equal positions must not be recognised"


@given(st.text(), st.binary(max_size=200), st.integers(0, len(CURSOR) - 2), st.sampled_from("Bz9-_"))
def test_a_forged_or_changed_cursor_is_refused(text: str, data: bytes, position: int, letter: str) -> None:
    for forged in (text, CURSOR[:8] + data.hex(), CURSOR[:position]):
        assert not is_accepted(forged)
    if CURSOR[position] != letter:
        assert not is_accepted(CURSOR[:position] + letter + CURSOR[position + 1 :])


def test_a_cursor_expires() -> None:
    assert is_accepted(CURSOR, now=START + timedelta(seconds=CURSOR_SECONDS))
    assert not is_accepted(CURSOR, now=START + timedelta(seconds=CURSOR_SECONDS + 1))


def test_an_older_secret_decrypts_its_cursors_until_it_is_removed() -> None:
    both = f"{NEWER_SECRET}\n{SECRET}\n"
    assert is_accepted(CURSOR, both)
    assert is_accepted(create_cursor(both), NEWER_SECRET), "the first line of the secret encrypts"
    assert not is_accepted(create_cursor(both), SECRET)
    assert not is_accepted(CURSOR, NEWER_SECRET)
