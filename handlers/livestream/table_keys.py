"""Keys of livestream's DynamoDB table and of its indexes, and episode ids that are derived from client tokens.

All items of an episode are in one partition: its record, and the results of the windows (sections) in which the
fact-check agent analyzes the transcript, with its findings (fact claims and clips). The partition key contains the
owner, so a caller can never reach another owner's episode.
"""

import base64
import hashlib

Key = dict[str, str]
"""Key attributes of an item, or of its entry in an index."""
SCHEMA_VERSION = 1
"""Version of the items' attributes. Every item has it as `schemaVersion`."""
EPISODE_SORT_KEY = "EPISODE"
WINDOW_PREFIX = "WINDOW#"
"""Start of the sort key of an item with the result of a transcript window."""
MAX_WINDOW_NUMBER = 99_999
"""Highest number of a window that sorts correctly in a key."""
OWNER_INDEX = "GSI1"
"""Index that lists an owner's episodes by creation time."""
SWEEP_INDEX = "GSI2"
"""Index of the episodes that the sweep must check, by time. The sweep is a scheduled run of the cleanup function. The
index contains episodes that wait for an upload or are being processed, and deleted episodes. When an episode needs no
more checks, the sweep removes its index keys, so it leaves the index."""
SWEEP_PARTITION = "CARE"
"""The only partition of the sweep index."""
ID_LENGTH = 26
"""Number of characters of an episode id. A ULID has the same length."""


def partition_key(owner: str, episode_id: str) -> str:
    """Return the partition key that all items of an episode share."""
    return f"EPISODE#{owner}#{episode_id}"


def episode_key(owner: str, episode_id: str) -> Key:
    return {"pk": partition_key(owner, episode_id), "sk": EPISODE_SORT_KEY}


def window_key(owner: str, episode_id: str, upload_id: str, index: int) -> Key:
    """Return the key of the item with the result of a window of an uploaded transcript.

    The items of an upload are sorted by the number `index` of the window. Each upload has its own items.
    """
    return {"pk": partition_key(owner, episode_id), "sk": f"{WINDOW_PREFIX}{upload_id}#{index:05d}"}


def owner_index_key(owner: str, created_at: str, episode_id: str) -> Key:
    """Return the index attributes that list an episode among its owner's episodes."""
    return {"GSI1PK": f"OWNER#{owner}", "GSI1SK": f"{created_at}#{episode_id}"}


def sweep_index_key(since: str) -> Key:
    """Return the index attributes that make the sweep check an episode after the time `since`."""
    return {"GSI2PK": SWEEP_PARTITION, "GSI2SK": since}


def episode_id_from_token(owner: str, token: str) -> str:
    """Return the episode id for a client token. The same owner and token always give the same id."""
    return base64.b32encode(hashlib.sha256(f"{owner}\n{token}".encode()).digest()).decode()[:ID_LENGTH]
