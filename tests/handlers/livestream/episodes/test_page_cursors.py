"""Cursors, the encrypted positions in a list with which clients get the next page.

A cursor is accepted only unchanged, for its own list, and until it expires. Each line of the secret gives a key. The
key of the first line encrypts, and the other keys still decrypt older cursors. A cursor's first byte identifies its
key.
"""

import os
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.common.errors import HandlerError
from handlers.livestream.episodes.page_cursors import Cursors, ListIdentity
from tests.handlers.livestream.rest_api_harness import ANN, BOB, START

SECRET, NEWER_SECRET = "secret-number-one", "secret-number-two"
LIST = ListIdentity("listClaims", ANN, {"episodeId": "E"})
POSITION = "CLAIM#0000000001#canary"


class CursorHarness:
    """Cursors with a clock and a secret that the test sets."""

    def __init__(self, secret: str = SECRET) -> None:
        self.secret = secret
        self.now = START

    @property
    def cursors(self) -> Cursors:
        return Cursors(lambda: self.secret, seconds=60, clock=lambda: self.now, nonce=os.urandom)

    def is_accepted(self, cursor: str, listing: ListIdentity = LIST) -> bool:
        try:
            return self.cursors.decrypt(cursor, listing) == POSITION
        except HandlerError as error:
            if (error.code, error.code.status) != ("CURSOR_INVALID", 400):
                raise
            return False


CURSOR = CursorHarness().cursors.encrypt(POSITION, LIST)


@given(st.text(), st.builds(ListIdentity, st.text(), st.text(), st.dictionaries(st.text(), st.text())))
def test_a_cursor_decrypts_to_its_position(position: str, listing: ListIdentity) -> None:
    cursors = CursorHarness().cursors
    assert cursors.decrypt(cursors.encrypt(position, listing), listing) == position


def test_a_cursor_reveals_neither_position_nor_list() -> None:
    assert "canary" not in CURSOR
    assert CURSOR.replace("-", "").replace("_", "").isalnum(), "a cursor needs no escaping in a URL"
    assert len(CURSOR) < 200
    cursors = CursorHarness().cursors
    assert cursors.encrypt(POSITION, LIST) != cursors.encrypt(POSITION, LIST)


@given(st.text(), st.binary(max_size=200))
def test_a_forged_cursor_is_refused_even_if_it_begins_like_a_valid_one(text: str, data: bytes) -> None:
    assert not CursorHarness().is_accepted(text)
    assert not CursorHarness().is_accepted(CURSOR[:4] + data.hex())


@given(
    st.integers(0, len(CURSOR) - 1),
    st.integers(0, 6),
    st.sampled_from("ABCDwxyz0189-_=+/ \n\N{GREEK SMALL LETTER ALPHA}"),
)
def test_a_cursor_with_a_changed_or_inserted_character_is_refused(position: int, bit: int, letter: str) -> None:
    start, end = CURSOR[:position], CURSOR[position + 1 :]
    assert not CursorHarness().is_accepted(start + chr(ord(CURSOR[position]) ^ 1 << bit) + end)
    assert not CursorHarness().is_accepted(start + letter + CURSOR[position:])
    if CURSOR[position] != letter:
        assert not CursorHarness().is_accepted(start + letter + end)


def test_a_truncated_or_extended_cursor_is_refused() -> None:
    assert CursorHarness().is_accepted(CURSOR)
    for length in range(len(CURSOR)):
        assert not CursorHarness().is_accepted(CURSOR[:length])
        assert not CursorHarness().is_accepted(CURSOR[length + 1 :])
    for tail in ("=", "==", "A", "\n", " "):
        assert not CursorHarness().is_accepted(CURSOR + tail)


@pytest.mark.parametrize(
    "listing",
    [
        ListIdentity("listClips", ANN, {"episodeId": "E"}),
        ListIdentity("listClaims", BOB, {"episodeId": "E"}),
        ListIdentity("listClaims", ANN, {"episodeId": "F"}),
        ListIdentity("listClaims", ANN),
        ListIdentity("listClaims", ANN, {"episodeId": "E", "more": ""}),
        ListIdentity(f"listClaims{ANN}", "", {"episodeId": "E"}),
        ListIdentity("listClaims", ANN, {"episodeId,E": ""}),
    ],
)
def test_a_cursor_is_refused_for_any_other_list(listing: ListIdentity) -> None:
    assert not CursorHarness().is_accepted(CURSOR, listing)


def test_a_cursor_expires() -> None:
    harness = CursorHarness()
    harness.now = START + timedelta(seconds=59)
    assert harness.is_accepted(CURSOR)
    harness.now = START + timedelta(seconds=60)
    assert not harness.is_accepted(CURSOR)


def test_an_older_secret_decrypts_its_cursors_until_it_is_removed() -> None:
    assert CursorHarness(f"{NEWER_SECRET}\n{SECRET}\n").is_accepted(CURSOR)
    new_cursor = CursorHarness(f"{NEWER_SECRET}\n{SECRET}").cursors.encrypt(POSITION, LIST)
    assert CursorHarness(NEWER_SECRET).is_accepted(new_cursor), "the first line of the secret encrypts"
    assert not CursorHarness(SECRET).is_accepted(new_cursor)
    assert not CursorHarness(NEWER_SECRET).is_accepted(CURSOR)


@pytest.mark.parametrize("secret", ["", "\n", "short", f"{SECRET}\nshort"])
def test_a_short_secret_is_refused(secret: str) -> None:
    with pytest.raises(ValueError, match="each line must have at least") as raised:
        CursorHarness(secret).cursors.encrypt(POSITION, LIST)
    assert "short\n" not in repr(raised.value)
