"""Lambda function `auth-exchange`, which implements the meetings API: it exchanges an identity provider's token for AWS
credentials that are restricted to the token's user, and it deletes meetings.

API Gateway does not authenticate callers. Instead, this function verifies the token, in the body of an exchange and in
the header of a deletion. So neither this function nor API Gateway may log bodies or headers.

If a token is refused, the response distinguishes only expired tokens, because the caller can react to these. The log
has the exact reason, but neither the user nor the token.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

import boto3
import jwt
from botocore.exceptions import BotoCoreError, ClientError

from handlers.common import ids
from handlers.common.aws import CONFIG, SHORT_TIMEOUT_CONFIG, is_transient_failure
from handlers.common.errors import HandlerError, ProxyResponse
from handlers.common.ids import timestamp
from handlers.common.logging import EventLog, name_for_log
from handlers.common.records import Records
from handlers.common.rest import RestAnswer, RestDispatcher, RestRequest
from handlers.common.tokens import ProviderUnavailable, TokenRefused, TokenVerifier, signing_keys
from handlers.meetings import s3_keys
from handlers.meetings.auth_exchange import api
from handlers.meetings.deletions import DeletedMeeting, queue_deletion
from handlers.meetings.environment import CREDENTIAL_SECONDS, RENEW_BEFORE_SECONDS, AuthEnvironment
from handlers.meetings.record import MeetingRecord, apply_deletion, record_attributes, record_key
from handlers.meetings.s3_keys import MeetingId

if TYPE_CHECKING:
    from types_boto3_sqs.client import SQSClient
    from types_boto3_sts.client import STSClient


@dataclass(frozen=True)
class MeetingsApi:
    """Implementation of the operations of the meetings API."""

    environment: AuthEnvironment
    verifier: TokenVerifier
    sts: "STSClient"
    sqs: "SQSClient"
    records: Records[MeetingRecord]
    clock: Callable[[], datetime]
    log: EventLog

    def exchange(self, call: RestRequest[None, None, api.ExchangeRequest]) -> RestAnswer[api.ExchangeResponse]:
        """Verify the token, and return credentials for its user. Raises HandlerError, and STS's errors."""
        user = self._verify_user(call.body.token)
        credentials = self._assume_client_role(user, call.body.session_name)
        return RestAnswer(
            api.ExchangeResponse(
                access_key_id=credentials["AccessKeyId"],
                secret_access_key=credentials["SecretAccessKey"],
                session_token=credentials["SessionToken"],
                expiration=timestamp(credentials["Expiration"]),
                renew_after=timestamp(credentials["Expiration"] - timedelta(seconds=RENEW_BEFORE_SECONDS)),
                user=user,
                bucket_name=self.environment.bucket_name,
                table_name=self.environment.table_name,
                region=self.sts.meta.region_name,
            )
        )

    def delete(self, call: RestRequest[api.MeetingPath]) -> RestAnswer[None]:
        """Delete a meeting of the token's user. The function `meeting-cleanup` removes its data.

        The partition key is the user, so another user's meeting gives the same 404 as a meeting that does not exist.
        """
        meeting = MeetingId(self._verify_user(call.token), call.parameters.meeting_id)
        if self.records.read(record_key(meeting)) is None:
            raise HandlerError(api.MeetingsErrorCode.MEETING_UNKNOWN, "The meeting does not exist.")
        deleted = DeletedMeeting(user=meeting.user, meeting_id=meeting.meeting_id)
        queue_deletion(self.sqs, self.environment.deletions_queue_url, deleted)
        self.records.change(record_key(meeting), lambda record: apply_deletion(record, self.clock()))
        return RestAnswer(content=None, status=204)

    def _verify_user(self, token: str) -> str:
        """Return the token's user. Raises HandlerError."""
        try:
            return self.verifier.verify(token)
        except ProviderUnavailable:
            self.log.error("provider_away")
            raise HandlerError(
                api.MeetingsErrorCode.UNAVAILABLE, "The identity provider does not respond. Try again."
            ) from None
        except TokenRefused as error:
            self.log.info("caller_refused", cause=name_for_log(str(error)))
            if str(error) == jwt.ExpiredSignatureError.__name__:
                raise HandlerError(api.MeetingsErrorCode.TOKEN_EXPIRED, "The token has expired.") from None
            raise HandlerError(api.MeetingsErrorCode.TOKEN_REFUSED, "The token is missing or not valid.") from None

    def _assume_client_role(self, user: str, session_name: str) -> Mapping[str, Any]:
        """Return credentials of the role for users' apps. Raises HandlerError for a transient error of STS, and
        any other error of STS itself.

        The role's policies allow access only to objects and items whose keys contain the user in the session's tag. Its
        trust policy requires the tag.
        """
        try:
            answer = self.sts.assume_role(
                RoleArn=self.environment.client_role,
                RoleSessionName=session_name,
                DurationSeconds=CREDENTIAL_SECONDS,
                Tags=[{"Key": s3_keys.USER_TAG, "Value": user}],
            )
        except (ClientError, BotoCoreError) as error:
            if not is_transient_failure(error):
                raise
            self.log.failure("role_busy", error, level="WARNING")
            message = "AWS credentials are not available at the moment. Try again."
            raise HandlerError(api.MeetingsErrorCode.UNAVAILABLE, message) from None
        return answer["Credentials"]


@cache
def _dispatcher() -> RestDispatcher:
    environment = AuthEnvironment.read()
    dynamodb = boto3.client("dynamodb", config=CONFIG)
    meetings = MeetingsApi(
        environment,
        TokenVerifier(environment.issuer, environment.audience, signing_keys(environment.jwks_url)),
        boto3.client("sts", config=SHORT_TIMEOUT_CONFIG),
        boto3.client("sqs", config=CONFIG),
        Records(dynamodb, environment.table_name, MeetingRecord, record_attributes),
        ids.now,
        EventLog(environment.log_level),
    )
    operations = [api.EXCHANGE_TOKEN.bind(meetings.exchange), api.DELETE_MEETING.bind(meetings.delete)]
    return RestDispatcher(operations, origin=environment.origin, log=meetings.log)


def handler(event: Mapping[str, Any], _context: object) -> ProxyResponse:
    return _dispatcher().handle(event)


if "AWS_LAMBDA_RUNTIME_API" in os.environ:
    _dispatcher()  # Lambda gives the initialisation more CPU than an invocation, so a first request waits less
