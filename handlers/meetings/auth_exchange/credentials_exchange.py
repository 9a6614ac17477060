"""Exchange of an identity provider's token for AWS credentials that are restricted to the token's user.

If a token is refused, the response distinguishes only expired tokens and tokens that are not valid yet, because the
caller can react to these. The log has the exact reason, but neither the user nor the token.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from handlers.common.aws import ServiceFailed, call_service
from handlers.common.errors import HandlerError
from handlers.common.ids import timestamp
from handlers.common.logging import EventLog
from handlers.common.rest import RestAnswer, RestRequest
from handlers.common.tokens import ProviderUnavailable, TokenProblem, TokenRefused, TokenVerifier
from handlers.meetings import s3_keys
from handlers.meetings.auth_exchange.api_models import ExchangeRequest, ExchangeResponse, UserPrefixes
from handlers.meetings.auth_exchange.error_codes import ExchangeErrorCode

if TYPE_CHECKING:
    from types_boto3_sts.client import STSClient

RETRY_AFTER_SECONDS = 5
"""Time after which the caller should repeat a request that failed with `UNAVAILABLE`."""
ERROR_CODES = {
    TokenProblem.EXPIRED: ExchangeErrorCode.TOKEN_EXPIRED,
    TokenProblem.NOT_YET_VALID: ExchangeErrorCode.TOKEN_NOT_YET_VALID,
}
"""Error codes by the reason for refusing a token. Tokens refused for other reasons have `TOKEN_REFUSED`."""


@dataclass(frozen=True)
class MeetingsLocation:
    """Bucket, table and region of the meetings."""

    bucket_name: str
    table_name: str
    region: str


@dataclass(frozen=True)
class SessionCredentials:
    """Temporary AWS credentials for one user."""

    access_key_id: str = field(repr=False)
    secret_access_key: str = field(repr=False)
    session_token: str = field(repr=False)
    expiration: datetime


@dataclass(frozen=True)
class ClientRole:
    """The role whose credentials the users' apps receive.

    Its policies allow access only to objects and items whose keys contain the user in the session's tag. Its trust
    policy requires the tag.
    """

    sts: "STSClient"
    arn: str
    seconds: int
    """Validity of the credentials."""

    def assume(self, user: str, name: str) -> SessionCredentials:
        """Assume the role for a user, with a role session name. Raises ServiceFailed, which quotes no text of STS."""
        answer = call_service(
            self.sts.assume_role,
            RoleArn=self.arn,
            RoleSessionName=name,
            DurationSeconds=self.seconds,
            Tags=[{"Key": s3_keys.USER_TAG, "Value": user}],
        )
        credentials = answer["Credentials"]
        return SessionCredentials(
            credentials["AccessKeyId"],
            credentials["SecretAccessKey"],
            credentials["SessionToken"],
            credentials["Expiration"],
        )


class CallerAccess:
    """Verifies the tokens of callers, and creates AWS credentials for their users."""

    def __init__(
        self, verifier: TokenVerifier, assume_role: Callable[[str, str], SessionCredentials], log: EventLog
    ) -> None:
        """`assume_role` returns credentials for a user and a role session name."""
        self._verifier = verifier
        self._assume_role = assume_role
        self._log = log

    def verify_user(self, token: str) -> str:
        """Return the token's user. Raises HandlerError."""
        try:
            return self._verifier.verify(token)
        except ProviderUnavailable:
            self._log.error("provider_away")
            raise _unavailable("The identity provider does not respond. Try again.") from None
        except TokenRefused as error:
            self._log.info("caller_refused", cause=error.problem)
            raise HandlerError(
                ERROR_CODES.get(error.problem, ExchangeErrorCode.TOKEN_REFUSED), "The token is not valid."
            ) from None

    def create_credentials(self, user: str, name: str) -> SessionCredentials:
        """Return credentials for a user. Raises HandlerError for a transient error of STS, and ServiceFailed for any
        other error.
        """
        try:
            return self._assume_role(user, name)
        except ServiceFailed as error:
            if error.is_transient:
                self._log.warning("role_busy", cause=error.fault)
                raise _unavailable("AWS credentials are not available at the moment. Try again.") from None
            self._log.error("role_refused", cause=error.fault)
            raise


class TokenExchange:
    """Implementation of the API operation `exchangeToken`."""

    def __init__(self, access: CallerAccess, location: MeetingsLocation, *, renew_before_seconds: int) -> None:
        self._access = access
        self._location = location
        self._renew_before = timedelta(seconds=renew_before_seconds)

    def exchange(self, call: RestRequest[None, None, ExchangeRequest]) -> RestAnswer[ExchangeResponse]:
        """Verify the token, and return credentials for its user. Raises HandlerError or ServiceFailed."""
        user = self._access.verify_user(call.body.token)
        credentials = self._access.create_credentials(user, call.body.session_name)
        return RestAnswer(
            ExchangeResponse(
                access_key_id=credentials.access_key_id,
                secret_access_key=credentials.secret_access_key,
                session_token=credentials.session_token,
                expiration=timestamp(credentials.expiration),
                renew_after=timestamp(credentials.expiration - self._renew_before),
                user=user,
                bucket_name=self._location.bucket_name,
                table_name=self._location.table_name,
                region=self._location.region,
                prefixes=user_prefixes(user),
            )
        )


def user_prefixes(user: str) -> UserPrefixes:
    """Return the key prefixes of a user's objects."""
    return UserPrefixes(
        raw=f"{s3_keys.RAW}{user}/",
        video=f"{s3_keys.VIDEO}{user}/",
        audio=f"{s3_keys.AUDIO}{user}/",
        transcripts=f"{s3_keys.TRANSCRIPTS}{user}/",
        summaries=f"{s3_keys.SUMMARIES}{user}/",
    )


def _unavailable(message: str) -> HandlerError:
    """Return the error `UNAVAILABLE`, for a transient failure of AWS or the identity provider."""
    return HandlerError(ExchangeErrorCode.UNAVAILABLE, message, retry_after_seconds=RETRY_AFTER_SECONDS)
