"""Authorization of WebSocket handshakes by a token of the identity provider.

A browser cannot set headers on a WebSocket, so the client offers its token as a subprotocol. With the setting
`auth: none`, which only local and dev stacks allow, the client offers a user name instead, and the name is trusted.
"""

from collections.abc import Mapping
from typing import Any

from handlers.common.errors import HandlerError
from handlers.common.ids import derive_user_id
from handlers.common.tokens import ProviderUnavailable, TokenRefused, TokenVerifier
from handlers.common.websocket import WebSocketErrorCode
from handlers.transcription.environment import PROTOCOL
from handlers.transcription.messages import TOKEN_PREFIX, USER_PREFIX, TranscriptionErrorCode

SUBPROTOCOL_HEADER = "sec-websocket-protocol"
ANONYMOUS = "anonymous"
"""User name with `auth: none` if the client offers no name."""


def authorize_connection(headers: Mapping[str, Any], verifier: TokenVerifier | None) -> str:
    """Return the user id, which is derived from the token or from the user name. Raise HandlerError to refuse the
    handshake.

    `verifier` is None with `auth: none`.
    """
    offers = _offered_subprotocols(headers)
    if PROTOCOL not in offers:
        raise HandlerError(
            WebSocketErrorCode.MALFORMED_MESSAGE,
            f"Offer the subprotocol {PROTOCOL}, and the token as {TOKEN_PREFIX}<token>.",
        )
    if verifier is None:
        return derive_user_id("none", _value_after(USER_PREFIX, offers) or ANONYMOUS)
    token = _value_after(TOKEN_PREFIX, offers)
    if token is None:
        raise HandlerError(
            TranscriptionErrorCode.UNAUTHENTICATED, f"Offer a token as the subprotocol {TOKEN_PREFIX}<token>."
        )
    try:
        return verifier.verify(token)
    except ProviderUnavailable:
        raise HandlerError(
            WebSocketErrorCode.UNAVAILABLE, "The identity provider does not respond. Try again."
        ) from None
    except TokenRefused:
        raise HandlerError(TranscriptionErrorCode.UNAUTHENTICATED, "The token is not valid. Get a new token.") from None


def _offered_subprotocols(headers: Mapping[str, Any]) -> list[str]:
    text = next((str(value) for name, value in headers.items() if name.lower() == SUBPROTOCOL_HEADER), "")
    return [offer.strip() for offer in text.split(",") if offer.strip()]


def _value_after(prefix: str, offers: list[str]) -> str | None:
    return next((offer.removeprefix(prefix) for offer in offers if offer.startswith(prefix)), None)
