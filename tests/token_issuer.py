"""An OpenID Connect provider for tests: it has keys, signs tokens, and publishes its keys over loopback.

It can be away, slow, or talk nonsense; and every question for its keys is counted. Whatever waits here ends
by itself after a few seconds.
"""

import base64
import functools
import json
import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from types import SimpleNamespace
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from handlers.common.identity.signing_keys import KeySet
from local import LOOPBACK
from local.http_server import serve_handler

AUDIENCE = "polyphony"
KEYS_PATH = "/.well-known/jwks.json"
LONGEST_WAIT_SECONDS = 5
NOW = datetime(2030, 1, 1, 12, tzinfo=UTC)

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey


@functools.cache
def private_key(family: str, name: str) -> PrivateKey:
    """A key of a family, made once a name: RSA keys take a while."""
    match family:
        case "RS" | "PS":
            return rsa.generate_private_key(65537, 2048)
        case "ES256":
            return ec.generate_private_key(ec.SECP256R1())
        case "ES384":
            return ec.generate_private_key(ec.SECP384R1())
        case "EdDSA":
            return ed25519.Ed25519PrivateKey.generate()
    raise ValueError(f"no keys for {family}, so none for {name}")


@dataclass(frozen=True)
class Key:
    """A key pair, and the algorithm that it signs with."""

    kid: str | None
    algorithm: str = "RS256"
    named_algorithm: bool = True
    """Whether its published form says the algorithm."""

    @property
    def private(self) -> PrivateKey:
        rs_or_ps = self.algorithm[:2] in {"RS", "PS"}
        return private_key("RS" if rs_or_ps else self.algorithm, str(self.kid))

    @property
    def published(self) -> dict[str, Any]:
        """The public half, as a JSON Web Key."""
        jwk: dict[str, Any] = jwt.get_algorithm_by_name(self.algorithm).to_jwk(self.private.public_key(), as_dict=True)
        jwk.pop("key_ops", None)
        named = {"alg": self.algorithm} if self.named_algorithm else {}
        return jwk | {"use": "sig"} | named | ({} if self.kid is None else {"kid": self.kid})

    def public(self, encoding: Encoding) -> bytes:
        """The public half in another form: what an attacker may have."""
        return self.private.public_key().public_bytes(encoding, PublicFormat.SubjectPublicKeyInfo)


def assembled(header: object, claims: object, sign: Callable[[bytes], bytes] = lambda _: b"") -> str:
    """A token of any parts, also of such as no library would sign."""
    signed = b".".join(_encoded(json.dumps(part).encode()) for part in (header, claims))
    return b".".join([signed, _encoded(sign(signed))]).decode()


def _encoded(part: bytes) -> bytes:
    return base64.urlsafe_b64encode(part).rstrip(b"=")


@dataclass
class Provider:
    """The provider; change what it is to make it misbehave."""

    keys: list[Key] = field(default_factory=lambda: [Key("first")])
    clock: Callable[[], datetime] = lambda: NOW
    issuer: str = "https://issuer.test"
    asked: int = 0
    """How often its keys were asked for."""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    """What it answers instead of its keys."""
    away: bool = False
    """Whether `fetch` gets no answer."""
    goes_on: threading.Event | None = None
    """Until then, it answers nothing."""

    @property
    def keys_url(self) -> str:
        return self.issuer + KEYS_PATH

    def published(self) -> bytes:
        """Its keys, as its address answers them."""
        return json.dumps({"keys": [one.published for one in self.keys]}).encode() if self.body is None else self.body

    def fetch(self, url: str) -> bytes:
        """Its keys without a socket."""
        assert url == self.keys_url
        self.asked += 1
        if self.away:
            raise ConnectionError(url)
        return self.published()

    def rotate(self, kid: str, algorithm: str = "RS256") -> None:
        """A new key instead of those that were."""
        self.keys = [Key(kid, algorithm)]

    def claims(self, without: Collection[str] = (), **other: object) -> dict[str, object]:
        """What a good token of this moment says, unless told otherwise."""
        now = self.clock()
        usual: dict[str, object] = {
            "iss": self.issuer,
            "aud": AUDIENCE,
            "sub": "somebody",
            "iat": int(now.timestamp()),
            "exp": int((now + timedelta(hours=1)).timestamp()),
        }
        return {name: value for name, value in (usual | other).items() if name not in without}

    def token(self, key: Key | None = None, without: Collection[str] = (), **other: object) -> str:
        """A token with a true signature of its first key, or of another."""
        return self.signed(self.claims(without, **other), key or self.keys[0])

    def signed(self, claims: object, key: Key, **header: object) -> str:
        """Anything, with a true signature."""
        algorithm = jwt.get_algorithm_by_name(key.algorithm)
        named = {} if key.kid is None else {"kid": key.kid}
        return assembled(
            {"alg": key.algorithm, "typ": "JWT", **named, **header},
            claims,
            lambda text: algorithm.sign(text, key.private),
        )


class KeysOf(KeySet):
    """The keys of a provider, asked for without a socket."""

    def __init__(self, provider: Provider) -> None:
        super().__init__(provider.keys_url)
        self._provider = provider

    def _asked(self) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(self._provider.fetch(self.uri))
        return answer


def timed(monkeypatch: pytest.MonkeyPatch, seconds: Callable[[], float]) -> None:
    """Key sets have this clock."""
    for module in ("jwks_client", "jwk_set_cache", "api_jwk"):
        monkeypatch.setattr(f"jwt.{module}.time", SimpleNamespace(monotonic=seconds))


def _handler(provider: Provider) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path != KEYS_PATH:
                self.send_error(404)
                return
            provider.asked += 1
            if provider.goes_on is not None:
                provider.goes_on.wait(LONGEST_WAIT_SECONDS)
            try:
                self._answer()
            except ConnectionError:
                self.close_connection = True  # the client had enough

        def _answer(self) -> None:
            self.send_response(provider.status)
            for name, value in provider.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(provider.published())

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    return Handler


@contextmanager
def serving(provider: Provider) -> Iterator[Provider]:
    """The provider at an address of its own on this machine, which becomes its issuer."""
    with serve_handler(_handler(provider)) as port:
        provider.issuer = f"http://{LOOPBACK}:{port}"
        yield provider
