"""Exchanges a token for credentials: who the token is about, is what the credentials are bound to.

A token that is refused is told apart only as far as another token may help. Who asks, what for and with what is in no
log line; that somebody was refused, and why, is.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from handlers.common.aws.service_faults import ServiceFailed, called
from handlers.common.errors import HandlerError
from handlers.common.http.rest_dispatch import Answered, Call
from handlers.common.identity.oidc_tokens import InvalidToken, Reason, Verifier
from handlers.common.logging import EventLog
from handlers.common.time_and_ids.timestamps import timestamp
from handlers.meetings import s3_keys
from handlers.meetings.auth_exchange.api_models import ExchangeRequest, ExchangeResponse, UserPrefixes
from handlers.meetings.auth_exchange.error_codes import ExchangeErrorCode

if TYPE_CHECKING:
    from types_boto3_sts.client import STSClient

RETRY_AFTER_SECONDS = 5
ERROR_CODES = {
    Reason.EXPIRED: ExchangeErrorCode.TOKEN_EXPIRED,
    Reason.NOT_YET_VALID: ExchangeErrorCode.TOKEN_NOT_YET_VALID,
}


@dataclass(frozen=True)
class MeetingsLocation:
    """Where meetings are."""

    bucket_name: str
    table_name: str
    region: str


@dataclass(frozen=True)
class SessionCredentials:
    """The credentials of one session of the clients' role."""

    access_key_id: str = field(repr=False)
    secret_access_key: str = field(repr=False)
    session_token: str = field(repr=False)
    expiration: datetime


@dataclass(frozen=True)
class ClientRole:
    """The role whose credentials clients get.

    The role's policies compare object keys and partitions with the session tag. The trust policy requires the tag.
    """

    client: "STSClient"
    arn: str
    seconds: int

    def assume(self, user: str, name: str) -> SessionCredentials:
        """Assume the role for a user; raises ServiceFailed, which does not quote what STS says."""
        answer = called(
            self.client.assume_role,
            RoleArn=self.arn,
            RoleSessionName=name,
            DurationSeconds=self.seconds,
            Tags=[{"Key": s3_keys.USER_TAG, "Value": user}],
        )
        given = answer["Credentials"]
        return SessionCredentials(
            given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"], given["Expiration"]
        )


class TokenExchange:
    """Does what the operation asks."""

    def __init__(
        self,
        verifier: Verifier,
        session: Callable[[str, str], SessionCredentials],
        store: MeetingsLocation,
        *,
        renew_before_seconds: int,
        log: EventLog,
    ) -> None:
        """`session` returns credentials for a user and a session name."""
        self._verifier = verifier
        self._assume_role = session
        self._location = store
        self._renew_before = timedelta(seconds=renew_before_seconds)
        self._log = log

    def exchange(self, call: Call) -> Answered:
        """Credentials of whom the token is about."""
        asked: ExchangeRequest = call.body
        user = self._verify_user(asked.token)
        given = self._create_credentials(user, asked.session_name)
        return Answered(
            ExchangeResponse(
                access_key_id=given.access_key_id,
                secret_access_key=given.secret_access_key,
                session_token=given.session_token,
                expiration=timestamp(given.expiration),
                renew_after=timestamp(given.expiration - self._renew_before),
                user=user,
                bucket_name=self._location.bucket_name,
                table_name=self._location.table_name,
                region=self._location.region,
                prefixes=user_prefixes(user),
            )
        )

    def _verify_user(self, token: str) -> str:
        try:
            return self._verifier.verify(token)
        except InvalidToken as error:
            if error.reason is Reason.KEYS_UNAVAILABLE:
                self._log.error("provider_away")
                raise _unavailable("The identity provider does not answer. Try again.") from None
            self._log.info("caller_refused", cause=error.reason)
            raise HandlerError(
                ERROR_CODES.get(error.reason, ExchangeErrorCode.TOKEN_REFUSED), "The token is not taken.", 401
            ) from None

    def _create_credentials(self, user: str, name: str) -> SessionCredentials:
        try:
            return self._assume_role(user, name)
        except ServiceFailed as error:
            if error.passes:
                self._log.warning("role_busy", cause=error.fault)
                raise _unavailable("Credentials cannot be given at the moment. Try again.") from None
            self._log.error("role_refused", cause=error.fault)
            raise


def user_prefixes(user: str) -> UserPrefixes:
    """Of a user."""
    return UserPrefixes(
        raw=f"{s3_keys.RAW}{user}/",
        video=f"{s3_keys.VIDEO}{user}/",
        audio=f"{s3_keys.AUDIO}{user}/",
        transcripts=f"{s3_keys.TRANSCRIPTS}{user}/",
        summaries=f"{s3_keys.SUMMARIES}{user}/",
    )


def _unavailable(message: str) -> HandlerError:
    return HandlerError(ExchangeErrorCode.UNAVAILABLE, message, 503, retry_after_seconds=RETRY_AFTER_SECONDS)
