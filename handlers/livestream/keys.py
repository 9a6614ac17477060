"""Keys of livestream's DynamoDB table and of its bucket, for all Lambda functions that use them.

All items of an episode are in one partition: its record, and the results of the windows. A window is one of the sections
that the fact-check agent analyzes of a transcript, and its result contains the findings (fact claims and clips). The
partition key contains the owner, so a caller can never reach another owner's episode.
"""

import re
from typing import Final, NamedTuple

from handlers.common import ids

Key = dict[str, str]
"""Key attributes of an item, or of its entry in an index."""
EPISODE_SORT_KEY = "EPISODE"
LAST_WINDOW = 99_999
"""Largest number of a window. The largest transcript that is read has far fewer windows."""
OWNER_INDEX = "GSI1"
"""Index that lists an owner's episodes by creation time."""


def partition_key(owner: str, episode_id: str) -> str:
    """Return the partition key that all items of an episode share."""
    return f"EPISODE#{owner}#{episode_id}"


def episode_key(owner: str, episode_id: str) -> Key:
    return {"pk": partition_key(owner, episode_id), "sk": EPISODE_SORT_KEY}


def window_key(owner: str, episode_id: str, upload_id: str, index: int) -> Key:
    """Return the key of the item with the result of a window of an uploaded transcript.

    The items of an upload are sorted by the number `index` of the window. Each upload has its own items.
    """
    return {"pk": partition_key(owner, episode_id), "sk": f"WINDOW#{upload_id}#{index:05d}"}


def owner_index_key(owner: str, created_at: str, episode_id: str) -> Key:
    """Return the index attributes that list an episode among its owner's episodes."""
    return {"GSI1PK": f"OWNER#{owner}", "GSI1SK": f"{created_at}#{episode_id}"}


VIDEOS: Final = "videos/"
TRANSCRIPTS: Final = "transcripts/"
CHUNKS: Final = "chunks/"
"""Prefix of the video chunks that MediaConvert writes. No event rule matches it, so chunks are never taken for
uploads."""
CHUNK_NAME_MODIFIER: Final = "_chunk"
"""Text that MediaConvert appends to the name of the video for the names of its chunks and of their playlist. The main
playlist has the name of the video alone."""
OWNER_PATTERN = rf"(?:{ids.USER_ID_PATTERN}|{ids.DEFAULT_OWNER})"
"""Pattern for a user id, or for `everybody`, the owner of all episodes if the API does not identify its users."""
_UPLOAD_KEY = re.compile(
    rf"({OWNER_PATTERN})/({ids.ULID_PATTERN})/({ids.ULID_PATTERN})\.(?:mp4|mov|webm|mkv|srt|vtt|json)"
)
"""Key of an upload without its prefix. It has one of the suffixes that the API gives to uploads. A playlist (`.m3u8`) is
none of them, because it can name other objects, which MediaConvert would then read too."""


class UploadedObject(NamedTuple):
    """One version of an uploaded video or transcript. Its key is `<prefix><owner>/<episode id>/<upload id>.<suffix>`."""

    key: str
    version_id: str
    """S3 version; `null` if the bucket is not versioned."""
    owner: str
    episode_id: str
    upload_id: str


def parse_upload(prefix: str, key: str, version_id: str) -> UploadedObject | None:
    """Return the uploaded object with a key below a prefix, or None if the key is not the key of an upload."""
    match = _UPLOAD_KEY.fullmatch(key, len(prefix)) if key.startswith(prefix) else None
    if match is None:
        return None
    return UploadedObject(key, version_id, *match.groups())


def chunk_folder(owner: str, episode_id: str, upload_id: str) -> str:
    """Return the key prefix below which MediaConvert writes the chunks of an uploaded video, and their playlist."""
    return f"{CHUNKS}{owner}/{episode_id}/{upload_id}/"
