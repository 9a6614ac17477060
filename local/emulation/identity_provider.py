"""OpenID Connect provider of the local platform, which issues tokens to the console and the flows without a login.

`POST /token` takes `{"subject": "ann"}`, with any user name of 1 to 64 characters of `A-Za-z0-9._@-`, and returns
`{"id_token": …}`. The token is valid for an hour, or for the number of `"seconds"` in the request. A negative number
gives an expired token. The signing key is new at each start. `GET /.well-known/jwks.json` returns its public part.
"""

import json
import re
import time
from contextlib import AbstractContextManager
from http import HTTPStatus
from typing import Final

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

from local.http_server import HttpRequest, HttpResponse, serve_json

ISSUER: Final = "https://login.local.example.com/"
"""Issuer of the tokens, the same as in Pulumi.local.yaml. Its host does not exist, so handlers download the keys from
the URL in their environment variable `JWKS_URL`. `local_services.py` sets it for handlers whose deployment does not."""
AUDIENCE: Final = "polyphony-local"
"""Audience of the tokens, the same as in Pulumi.local.yaml."""
KEYS_PATH: Final = "/.well-known/jwks.json"
TOKEN_PATH: Final = "/token"  # noqa: S105 - a path
VALID_SECONDS: Final = 3600
"""Default of `seconds` in a request."""
KEY_ID: Final = "local"
CORS_HEADERS: Final = {"Access-Control-Allow-Origin": "*"}
"""Headers that let the console's page request tokens from another origin."""
_SUBJECT = re.compile(r"[A-Za-z0-9._@-]{1,64}")


def token_url(keys_url: str) -> str:
    """Return the URL for requesting tokens, from the URL of the keys."""
    return f"{keys_url.removesuffix(KEYS_PATH)}{TOKEN_PATH}"


def serve() -> AbstractContextManager[int]:
    """Serve while the `with` block runs, and yield the port."""
    key = ec.generate_private_key(ec.SECP256R1())

    def respond(request: HttpRequest) -> HttpResponse:
        match request.method, request.path:
            case "GET", path if path == KEYS_PATH:
                public = json.loads(ECAlgorithm.to_jwk(key.public_key()))
                return HttpResponse({"keys": [{**public, "kid": KEY_ID, "alg": "ES256", "use": "sig"}]})
            case "POST", path if path == TOKEN_PATH:
                return _respond_with_token(request.body, key)
            case _:
                return HttpResponse({}, HTTPStatus.NOT_FOUND)

    return serve_json(respond)


def _respond_with_token(body: bytes, key: ec.EllipticCurvePrivateKey) -> HttpResponse:
    request = _parse_request(body)
    if request is None:
        message = (
            f'POST {TOKEN_PATH} takes {{"subject": "…"}}: 1 to 64 of A-Za-z0-9._@-, and optionally "seconds", a number'
        )
        return HttpResponse({"message": message}, HTTPStatus.BAD_REQUEST, CORS_HEADERS)
    subject, seconds = request
    now = int(time.time())
    expires_at = now + seconds
    # The claim `iat` is an hour before the end of the token, but not in the future, because handlers refuse tokens from
    # the future.
    issued_at = min(now, expires_at - VALID_SECONDS)
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": subject, "iat": issued_at, "exp": expires_at}
    return HttpResponse({"id_token": jwt.encode(claims, key, "ES256", {"kid": KEY_ID})}, headers=CORS_HEADERS)


def _parse_request(body: bytes) -> tuple[str, int] | None:
    """Return the subject and the seconds until the token expires, or None if one of them is invalid."""
    try:
        request = json.loads(body)
        if _SUBJECT.fullmatch(request["subject"]):
            return request["subject"], int(request.get("seconds", VALID_SECONDS))
    except (ValueError, LookupError, TypeError, OverflowError):  # OverflowError: `1e999` is read as infinity
        pass
    return None
