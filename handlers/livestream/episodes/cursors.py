"""Cursors with which a client of the REST API gets the next page of a list.

A cursor contains the position after which the next page starts, and the identity of its list: operation, owner and
parameters. It is valid for this list only, and for a limited time. It is encrypted and signed (Fernet), so clients can
neither read nor create one. The page size is not part of the identity, so a client may change it between pages.

The secret may have several lines, and each line gives one key. The first key encrypts, and the other keys still decrypt
older cursors, so the secret can be changed without invalidating cursors.

This module imports cryptography, which is slow to load. So only the function that serves lists may import it.
"""

import base64
import hashlib
import json
from collections.abc import Callable
from datetime import datetime

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from handlers.common.errors import HandlerError
from handlers.livestream.environment import parse_secrets
from handlers.livestream.error_codes import LivestreamErrorCode

CURSOR_SECONDS = 3600
"""Validity of a cursor."""


class Cursors:
    """Cursors of all lists. The secret is read when a list first has a further page."""

    def __init__(self, secret: Callable[[], str], clock: Callable[[], datetime]) -> None:
        self._secret = secret
        self._clock = clock

    def encrypt(self, position: str, *listing: str) -> str:
        """Return a cursor for the page after a position of a list with the identity `listing`."""
        content = json.dumps([*listing, position]).encode()
        return self._fernet().encrypt_at_time(content, self._seconds()).rstrip(b"=").decode()

    def decrypt(self, cursor: str, *listing: str) -> str:
        """Return the position of a cursor. Raise HandlerError if it is invalid, expired or of another list."""
        padded = cursor.encode() + b"=" * (-len(cursor) % 4)
        try:
            content = self._fernet().decrypt_at_time(padded, CURSOR_SECONDS, self._seconds())
        except InvalidToken:
            raise _invalid_cursor() from None
        *identity, position = json.loads(content)
        if identity != list(listing):
            raise _invalid_cursor()
        return str(position)

    def _fernet(self) -> MultiFernet:
        secrets = (hashlib.sha256(line.encode()).digest() for line in parse_secrets(self._secret()))
        return MultiFernet([Fernet(base64.urlsafe_b64encode(secret)) for secret in secrets])

    def _seconds(self) -> int:
        return int(self._clock().timestamp())


def _invalid_cursor() -> HandlerError:
    return HandlerError(
        LivestreamErrorCode.CURSOR_INVALID,
        "This cursor has expired or does not belong to this list. Start again with the first page.",
    )
