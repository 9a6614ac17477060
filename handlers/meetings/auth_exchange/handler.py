"""Lambda function `auth-exchange`, which implements the meetings API: it exchanges an identity provider's token for AWS
credentials that are restricted to the token's user, and it deletes meetings.

API Gateway does not authenticate callers. Instead, this function verifies the token, in the body of an exchange and in
the header of a deletion. So neither this function nor API Gateway may log bodies or headers.

If a token is refused, the response distinguishes only expired tokens and tokens that are not valid yet, because the
caller can react to these. The log has the exact reason, but neither the user nor the token.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache, partial
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

from handlers.common import ids
from handlers.common.aws import CONFIG, ServiceFailed, call_service
from handlers.common.errors import HandlerError
from handlers.common.ids import timestamp
from handlers.common.logging import EventLog
from handlers.common.records import Records
from handlers.common.rest import ProxyResponse, RestAnswer, RestDispatcher, RestRequest
from handlers.common.tokens import ProviderUnavailable, TokenProblem, TokenRefused, TokenVerifier, signing_keys
from handlers.meetings import s3_keys
from handlers.meetings.auth_exchange.api import (
    DELETE_MEETING,
    EXCHANGE_TOKEN,
    ExchangeRequest,
    ExchangeResponse,
    MeetingPath,
    MeetingsErrorCode,
    UserPrefixes,
)
from handlers.meetings.deletions import DeletedMeeting, queue_deletion
from handlers.meetings.environment import AuthEnvironment
from handlers.meetings.record import MeetingRecord, apply_deletion, record_attributes, record_key
from handlers.meetings.s3_keys import MeetingId

if TYPE_CHECKING:
    from types_boto3_sts.client import STSClient

STS_CONFIG = CONFIG.merge(
    Config(connect_timeout=1, read_timeout=3, retries={"mode": "standard", "total_max_attempts": 2})
)
"""Short timeouts: both attempts together must end before the caller of the API stops waiting."""
RETRY_AFTER_SECONDS = 5
"""Time after which the caller should repeat a request that failed with `UNAVAILABLE`."""
ERROR_CODES = {
    TokenProblem.EXPIRED: MeetingsErrorCode.TOKEN_EXPIRED,
    TokenProblem.NOT_YET_VALID: MeetingsErrorCode.TOKEN_NOT_YET_VALID,
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


@dataclass(frozen=True)
class MeetingsApi:
    """Implementation of the operations of the meetings API."""

    verifier: TokenVerifier
    role: ClientRole
    location: MeetingsLocation
    renew_before: timedelta
    """Time before the expiration of credentials at which clients should request new ones."""
    records: Records[MeetingRecord]
    queue_deletion: Callable[[DeletedMeeting], None]
    """Queues the removal of the data of a deleted meeting."""
    clock: Callable[[], datetime]
    log: EventLog

    def exchange(self, call: RestRequest[None, None, ExchangeRequest]) -> RestAnswer[ExchangeResponse]:
        """Verify the token, and return credentials for its user. Raises HandlerError or ServiceFailed."""
        user = self._verify_user(call.body.token)
        credentials = self._create_credentials(user, call.body.session_name)
        return RestAnswer(
            ExchangeResponse(
                access_key_id=credentials.access_key_id,
                secret_access_key=credentials.secret_access_key,
                session_token=credentials.session_token,
                expiration=timestamp(credentials.expiration),
                renew_after=timestamp(credentials.expiration - self.renew_before),
                user=user,
                bucket_name=self.location.bucket_name,
                table_name=self.location.table_name,
                region=self.location.region,
                prefixes=user_prefixes(user),
            )
        )

    def delete(self, call: RestRequest[MeetingPath]) -> RestAnswer[None]:
        """Delete a meeting of the token's user. The function `meeting-cleanup` removes its data.

        The partition key is the user, so another user's meeting gives the same 404 as one that does not exist.
        """
        meeting = MeetingId(self._verify_user(call.token), call.parameters.meeting_id)
        if self.records.read(record_key(meeting)) is None:
            raise HandlerError(MeetingsErrorCode.MEETING_UNKNOWN, "The meeting does not exist.")
        self.queue_deletion(DeletedMeeting(user=meeting.user, meeting_id=meeting.meeting_id))
        self.records.change(record_key(meeting), lambda record: apply_deletion(record, self.clock()))
        return RestAnswer(content=None, status=204)

    def _verify_user(self, token: str) -> str:
        """Return the token's user. Raises HandlerError."""
        try:
            return self.verifier.verify(token)
        except ProviderUnavailable:
            self.log.error("provider_away")
            raise _unavailable("The identity provider does not respond. Try again.") from None
        except TokenRefused as error:
            self.log.info("caller_refused", cause=error.problem)
            raise HandlerError(
                ERROR_CODES.get(error.problem, MeetingsErrorCode.TOKEN_REFUSED), "The token is not valid."
            ) from None

    def _create_credentials(self, user: str, name: str) -> SessionCredentials:
        """Return credentials for a user. Raises HandlerError for a transient error of STS, and ServiceFailed for any
        other error.
        """
        try:
            return self.role.assume(user, name)
        except ServiceFailed as error:
            if error.is_transient:
                self.log.warning("role_busy", cause=error.fault)
                raise _unavailable("AWS credentials are not available at the moment. Try again.") from None
            self.log.error("role_refused", cause=error.fault)
            raise


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
    return HandlerError(MeetingsErrorCode.UNAVAILABLE, message, retry_after_seconds=RETRY_AFTER_SECONDS)


def create_dispatcher(api: MeetingsApi, origin: str) -> RestDispatcher:
    """Return the dispatcher of the API's requests. Pages of `origin` may read the responses (CORS)."""
    operations = [EXCHANGE_TOKEN.bind(api.exchange), DELETE_MEETING.bind(api.delete)]
    return RestDispatcher(operations, origin=origin, log=api.log)


@cache
def _dispatcher() -> RestDispatcher:
    environment = AuthEnvironment.read()
    sts = boto3.client("sts", config=STS_CONFIG)
    dynamodb = boto3.client("dynamodb", config=CONFIG)
    api = MeetingsApi(
        verifier=TokenVerifier(environment.issuer, environment.audience, signing_keys(environment.jwks_url)),
        role=ClientRole(sts, environment.client_role, environment.credential_seconds),
        location=MeetingsLocation(environment.bucket_name, environment.table_name, sts.meta.region_name),
        renew_before=timedelta(seconds=environment.renew_before_seconds),
        records=Records(dynamodb, environment.table_name, MeetingRecord, record_attributes),
        queue_deletion=partial(queue_deletion, boto3.client("sqs", config=CONFIG), environment.deletions_queue_url),
        clock=ids.now,
        log=EventLog(environment.log_level),
    )
    return create_dispatcher(api, environment.origin)


def handler(event: Mapping[str, Any], _context: object) -> ProxyResponse:
    return _dispatcher().handle(event)


if "AWS_LAMBDA_RUNTIME_API" in os.environ:
    _dispatcher()  # Lambda gives the initialisation more CPU than an invocation, so a first request waits less
