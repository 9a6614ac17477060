"""Cursors of lists: encrypted, authenticated, expiring, and good for the list that they were given for alone.

A cursor says where a list goes on. Clients can neither read nor make one; sealed with it, unseen, is the list:
operation, owner, and what the list is of. The size of a page is no part of that, so a client may change it on the way.

A secret of several lines has the newest first: it seals, and the older ones still open what they sealed. A byte before
everything else says which.

Loads cryptography: only the function that answers lists imports this file.
"""

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from handlers.common.errors import HandlerError
from handlers.livestream.episodes_api.environment import parse_secrets
from handlers.livestream.error_codes import LivestreamErrorCode

if TYPE_CHECKING:
    from types_boto3_ssm.client import SSMClient

NONCE_BYTES = 12
_EXPIRY_BYTES = 8
_PURPOSE = b"polyphony.livestream.cursor"


class CursorSecretUnavailable(Exception):
    """It could not be read; says nothing of it."""


class CursorSecret:
    """One SecureString, which the environment names and does not hold: read when first needed, and once.

    It is read again only by a new container: who changes it by a deployment gets new ones.
    """

    def __init__(self, client: "SSMClient", name: str) -> None:
        self._client = client
        self._name = name
        self._value: str | None = None

    def __call__(self) -> str:
        """Its value. A failure is not kept: the next one who asks tries again."""
        if self._value is None:
            try:
                answer = self._client.get_parameter(Name=self._name, WithDecryption=True)
            except (ClientError, BotoCoreError):
                raise CursorSecretUnavailable from None
            self._value = answer["Parameter"]["Value"]
        return self._value


@dataclass(frozen=True)
class ListIdentity:
    """Which list it is."""

    operation: str
    owner: str
    of: Mapping[str, str] = field(default_factory=dict)

    def associated_data(self) -> bytes:
        """One text for one list, and no other."""
        return json.dumps([self.operation, self.owner, sorted(self.of.items())]).encode()


class _Key:
    def __init__(self, secret: bytes) -> None:
        derived = HKDF(SHA256(), 33, salt=None, info=_PURPOSE).derive(secret)
        self.version = derived[:1]
        self.cipher = AESGCM(derived[1:])


class Cursors:
    """Makes cursors, and reads them."""

    def __init__(
        self,
        secret: Callable[[], str],
        *,
        seconds: int,
        clock: Callable[[], datetime],
        nonce: Callable[[int], bytes],
    ) -> None:
        """`secret` is asked once, when it is first needed; `seconds`: how long a cursor holds."""
        self._secret = secret
        self._keys: tuple[_Key, ...] = ()
        self._lasts = timedelta(seconds=seconds)
        self._clock = clock
        self._nonce = nonce

    def encrypt(self, position: str, listing: ListIdentity) -> str:
        """A cursor that goes on behind a position."""
        key, nonce = self._get_keys()[0], self._nonce(NONCE_BYTES)
        expiry = int((self._clock() + self._lasts).timestamp()).to_bytes(_EXPIRY_BYTES, "big")
        sealed = key.cipher.encrypt(nonce, expiry + position.encode(), key.version + listing.associated_data())
        return _text(key.version + nonce + sealed)

    def decrypt(self, cursor: str, listing: ListIdentity) -> str:
        """The position that a cursor goes on behind."""
        raw = _raw(cursor)
        version, nonce, sealed = raw[:1], raw[1 : 1 + NONCE_BYTES], raw[1 + NONCE_BYTES :]
        for key in self._get_keys():
            if key.version != version:
                continue
            try:
                plain = key.cipher.decrypt(nonce, sealed, version + listing.associated_data())
            except (InvalidTag, ValueError):
                continue
            if int.from_bytes(plain[:_EXPIRY_BYTES], "big") <= self._clock().timestamp():
                break
            return plain[_EXPIRY_BYTES:].decode()
        raise _invalid()

    def _get_keys(self) -> tuple[_Key, ...]:
        if not self._keys:
            self._keys = tuple(_Key(line.encode()) for line in parse_secrets(self._secret()))
        return self._keys


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _raw(cursor: str) -> bytes:
    """What a cursor's text stands for, if it is the one text that does."""
    try:
        raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
    except ValueError:
        raise _invalid() from None
    if _text(raw) != cursor:
        raise _invalid()
    return raw


def _invalid() -> HandlerError:
    return HandlerError(
        LivestreamErrorCode.CURSOR_INVALID, "The cursor does not belong to this list, or is too old. Begin again."
    )
