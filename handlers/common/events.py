"""Parsers for the events that functions receive, and processing of a batch of SQS messages.

Other programs in the account can put events on the default EventBridge bus too, so events are validated before use. The
object keys in these events are not URL-encoded, unlike the keys in S3's notifications to SQS.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Final
from urllib.parse import unquote_plus

from pydantic import AliasPath, BaseModel, ConfigDict, Field, ValidationError

from handlers.common.logging import EventLog

NULL_VERSION_ID = "null"
"""Version id of all objects in a bucket without versioning."""


class InvalidEvent(ValueError):
    """The message is not the expected event. It should go to the dead-letter queue, where an operator sees it.

    The parsers of EventBridge events (`eventbridge_event_models`) raise this exception too.
    """


class NewObject(BaseModel):
    """A created object version that a notification announces."""

    model_config = ConfigDict(frozen=True)

    bucket: str
    key: str
    version_id: str
    size: int
    """Size in bytes."""
    etag: str
    arrived: datetime
    """Time of the event."""
    in_parts: bool = False
    """True for a multipart upload. `arrived` is then the time when the upload ended, whereas a listing of the bucket
    shows the time when it began. So the date in a listing may be an earlier day than that of `arrived`."""


class _NotificationRecord(BaseModel):
    """The used fields of one S3 event record."""

    name: Annotated[str, Field(validation_alias="eventName")]
    time: Annotated[datetime, Field(validation_alias="eventTime")]
    bucket: Annotated[str, Field(validation_alias=AliasPath("s3", "bucket", "name"))]
    key: Annotated[str, Field(validation_alias=AliasPath("s3", "object", "key"), min_length=1)]
    size: Annotated[int | None, Field(validation_alias=AliasPath("s3", "object", "size"), ge=0)] = None
    etag: Annotated[str, Field(validation_alias=AliasPath("s3", "object", "eTag"))] = ""
    version_id: Annotated[str, Field(validation_alias=AliasPath("s3", "object", "versionId"))] = NULL_VERSION_ID


def parse_new_objects(body: str) -> Iterator[NewObject]:
    """Yield the objects that an SQS message announces. S3's test event and other kinds of events announce none.

    Raises InvalidEvent.
    """
    try:
        message = json.loads(body)
    except (ValueError, RecursionError) as error:  # includes numbers with too many digits, and too deep nesting
        raise InvalidEvent("the message is not readable JSON") from error
    if not isinstance(message, dict):
        raise InvalidEvent("the message is not a JSON object")
    if message.get("Event") == "s3:TestEvent":
        return
    records = message.get("Records")
    if not isinstance(records, list):
        raise InvalidEvent("the message has no list Records")
    for item in records:
        try:
            record = _NotificationRecord.model_validate(item)
        except ValidationError as error:
            raise InvalidEvent(f"a record has no valid field {error.errors()[0]['loc']}") from None
        if record.name.startswith("ObjectCreated:"):
            if record.size is None:
                # Only removal events have no size. A new object without a size must not be taken for an empty one.
                raise InvalidEvent("a record of a created object has no size")
            yield NewObject(
                bucket=record.bucket,
                key=unquote_plus(record.key),
                version_id=record.version_id,
                size=record.size,
                etag=record.etag,
                arrived=record.time,
                in_parts=record.name == "ObjectCreated:CompleteMultipartUpload",
            )


S3_SOURCE: Final = "aws.s3"
"""`source` of S3's events."""
OBJECT_CREATED: Final = "Object Created"
"""`detail-type` of the events for new objects."""
VERSION_ID_PATTERN: Final = r"[A-Za-z0-9._-]{1,1024}"


class EventModel(BaseModel):
    """Base of event models. Unknown fields are ignored, and validation errors contain no values."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)


class BusEvent(EventModel):
    """An event of any kind. `detail` depends on the kind."""

    source: str
    detail_type: Annotated[str, Field(validation_alias="detail-type")]
    detail: dict[str, Any]
    replay_name: Annotated[str | None, Field(validation_alias="replay-name")] = None
    """Set by EventBridge for an event that is replayed from an archive. Senders cannot set it."""


class ObjectCreatedDetail(EventModel):
    """Detail of S3's "Object Created" event: the object that was created."""

    bucket: Annotated[str, Field(validation_alias=AliasPath("bucket", "name"))]
    key: Annotated[str, Field(validation_alias=AliasPath("object", "key"))]
    size: Annotated[int, Field(validation_alias=AliasPath("object", "size"), ge=0)]
    version_id: Annotated[
        str, Field(validation_alias=AliasPath("object", "version-id"), pattern=f"^{VERSION_ID_PATTERN}$")
    ] = NULL_VERSION_ID


def parse_bus_event(body: str) -> BusEvent:
    """Return the event in a message body. Raises InvalidEvent."""
    try:
        # Pydantic's JSON parser refuses lone surrogates, numbers with thousands of digits, and deeply nested lists.
        return BusEvent.model_validate_json(body)
    except ValidationError as error:
        raise to_invalid_event(error) from None


def parse_object_created_detail(detail: dict[str, Any], bucket: str) -> ObjectCreatedDetail:
    """Return the created object. Raises InvalidEvent, also if the object is not in the bucket `bucket`."""
    try:
        created_object = ObjectCreatedDetail.model_validate(detail)
    except ValidationError as error:
        raise to_invalid_event(error) from None
    if created_object.bucket != bucket:
        raise InvalidEvent("the object is in another bucket")
    return created_object


def parse_object_created_event(body: str, bucket: str) -> ObjectCreatedDetail:
    """Return the created object of an S3 event, for functions that only receive such events. Raises InvalidEvent."""
    event = parse_bus_event(body)
    if (event.source, event.detail_type) != (S3_SOURCE, OBJECT_CREATED):
        raise InvalidEvent(f'the event is not an "{OBJECT_CREATED}" event of {S3_SOURCE}')
    return parse_object_created_detail(event.detail, bucket)


def to_invalid_event(error: ValidationError) -> InvalidEvent:
    """Return the exception for an invalid event. It names the first wrong field, and contains no values."""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    if first["type"] == "json_invalid":
        return InvalidEvent("the message is not JSON")
    return InvalidEvent(f"the event has no valid field {first['loc']}")


BatchFailures = dict[str, list[dict[str, str]]]
"""Lambda's partial batch response."""
IGNORED = "ignored"
"""Outcome of a message that the Lambda function ignores, for example because its object is not an upload."""


def process_batch(
    messages: Sequence[Mapping[str, Any]],
    act: Callable[[str], StrEnum | None],
    event_log: EventLog,
    *,
    event_kind: str,
) -> BatchFailures:
    """Call `act` with the body of each message, and return the messages that SQS must redeliver.

    The messages whose outcome is `ignored` are counted in the log. `event_kind` names the batch there, for example
    `video` for the log event `video_batch`.
    """
    failed: list[str] = []
    ignored = 0
    for message in messages:
        try:
            ignored += act(message["body"]) == IGNORED
        except InvalidEvent as error:
            # SQS redelivers the message a few times and then moves it to the dead-letter queue for an operator.
            event_log.failure("message_refused", error, level="WARNING")
            failed.append(message["messageId"])
        except Exception as error:  # noqa: BLE001 - only this message is redelivered, not the others of the batch
            event_log.failure("message_failed", error)
            failed.append(message["messageId"])
    event_log.info(f"{event_kind}_batch", records=len(messages), ignored=ignored, failed=len(failed))
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failed]}
