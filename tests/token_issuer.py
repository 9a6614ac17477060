"""OpenID Connect provider for tests, which signs tokens and publishes its keys over loopback.

It can be unavailable or return invalid answers, and it counts the requests for its keys.
"""

import base64
import functools
import json
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from types import SimpleNamespace
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from handlers.common.tokens import signing_keys
from local import LOOPBACK
from local.emulation.identity_provider import KEYS_PATH
from local.http_server import HttpRequest, HttpResponse, serve_json

AUDIENCE = "polyphony"

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey


@functools.cache
def private_key(family: str, name: str) -> PrivateKey:
    """Return the private key of a name. It is cached, because creating RSA keys takes time."""
    match family:
        case "RS" | "PS":
            return rsa.generate_private_key(65537, 2048)
        case "ES256":
            return ec.generate_private_key(ec.SECP256R1())
        case "ES384":
            return ec.generate_private_key(ec.SECP384R1())
        case "EdDSA":
            return ed25519.Ed25519PrivateKey.generate()
    raise ValueError(f"{family} is not a key family (key {name})")


@dataclass(frozen=True)
class Key:
    """A key pair with its signature algorithm."""

    kid: str | None
    algorithm: str = "RS256"

    @property
    def private(self) -> PrivateKey:
        rs_or_ps = self.algorithm[:2] in {"RS", "PS"}
        return private_key("RS" if rs_or_ps else self.algorithm, str(self.kid))

    @property
    def published(self) -> dict[str, Any]:
        """Public key as JSON Web Key."""
        jwk: dict[str, Any] = jwt.get_algorithm_by_name(self.algorithm).to_jwk(self.private.public_key(), as_dict=True)
        jwk.pop("key_ops", None)
        return jwk | {"use": "sig", "alg": self.algorithm} | ({} if self.kid is None else {"kid": self.kid})

    def public(self, encoding: Encoding) -> bytes:
        """Return the public key in another encoding, like an attacker could."""
        return self.private.public_key().public_bytes(encoding, PublicFormat.SubjectPublicKeyInfo)


def seconds_from_now(seconds: int) -> int:
    """Return a time for the claim of a token."""
    return int(time.time()) + seconds


def assemble_token(header: object, claims: object, sign: Callable[[bytes], bytes] = lambda _: b"") -> str:
    """Return a token with any header, claims and signature, which may be invalid."""
    signed_part = b".".join(_encoded(json.dumps(part).encode()) for part in (header, claims))
    return b".".join([signed_part, _encoded(sign(signed_part))]).decode()


def _encoded(part: bytes) -> bytes:
    return base64.urlsafe_b64encode(part).rstrip(b"=")


@dataclass
class Provider:
    """Fake identity provider. A test changes its attributes so that it fails, and inspects `request_count`."""

    keys: list[Key] = field(default_factory=lambda: [Key("first")])
    issuer: str = "https://issuer.test"
    request_count: int = 0
    """Number of requests for the keys."""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    """Content of the JWKS URL instead of the keys, if it is not None."""
    is_unreachable: bool = False
    """True if `fetch` fails without an answer."""

    @property
    def keys_url(self) -> str:
        return self.issuer + KEYS_PATH

    def published(self) -> bytes:
        """Return the content of the JWKS URL."""
        return json.dumps({"keys": [key.published for key in self.keys]}).encode() if self.body is None else self.body

    def fetch(self, url: str) -> bytes:
        """Return the content of the JWKS URL without a socket."""
        assert url == self.keys_url
        self.request_count += 1
        if self.is_unreachable:
            raise ConnectionError(url)
        return self.published()

    def rotate(self, kid: str, algorithm: str = "RS256") -> None:
        """Replace all keys by a new key."""
        self.keys = [Key(kid, algorithm)]

    def claims(self, without: Collection[str] = (), **other: object) -> dict[str, object]:
        """Return the claims of a valid token, with changes."""
        valid_claims: dict[str, object] = {
            "iss": self.issuer,
            "aud": AUDIENCE,
            "sub": "somebody",
            "iat": seconds_from_now(0),
            "exp": seconds_from_now(3600),
        }
        return {name: value for name, value in (valid_claims | other).items() if name not in without}

    def token(self, key: Key | None = None, without: Collection[str] = (), **other: object) -> str:
        """Return a token that is signed with the first or the given key."""
        return self.signed(self.claims(without, **other), key or self.keys[0])

    def signed(self, claims: object, key: Key, **header: object) -> str:
        """Return a token with any claims and a valid signature."""
        algorithm = jwt.get_algorithm_by_name(key.algorithm)
        key_id = {} if key.kid is None else {"kid": key.kid}
        return assemble_token(
            {"alg": key.algorithm, "typ": "JWT", **key_id, **header},
            claims,
            lambda text: algorithm.sign(text, key.private),
        )


def keys_of(provider: Provider) -> jwt.PyJWKClient:
    """Return signing keys that are fetched from a fake provider without a socket."""
    keys: Any = signing_keys(provider.keys_url)
    keys.fetch_data = lambda: json.loads(provider.fetch(provider.keys_url))
    return keys  # type: ignore[no-any-return]


def replace_clock(monkeypatch: pytest.MonkeyPatch, seconds: Callable[[], float]) -> None:
    """Replace the clock of PyJWT's caches."""
    for module in ("jwt.jwks_client", "jwt.jwk_set_cache", "jwt.api_jwk"):
        monkeypatch.setattr(f"{module}.time", SimpleNamespace(monotonic=seconds))


@contextmanager
def serving(provider: Provider) -> Iterator[Provider]:
    """Serve the provider's keys on a free local port. Its URL becomes the issuer."""

    def respond(request: HttpRequest) -> HttpResponse:
        assert request.path == KEYS_PATH
        return HttpResponse(
            json.loads(provider.fetch(provider.keys_url)), HTTPStatus(provider.status), provider.headers
        )

    with serve_json(respond) as port:
        provider.issuer = f"http://{LOOPBACK}:{port}"
        yield provider
