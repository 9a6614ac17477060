"""Exchanges a token for credentials: who the token is about, is what the credentials are bound to.

A token that is refused is told apart only as far as another token may help. Who asks, what for and with what is in no
log line; that somebody was refused, and why, is.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from handlers.common.errors import HandlerError
from handlers.common.logging import EventLog
from handlers.common.moments import timestamp
from handlers.common.oidc import InvalidToken, Reason, Verifies
from handlers.common.rest import Answered, Call
from handlers.meetings import places
from handlers.meetings.client_role import Credentials, RoleBusy, RoleRefused
from handlers.meetings.codes import Code
from handlers.meetings.exchange_models import Exchanged, ExchangeRequest, Prefixes

RETRY_SECONDS = 5
CODES = {Reason.EXPIRED: Code.TOKEN_EXPIRED, Reason.NOT_YET_VALID: Code.TOKEN_NOT_YET_VALID}


@dataclass(frozen=True)
class Store:
    """Where meetings are."""

    bucket_name: str
    table_name: str
    region: str


class GivesSessions(Protocol):
    """Whoever has the clients' role: a `ClientRole`."""

    def session(self, user: str, name: str) -> Credentials:
        """A session of this user; raises RoleBusy or RoleRefused."""
        ...


class Exchange:
    """Does what the operation asks."""

    def __init__(
        self, verifier: Verifies, role: GivesSessions, store: Store, *, renew_before_seconds: int, log: EventLog
    ) -> None:
        self._verifier = verifier
        self._role = role
        self._store = store
        self._renew_before = timedelta(seconds=renew_before_seconds)
        self._log = log

    def exchange(self, call: Call) -> Answered:
        """Credentials of whom the token is about."""
        asked: ExchangeRequest = call.body
        user = self._user(asked.token)
        given = self._credentials(user, asked.session_name)
        return Answered(
            Exchanged(
                access_key_id=given.access_key_id,
                secret_access_key=given.secret_access_key,
                session_token=given.session_token,
                expiration=timestamp(given.expiration),
                renew_after=timestamp(given.expiration - self._renew_before),
                user=user,
                bucket_name=self._store.bucket_name,
                table_name=self._store.table_name,
                region=self._store.region,
                prefixes=prefixes(user),
            )
        )

    def _user(self, token: str) -> str:
        try:
            return self._verifier.verify(token)
        except InvalidToken as error:
            if error.reason is Reason.KEYS_UNAVAILABLE:
                self._log.error("provider_away")
                raise _later("The identity provider does not answer. Try again.") from None
            self._log.info("caller_refused", cause=error.reason)
            raise HandlerError(CODES.get(error.reason, Code.TOKEN_REFUSED), "The token is not taken.", 401) from None

    def _credentials(self, user: str, name: str) -> Credentials:
        try:
            return self._role.session(user, name)
        except RoleBusy as error:
            self._log.warning("role_busy", cause=str(error))
            raise _later("Credentials cannot be given at the moment. Try again.") from None
        except RoleRefused as error:
            self._log.error("role_refused", cause=str(error))
            raise


def prefixes(user: str) -> Prefixes:
    """Of a user."""
    return Prefixes(
        raw=f"{places.RAW}{user}/",
        video=f"{places.VIDEO}{user}/",
        audio=f"{places.AUDIO}{user}/",
        transcripts=f"{places.TRANSCRIPTS}{user}/",
        summaries=f"{places.SUMMARIES}{user}/",
    )


def _later(message: str) -> HandlerError:
    return HandlerError(Code.UNAVAILABLE, message, 503, retry_after_seconds=RETRY_SECONDS)
