"""Parsers for S3's messages about new objects, and processing of a batch of SQS messages in a Lambda function.

S3 reports a created object in one of two forms. A notification is a message that S3 itself sends to a queue. An event
goes to EventBridge's default bus, and a rule sends it to a queue. Keys are URL-encoded in notifications only. Other
programs in the account can put events on the default bus too, so events are validated before use.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Final
from urllib.parse import unquote_plus

from pydantic import AliasChoices, AliasPath, BaseModel, ConfigDict, Field

from handlers.common.logging import EventLog

SEQUENCER_PATTERN: Final = r"^[0-9A-Fa-f]{1,64}$"
"""Form of the number by which S3 orders the events for one key."""
NULL_VERSION_ID = "null"
"""Version id of all objects in a bucket without versioning."""


class InvalidEvent(ValueError):
    """The function must not process the message, for example because it is about another bucket.

    Like a message that violates its model (`ValidationError`), it is redelivered until SQS moves it to the dead-letter
    queue, where an operator sees it.
    """


class EventModel(BaseModel):
    """Base of event models. Unknown fields are ignored, and validation errors contain no values."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)


VERSION_ID_PATTERN: Final = r"[A-Za-z0-9._-]{1,1024}"
"""Form of a version id, without the anchors `^` and `$`."""


class CreatedObject(EventModel):
    """A created object version, as S3 describes it in events and in notifications."""

    bucket: Annotated[str, Field(validation_alias=AliasPath("bucket", "name"))]
    key: Annotated[str, Field(validation_alias=AliasPath("object", "key"))]
    size: Annotated[int, Field(validation_alias=AliasPath("object", "size"), ge=0)]
    """Size in bytes."""
    version_id: Annotated[
        str,
        Field(
            validation_alias=AliasChoices(AliasPath("object", "version-id"), AliasPath("object", "versionId")),
            pattern=f"^{VERSION_ID_PATTERN}$",
        ),
    ] = NULL_VERSION_ID
    sequencer: Annotated[str, Field(validation_alias=AliasPath("object", "sequencer"), pattern=SEQUENCER_PATTERN)] = "0"
    """Number by which `is_later` compares messages about the same key."""


class NotifiedObject(CreatedObject):
    """A created object version in a notification, which has more fields than an event."""

    # By name too, because a subclass of ingestion is built from the fields of a parsed object.
    model_config = ConfigDict(validate_by_name=True, validate_by_alias=True)

    etag: Annotated[str, Field(validation_alias=AliasPath("object", "eTag"))]
    arrived: datetime
    """Time of the upload, as S3 states it."""


class _Notification(EventModel):
    """S3's message. It has no records if it is the test event that S3 sends when the notification is configured."""

    records: Annotated[list[dict[str, Any]] | None, Field(validation_alias="Records")] = None
    event: Annotated[str, Field(validation_alias="Event")] = ""


def parse_new_objects(body: str) -> list[NotifiedObject]:
    """Return the created objects in the body of a notification. S3's test event and other kinds of events have none."""
    # Unlike `json.loads`, this refuses lone surrogates, numbers with thousands of digits, and deeply nested lists.
    notification = _Notification.model_validate_json(body)
    if notification.records is None and notification.event != "s3:TestEvent":
        raise InvalidEvent("the message has no records")
    new_objects: list[NotifiedObject] = []
    for record in notification.records or ():
        if str(record["eventName"]).startswith("ObjectCreated:"):
            announced = NotifiedObject.model_validate({**record["s3"], "arrived": record["eventTime"]})
            new_objects.append(announced.model_copy(update={"key": unquote_plus(announced.key)}))
    return new_objects


S3_SOURCE: Final = "aws.s3"
"""`source` of S3's events."""
OBJECT_CREATED: Final = "Object Created"
"""`detail-type` of the events for new objects."""


class BusEvent(EventModel):
    """An event of EventBridge. The form of `detail` depends on `source` and `detail_type`."""

    source: str
    detail_type: Annotated[str, Field(validation_alias="detail-type")]
    detail: dict[str, Any]
    replay_name: Annotated[str | None, Field(validation_alias="replay-name")] = None
    """Name of the replay if EventBridge replays the event from an archive. Senders of events cannot set it."""


def parse_object_created_detail(detail: dict[str, Any], bucket: str) -> CreatedObject:
    """Return the object in the `detail` of an S3 event. Raises InvalidEvent if it is not in the bucket `bucket`."""
    created_object = CreatedObject.model_validate(detail)
    if created_object.bucket != bucket:
        raise InvalidEvent("the object is in another bucket")
    return created_object


def parse_object_created_event(body: str, bucket: str) -> CreatedObject:
    """Return the created object of an S3 event, for functions that only receive such events. Raises InvalidEvent."""
    event = BusEvent.model_validate_json(body)
    if (event.source, event.detail_type) != (S3_SOURCE, OBJECT_CREATED):
        raise InvalidEvent("the event is of another kind")
    return parse_object_created_detail(event.detail, bucket)


def is_later(sequencer: str, other: str) -> bool:
    """Return True if an event with the first sequencer is later than an event for the same key with the other one.

    Sequencers are hexadecimal numbers of different lengths, so their alphabetical order is not their order in time. Only
    events for the same key can be compared.
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
    """
    return int(sequencer, 16) > int(other, 16)


BatchFailures = dict[str, list[dict[str, str]]]
"""Lambda's partial batch response: the ids of the messages that SQS must redeliver."""
IGNORED = "ignored"
"""Outcome of a message that needs no work, for example because its object is not an upload."""


def process_batch(
    messages: Sequence[Mapping[str, Any]], act: Callable[[str], str | None], event_log: EventLog, *, event_kind: str
) -> BatchFailures:
    """Call `act` with the body of each message. Return the messages for which it raised an exception.

    `act` returns `IGNORED` or any other outcome. The log event of the batch counts the ignored messages. `event_kind` is
    the beginning of its name, for example `video` for `video_batch`.
    """
    failed: list[str] = []
    ignored = 0
    for message in messages:
        try:
            ignored += act(message["body"]) == IGNORED
        except Exception as error:  # noqa: BLE001 - only this message is redelivered, not the others of the batch
            event_log.failure("message_failed", error)
            failed.append(message["messageId"])
    event_log.info(f"{event_kind}_batch", records=len(messages), ignored=ignored, failed=len(failed))
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failed]}
