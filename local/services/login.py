"""An identity provider for this machine: it publishes its keys, and gives a token to whoever asks, as whoever he likes.

What it signs is real, with a key that is made when it starts; that nobody has to prove anything is what makes it local.
`POST /token` takes `{"subject": "ann"}` and answers `{"id_token": …}`, good for an hour; with `"seconds"`, for so long,
and below 0 it has ended already.
"""

import json
import re
import time
from contextlib import AbstractContextManager
from http.server import BaseHTTPRequestHandler
from typing import Any, ClassVar, Final

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

from local.http_server import running

ISSUER: Final = "https://login.local.example.com/"
AUDIENCE: Final = "polyphony-local"
"""Both as Pulumi.local.yaml has them: the name is nobody's address, keys come from where the emulator says."""
KEYS: Final = "/.well-known/jwks.json"
TOKEN: Final = "/token"  # noqa: S105 - a path
SECONDS: Final = 3600
MAX_BYTES: Final = 1024
KEY_ID: Final = "local"
_SUBJECT = re.compile(r"[A-Za-z0-9._@-]{1,64}")


def token_address(keys: str) -> str:
    """Where it gives tokens, by where its keys are."""
    return f"{keys.removesuffix(KEYS)}{TOKEN}"


class _Handler(BaseHTTPRequestHandler):
    key: ClassVar[ec.EllipticCurvePrivateKey]

    def do_GET(self) -> None:
        if self.path != KEYS:
            self._answer(404, {})
            return
        public = json.loads(ECAlgorithm.to_jwk(self.key.public_key()))
        self._answer(200, {"keys": [{**public, "kid": KEY_ID, "alg": "ES256", "use": "sig"}]})

    def do_POST(self) -> None:
        asked = self._asked() if self.path == TOKEN else None
        if asked is None:
            self._answer(400, {"message": f'POST {TOKEN} takes {{"subject": "…"}}: 1 to 64 of A-Za-z0-9._@-'})
            return
        subject, seconds = asked
        ends = int(time.time()) + seconds
        claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": subject, "iat": ends - SECONDS, "exp": ends}
        self._answer(200, {"id_token": jwt.encode(claims, self.key, "ES256", {"kid": KEY_ID})})

    def _asked(self) -> tuple[str, int] | None:
        """Who asks, and for how long the token is to be good."""
        length = int(self.headers.get("Content-Length") or 0)
        if not 0 < length <= MAX_BYTES:
            return None
        try:
            given = json.loads(self.rfile.read(length))
        except ValueError:
            return None
        given = given if isinstance(given, dict) else {}
        subject, seconds = given.get("subject"), given.get("seconds", SECONDS)
        if not isinstance(subject, str) or not _SUBJECT.fullmatch(subject):
            return None
        return (subject, seconds) if type(seconds) is int and abs(seconds) <= SECONDS else None

    def _answer(self, status: int, content: dict[str, Any]) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        for name, value in (
            ("Content-Type", "application/json"),
            ("Content-Length", str(len(body))),
            # A page of this machine's own asks it too.
            ("Access-Control-Allow-Origin", "*"),
        ):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Says nothing."""


def serve() -> AbstractContextManager[int]:
    """Serves on a free port of this machine's, and gives it."""
    handler = type("Handler", (_Handler,), {"key": ec.generate_private_key(ec.SECP256R1())})
    return running(handler)
