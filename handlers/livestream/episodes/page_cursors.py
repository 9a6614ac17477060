"""Cursors with which a client of the REST API gets the next page of a list.

A cursor contains the position after which the next page starts, and a time of expiry. It is encrypted and
authenticated, so clients can neither read nor create one. It is valid for one list only, because the encryption also
authenticates the identity of that list (operation, owner and parameters), which the cursor does not contain. The page
size is not part of the identity, so a client may change it between pages.

The keys for the encryption are derived from a secret. The secret may have several lines, and each line gives one key.
The first key encrypts, and the other keys still decrypt older cursors, so the secret can be changed without
invalidating cursors. The first byte of a cursor identifies its key.

This module imports cryptography, which is slow to load. So only the function that serves lists may import it.
"""

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from handlers.common.errors import HandlerError
from handlers.livestream.episodes.environment import parse_secrets
from handlers.livestream.error_codes import LivestreamErrorCode

NONCE_BYTES = 12
"""Length of AES-GCM's nonce."""
_EXPIRY_BYTES = 8
"""Length of the expiry, in epoch seconds, at the start of the encrypted content. The position follows."""
_PURPOSE = b"polyphony.livestream.cursor"
"""Context of the key derivation. With another purpose, the same secret gives another key."""


@dataclass(frozen=True)
class ListIdentity:
    """Identity of a list: a cursor is valid for one identity only."""

    operation: str
    owner: str
    parameters: Mapping[str, str] = field(default_factory=dict)

    def associated_data(self) -> bytes:
        """Return bytes that are different for every list. The encryption authenticates them."""
        return json.dumps([self.operation, self.owner, sorted(self.parameters.items())]).encode()


class _Key:
    """AES-256 key that is derived from one line of the secret, and a further byte that identifies it in cursors."""

    def __init__(self, secret: bytes) -> None:
        derived = HKDF(SHA256(), 33, salt=None, info=_PURPOSE).derive(secret)
        self.version = derived[:1]
        self.cipher = AESGCM(derived[1:])


class Cursors:
    def __init__(
        self,
        secret: Callable[[], str],
        *,
        seconds: int,
        clock: Callable[[], datetime],
        nonce: Callable[[int], bytes],
    ) -> None:
        """`secret`: returns the secret; called at first use. `seconds`: validity. `nonce`: returns random bytes."""
        self._secret = secret
        self._keys: tuple[_Key, ...] = ()
        self._validity = timedelta(seconds=seconds)
        self._clock = clock
        self._nonce = nonce

    def encrypt(self, position: str, listing: ListIdentity) -> str:
        """Return a cursor for the page that starts after a position."""
        key, nonce = self._get_keys()[0], self._nonce(NONCE_BYTES)
        expiry = int((self._clock() + self._validity).timestamp()).to_bytes(_EXPIRY_BYTES, "big")
        sealed = key.cipher.encrypt(nonce, expiry + position.encode(), key.version + listing.associated_data())
        return _encode(key.version + nonce + sealed)

    def decrypt(self, cursor: str, listing: ListIdentity) -> str:
        """Return the position that a cursor contains.

        Raise HandlerError if it is invalid, expired or of another list.
        """
        raw = _decode(cursor)
        version, nonce, sealed = raw[:1], raw[1 : 1 + NONCE_BYTES], raw[1 + NONCE_BYTES :]
        for key in self._get_keys():
            if key.version != version:
                continue
            try:
                plain = key.cipher.decrypt(nonce, sealed, version + listing.associated_data())
            except (InvalidTag, ValueError):
                continue  # another key may have the same first byte
            if int.from_bytes(plain[:_EXPIRY_BYTES], "big") <= self._clock().timestamp():
                break
            return plain[_EXPIRY_BYTES:].decode()
        raise _invalid_cursor()

    def _get_keys(self) -> tuple[_Key, ...]:
        if not self._keys:
            self._keys = tuple(_Key(line.encode()) for line in parse_secrets(self._secret()))
        return self._keys


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _decode(cursor: str) -> bytes:
    """Decode a cursor. Refuse any text that is not the canonical encoding of its bytes."""
    try:
        raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
    except ValueError:
        raise _invalid_cursor() from None
    if _encode(raw) != cursor:
        raise _invalid_cursor()
    return raw


def _invalid_cursor() -> HandlerError:
    return HandlerError(
        LivestreamErrorCode.CURSOR_INVALID,
        "This cursor has expired or does not belong to this list. Start again with the first page.",
    )
