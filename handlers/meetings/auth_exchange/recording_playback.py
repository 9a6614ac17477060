"""Playback of a recording: presigned URLs of its video, or of its audio if it has no video.

The Lambda function's own role may not read recordings. So the function assumes the role whose credentials users' apps
also get. With the role's credentials for the token's user, the function reads the meeting and signs the URLs. So IAM
limits every URL to the user's own objects.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import takewhile
from typing import TYPE_CHECKING

import boto3

from handlers.common.aws.client_config import CONFIG, build_presigning_config
from handlers.common.aws.dynamodb_values import deserialize_item, serialize_item
from handlers.common.aws.service_faults import ServiceFailed, ServiceFault, call_service
from handlers.common.error_responses import HandlerError
from handlers.common.http.rest_dispatch import RestAnswer, RestRequest
from handlers.meetings.auth_exchange.api_models import PlayableFile, PlaybackRequest, PlaybackResponse
from handlers.meetings.auth_exchange.credentials_exchange import (
    CallerAccess,
    MeetingsLocation,
    SessionCredentials,
    unavailable,
)
from handlers.meetings.auth_exchange.error_codes import ExchangeErrorCode
from handlers.meetings.meeting_record import PARTITION, SORT
from handlers.meetings.s3_keys import MeetingId, Recording

if TYPE_CHECKING:
    from types_boto3_dynamodb.client import DynamoDBClient
    from types_boto3_s3.client import S3Client

SESSION_NAME = "playback"
"""Role session name, which AWS logs show for the calls with the role's credentials."""
MAX_AUDIO_PARTS = 50
"""Maximum number of audio parts in a response. With the default length of parts, 3.8 hours, no recording has as many.
"""
VIDEO_TYPE, AUDIO_TYPE = "video/mp4", "audio/flac"


@dataclass(frozen=True)
class UserClients:
    """boto3 clients with the credentials of one user."""

    dynamodb: "DynamoDBClient"
    s3: "S3Client"


def create_user_clients(credentials: SessionCredentials) -> UserClients:
    """Return boto3 clients with these credentials."""
    session = boto3.Session(credentials.access_key_id, credentials.secret_access_key, credentials.session_token)
    return UserClients(
        session.client("dynamodb", config=CONFIG), session.client("s3", config=CONFIG.merge(build_presigning_config()))
    )


class RecordingPlayback:
    """Implementation of the API operation `playRecording`."""

    def __init__(
        self,
        access: CallerAccess,
        location: MeetingsLocation,
        create_clients: Callable[[SessionCredentials], UserClients],
        *,
        playback_seconds: int,
    ) -> None:
        """`access` must create credentials that are valid for at least `playback_seconds`, the validity of the URLs."""
        self._access = access
        self._location = location
        self._create_clients = create_clients
        self._playback_seconds = playback_seconds

    def sign(self, call: RestRequest) -> RestAnswer:
        """Return presigned URLs of a recording of the token's user. Raises HandlerError or ServiceFailed."""
        request: PlaybackRequest = call.body
        user = self._access.verify_user(request.token)
        clients = self._create_clients(self._access.create_credentials(user, SESSION_NAME))
        try:
            return self._sign_files(clients, MeetingId(user, request.meeting_id))
        except ServiceFailed as error:
            if error.is_transient:
                raise unavailable("The meeting cannot be read at the moment. Try again.") from None
            raise

    def _sign_files(self, clients: UserClients, meeting: MeetingId) -> RestAnswer:
        item = call_service(
            clients.dynamodb.get_item,
            TableName=self._location.table_name,
            Key=serialize_item({PARTITION: meeting.user, SORT: meeting.meeting_id}),
        ).get("Item")
        if item is None:
            raise HandlerError(ExchangeErrorCode.MEETING_UNKNOWN, "You have no meeting with this id.")
        record = deserialize_item(item)
        if video_key := record.get("videoKey"):
            files = [(video_key, VIDEO_TYPE)]
        else:
            content_hash = record.get("content")  # identifies the recording; empty if no valid upload arrived
            keys = self._audio_keys(clients, Recording(meeting, content_hash)) if content_hash else ()
            files = [(key, AUDIO_TYPE) for key in keys]
        if not files:
            raise HandlerError(
                ExchangeErrorCode.RECORDING_NOT_READY,
                "This meeting has no video and no audio yet. Unless its status is `failed`, try again later.",
            )
        return RestAnswer(
            PlaybackResponse(
                files=tuple(
                    PlayableFile(content_type=content_type, url=self._sign_url(clients, key, content_type))
                    for key, content_type in files
                ),
                duration_ms=record.get("durationMs"),
                expires_seconds=self._playback_seconds,
            )
        )

    def _audio_keys(self, clients: UserClients, recording: Recording) -> Iterator[str]:
        """Yield the keys of the audio parts that exist. The parts are numbered without gaps."""
        keys = (recording.audio_key(part) for part in range(MAX_AUDIO_PARTS))
        return takewhile(lambda key: self._exists(clients, key), keys)

    def _exists(self, clients: UserClients, key: str) -> bool:
        try:
            call_service(clients.s3.head_object, Bucket=self._location.bucket_name, Key=key)
        except ServiceFailed as error:
            # S3 answers 403 for a missing object, because users may not list this prefix. The response to a HEAD
            # request contains no error code, so botocore uses the status as the code, which counts as unknown.
            if error.fault in {ServiceFault.UNKNOWN, ServiceFault.MISSING, ServiceFault.REFUSED}:
                return False
            raise
        return True

    def _sign_url(self, clients: UserClients, key: str, content_type: str) -> str:
        return clients.s3.generate_presigned_url(
            "get_object",
            Params={"Bucket": self._location.bucket_name, "Key": key, "ResponseContentType": content_type},
            ExpiresIn=self._playback_seconds,
        )
