"""Cursors, the encrypted positions in a list with which clients get the next page.

A cursor is accepted only for its own list, and until it expires. Each line of the secret gives a key. The key of the
first line encrypts, and the other keys still decrypt older cursors.
"""

from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from handlers.common.errors import HandlerError
from handlers.livestream.episodes.operations import CURSOR_SECONDS, Cursors
from tests.handlers.livestream.harness import ANN, START

SECRET, NEWER_SECRET = "secret-number-one", "secret-number-two"
LIST = ("listClaims", ANN, "E")
POSITION = "3.1-canary"


def cursors(secret: str = SECRET, now: datetime = START) -> Cursors:
    return Cursors(lambda: secret, lambda: now)


def is_accepted(cursor: str, *listing: str, secret: str = SECRET, now: datetime = START) -> bool:
    try:
        return cursors(secret, now).decrypt(cursor, *(listing or LIST)) == POSITION
    except HandlerError as error:
        if (error.code, error.code.status) != ("CURSOR_INVALID", 400):
            raise
        return False


CURSOR = cursors().encrypt(POSITION, *LIST)


def test_a_cursor_reveals_neither_position_nor_list() -> None:
    assert "canary" not in CURSOR
    assert CURSOR.replace("-", "").replace("_", "").isalnum(), "a cursor needs no escaping in a URL"
    longest = cursors().encrypt("999.999", "listEpisodes", ANN, "E" * 26, "U" * 26)
    assert len(longest) < 400
    assert cursors().encrypt(POSITION, *LIST) != CURSOR, "equal positions must not be recognised"


@given(st.text(), st.binary(max_size=200), st.integers(0, len(CURSOR) - 2), st.sampled_from("Bz9-_"))
def test_a_forged_or_changed_cursor_is_refused(text: str, data: bytes, position: int, letter: str) -> None:
    assert not is_accepted(text)
    assert not is_accepted(CURSOR[:8] + data.hex())
    assert not is_accepted(CURSOR[:position])
    if CURSOR[position] != letter:
        assert not is_accepted(CURSOR[:position] + letter + CURSOR[position + 1 :])


def test_a_cursor_expires() -> None:
    assert is_accepted(CURSOR, now=START + timedelta(seconds=CURSOR_SECONDS))
    assert not is_accepted(CURSOR, now=START + timedelta(seconds=CURSOR_SECONDS + 1))


def test_an_older_secret_decrypts_its_cursors_until_it_is_removed() -> None:
    both = f"{NEWER_SECRET}\n{SECRET}\n"
    assert is_accepted(CURSOR, secret=both)
    new_cursor = cursors(both).encrypt(POSITION, *LIST)
    assert is_accepted(new_cursor, secret=NEWER_SECRET), "the first line of the secret encrypts"
    assert not is_accepted(new_cursor, secret=SECRET)
    assert not is_accepted(CURSOR, secret=NEWER_SECRET)
