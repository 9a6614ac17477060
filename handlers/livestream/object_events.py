"""What events of the default bus share, and what those of new objects say. Pure.

Anybody in the account may put something on that bus: nothing is believed that has not been parsed. Uploads of every
kind have keys of one form below a prefix of their own.
"""

import json
import re
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import AliasPath, BaseModel, ConfigDict, Field, ValidationError

from handlers.common import ulid, users
from handlers.common.s3_events import UNVERSIONED, NotAnEvent

OWNER = rf"(?:{users.PATTERN}|{users.EVERYBODY})"
EPISODE = r"[0-9A-Z]{26}"
VERSION = r"[A-Za-z0-9._-]{1,1024}"
_PLACE = re.compile(rf"({OWNER})/({EPISODE})/({ulid.PATTERN})(?:\.([A-Za-z0-9]{{1,16}}))?", re.ASCII)


@dataclass(frozen=True)
class UploadKey:
    """What an upload's key says."""

    owner: str
    episode_id: str
    upload_id: str
    suffix: str
    """In lower case; empty where there is none."""


class Parsed(BaseModel):
    """Base of what others say: no more of it is read than is named, and none of it is in an error."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)


class Envelope(Parsed):
    """What every event has."""

    source: str
    detail_type: Annotated[str, Field(validation_alias="detail-type")]
    detail: dict[str, Any]


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
        found = json.loads(body)
    except (ValueError, RecursionError):  # no JSON, a number of thousands of digits, or a thousand lists in each other
        raise NotAnEvent("the message is not JSON") from None
    try:
        return Envelope.model_validate(found)
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


def upload_key(prefix: str, key: str) -> UploadKey | None:
    """What a key below a prefix says; none where it is not of an upload's form."""
    match = _PLACE.fullmatch(key, len(prefix)) if key.startswith(prefix) else None
    if match is None:
        return None
    owner, episode_id, upload_id, suffix = match.groups(default="")
    return UploadKey(owner, episode_id, upload_id, suffix.lower())


def lacking(error: ValidationError) -> NotAnEvent:
    """What is wrong with an event, without what it says."""
    return NotAnEvent(f"the event lacks {error.errors()[0]['loc']}")
