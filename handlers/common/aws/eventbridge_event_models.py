"""Models and parsers for events of the default EventBridge bus, including S3's "Object Created" events.

Other programs in the account can put events on this bus too, so events are validated before use. The object keys in
these events are not URL-encoded, unlike the keys in S3's notifications to SQS (`s3_notifications`).
"""

from typing import Annotated, Any, Final

from pydantic import AliasPath, BaseModel, ConfigDict, Field, ValidationError

from handlers.common.aws.s3_notifications import NULL_VERSION_ID, InvalidEvent

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
