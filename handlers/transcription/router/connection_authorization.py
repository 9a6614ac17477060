"""Who may connect. A browser cannot set headers on a WebSocket, so its token travels as a subprotocol that it offers."""

from collections.abc import Mapping
from typing import Any

from handlers.common.errors import HandlerError
from handlers.common.identity.oidc_tokens import InvalidToken, Reason, Verifier
from handlers.common.identity.user_ids import user_id
from handlers.common.websocket.message_dispatch import SocketCode
from handlers.transcription.environment import PROTOCOL
from handlers.transcription.messages import TOKEN_PREFIX, USER_PREFIX, TranscriptionErrorCode

OFFER = "sec-websocket-protocol"
ANONYMOUS = "anonymous"


class ConnectionAuthorizer:
    """Decides on handshakes."""

    def __init__(self, verifier: Verifier | None) -> None:
        """Without a verifier everybody may in, under the name that he gives: for local and dev stacks only."""
        self._verifier = verifier

    def user(self, headers: Mapping[str, Any]) -> str:
        """Who wants to connect, by the project's own name for him."""
        offers = _offers(headers)
        if PROTOCOL not in offers:
            raise HandlerError(
                SocketCode.MALFORMED_MESSAGE,
                f"Offer the subprotocol {PROTOCOL}, and the token as {TOKEN_PREFIX}<token>.",
            )
        if self._verifier is None:
            return user_id("none", _after(USER_PREFIX, offers) or ANONYMOUS)
        token = _after(TOKEN_PREFIX, offers)
        if token is None:
            raise HandlerError(
                TranscriptionErrorCode.UNAUTHENTICATED, f"Offer a token as the subprotocol {TOKEN_PREFIX}<token>.", 401
            )
        try:
            return self._verifier.verify(token)
        except InvalidToken as error:
            if error.reason is Reason.KEYS_UNAVAILABLE:
                raise HandlerError(
                    TranscriptionErrorCode.UNAVAILABLE, "The identity provider does not answer. Try again.", 503
                ) from None
            raise HandlerError(
                TranscriptionErrorCode.UNAUTHENTICATED, "The token is not valid. Get a new one.", 401
            ) from None


def _offers(headers: Mapping[str, Any]) -> list[str]:
    text = next((str(value) for name, value in headers.items() if name.lower() == OFFER), "")
    return [one.strip() for one in text.split(",") if one.strip()]


def _after(prefix: str, offers: list[str]) -> str | None:
    return next((one.removeprefix(prefix) for one in offers if one.startswith(prefix)), None)
