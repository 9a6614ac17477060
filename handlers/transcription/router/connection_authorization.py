"""Authorization of WebSocket handshakes by a token of the identity provider.

A browser cannot set headers on a WebSocket, so the client offers its token as a subprotocol.
"""

from collections.abc import Mapping
from typing import Any

from handlers.common.errors import HandlerError
from handlers.common.tokens import ProviderUnavailable, TokenRefused, TokenVerifier
from handlers.common.websocket import WebSocketErrorCode
from handlers.transcription.environment import PROTOCOL
from handlers.transcription.messages import TOKEN_PREFIX, TranscriptionErrorCode


def authorize_connection(headers: Mapping[str, Any], verifier: TokenVerifier | None) -> None:
    """Raise HandlerError to refuse the handshake. `verifier` is None with `auth: none`, which needs no token."""
    text = next((str(value) for name, value in headers.items() if name.lower() == "sec-websocket-protocol"), "")
    offers = [offer.strip() for offer in text.split(",")]
    if PROTOCOL not in offers:
        raise HandlerError(
            WebSocketErrorCode.MALFORMED_MESSAGE,
            f"Offer the subprotocol {PROTOCOL}, and the token as {TOKEN_PREFIX}<token>.",
        )
    if verifier is None:
        return
    token = next((offer.removeprefix(TOKEN_PREFIX) for offer in offers if offer.startswith(TOKEN_PREFIX)), None)
    if token is None:
        raise HandlerError(
            TranscriptionErrorCode.UNAUTHENTICATED, f"Offer a token as the subprotocol {TOKEN_PREFIX}<token>."
        )
    try:
        verifier.verify(token)
    except ProviderUnavailable:
        raise HandlerError(
            WebSocketErrorCode.UNAVAILABLE, "The identity provider does not respond. Try again."
        ) from None
    except TokenRefused:
        raise HandlerError(TranscriptionErrorCode.UNAUTHENTICATED, "The token is not valid. Get a new token.") from None
