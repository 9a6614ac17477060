"""Events about transcripts, parsed into what they say. Pure.

One kind matters: an object that was created below `transcripts/`, by whatever request of S3's. What it is written in
decides nobody by its name, so every suffix is taken.
"""

from dataclasses import dataclass

from handlers.common.bus_events import new_object
from handlers.livestream.prefixes import TRANSCRIPTS
from handlers.livestream.upload_keys import UploadKey, upload_key


@dataclass(frozen=True)
class TranscriptUploaded:
    """One version of an uploaded transcript."""

    key: str
    version_id: str
    named: UploadKey


def parsed(body: str, bucket: str) -> TranscriptUploaded | None:
    """The transcript in our bucket that an event tells of; none where it tells of another object.

    Raises NotAnEvent where it should say something and does not.
    """
    one = new_object(body, bucket)
    named = upload_key(TRANSCRIPTS, one.key)
    return None if named is None else TranscriptUploaded(one.key, one.version_id, named)
