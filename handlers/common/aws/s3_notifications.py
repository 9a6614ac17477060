"""Parser for S3 event notifications that arrive as SQS messages.

Each subsystem decides which of the announced objects it processes.
"""

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Annotated
from urllib.parse import unquote_plus

from pydantic import AliasPath, BaseModel, ConfigDict, Field, ValidationError

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
