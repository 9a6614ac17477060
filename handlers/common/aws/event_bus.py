"""What events of the default bus share, and what S3's of new objects say. Pure.

Anybody in the account may put something on that bus: nothing is believed that has not been parsed. S3 writes keys there
as they are, unlike in its own notifications.
"""

from typing import Annotated, Any, Final

from pydantic import AliasPath, BaseModel, ConfigDict, Field, ValidationError

from handlers.common.aws.s3_notifications import UNVERSIONED, NotAnEvent

S3: Final = "aws.s3"
OBJECT_CREATED: Final = "Object Created"
VERSION: Final = r"[A-Za-z0-9._-]{1,1024}"


class Parsed(BaseModel):
    """Base of what others say: no more of it is read than is named, and none of it is in an error."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)


class Envelope(Parsed):
    """What every event has."""

    source: str
    detail_type: Annotated[str, Field(validation_alias="detail-type")]
    detail: dict[str, Any]
    replay_name: Annotated[str | None, Field(validation_alias="replay-name")] = None
    """The bus writes it, where somebody has an archive replayed; nobody else can."""


class Created(Parsed):
    """S3's detail. How the object was created is not asked: whatever way, it is there."""

    bucket: Annotated[str, Field(validation_alias=AliasPath("bucket", "name"))]
    key: Annotated[str, Field(validation_alias=AliasPath("object", "key"))]
    size: Annotated[int, Field(validation_alias=AliasPath("object", "size"), ge=0)]
    version_id: Annotated[str, Field(validation_alias=AliasPath("object", "version-id"), pattern=f"^{VERSION}$")] = (
        UNVERSIONED
    )


def envelope(body: str) -> Envelope:
    """The event in a message; raises NotAnEvent."""
    try:
        # Read by pydantic, which refuses halves of characters, numbers of thousands of digits, and lists in lists in lists.
        return Envelope.model_validate_json(body)
    except ValidationError as error:
        raise lacking(error) from None


def created(detail: dict[str, Any], bucket: str) -> Created:
    """The object of our bucket that S3 says was created; raises NotAnEvent."""
    try:
        one = Created.model_validate(detail)
    except ValidationError as error:
        raise lacking(error) from None
    if one.bucket != bucket:
        raise NotAnEvent("the object is in another bucket")
    return one


def new_object(body: str, bucket: str) -> Created:
    """The object of our bucket that an event tells of, where such events are all that was asked for.

    Raises NotAnEvent.
    """
    event = envelope(body)
    if (event.source, event.detail_type) != (S3, OBJECT_CREATED):
        raise NotAnEvent("nobody asked for events of this kind")
    return created(event.detail, bucket)


def lacking(error: ValidationError) -> NotAnEvent:
    """What is wrong with an event, without what it says."""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    return NotAnEvent(
        "the message is not JSON" if first["type"] == "json_invalid" else f"the event lacks {first['loc']}"
    )
