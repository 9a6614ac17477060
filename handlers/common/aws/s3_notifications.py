"""S3's notifications inside queue messages, parsed into the objects they announce. Pure.

What is done with an object, and whether it is wanted at all, is each subsystem's own affair.
"""

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Annotated
from urllib.parse import unquote_plus

from pydantic import AliasPath, BaseModel, ConfigDict, Field, ValidationError

UNVERSIONED = "null"
"""The version of every object in a bucket that keeps no versions."""


class NotAnEvent(ValueError):
    """A message that is no notification of S3's at all: it belongs where a person sees it."""


class NewObject(BaseModel):
    """One version of one object."""

    model_config = ConfigDict(frozen=True)

    bucket: str
    key: str
    version_id: str
    size: int
    etag: str
    arrived: datetime
    in_parts: bool = False
    """Uploaded in parts: the bucket's listing then has the time it began, maybe of another day than its event."""


class _Notification(BaseModel):
    """The parts of one S3 record that matter here; all else is ignored."""

    name: Annotated[str, Field(validation_alias="eventName")]
    time: Annotated[datetime, Field(validation_alias="eventTime")]
    bucket: Annotated[str, Field(validation_alias=AliasPath("s3", "bucket", "name"))]
    key: Annotated[str, Field(validation_alias=AliasPath("s3", "object", "key"), min_length=1)]
    size: Annotated[int | None, Field(validation_alias=AliasPath("s3", "object", "size"), ge=0)] = None
    etag: Annotated[str, Field(validation_alias=AliasPath("s3", "object", "eTag"))] = ""
    version_id: Annotated[str, Field(validation_alias=AliasPath("s3", "object", "versionId"))] = UNVERSIONED


def new_objects(body: str) -> Iterator[NewObject]:
    """The objects that one queue message announces; S3's test event and other events announce none."""
    try:
        message = json.loads(body)
    except (ValueError, RecursionError) as error:  # also numbers of more digits than Python reads, and endless brackets
        raise NotAnEvent("the message is no JSON that can be read") from error
    if not isinstance(message, dict):
        raise NotAnEvent("the message is not a JSON object")
    if message.get("Event") == "s3:TestEvent":
        return
    records = message.get("Records")
    if not isinstance(records, list):
        raise NotAnEvent("the message has no list of Records")
    for record in records:
        try:
            one = _Notification.model_validate(record)
        except ValidationError as error:
            raise NotAnEvent(f"a record lacks {error.errors()[0]['loc']}") from None
        if one.name.startswith("ObjectCreated:"):
            if one.size is None:
                # Events of removals have none; a new object without a size must not pass for an empty one.
                raise NotAnEvent("a record of a new object lacks its size")
            yield NewObject(
                bucket=one.bucket,
                key=unquote_plus(one.key),
                version_id=one.version_id,
                size=one.size,
                etag=one.etag,
                arrived=one.time,
                in_parts=one.name == "ObjectCreated:CompleteMultipartUpload",
            )
