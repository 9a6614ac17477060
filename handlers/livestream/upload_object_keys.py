"""Parser for the S3 keys of uploads: `<prefix><owner>/<episode id>/<upload id>.<suffix>`.

Videos and transcripts have keys of the same form below different prefixes.
"""

import re
from dataclasses import dataclass

from handlers.common import ids

OWNER_PATTERN = rf"(?:{ids.USER_ID_PATTERN}|{ids.DEFAULT_OWNER})"
"""Pattern for a user id, or for `everybody`, the owner of all episodes if the API does not identify its users."""
EPISODE_ID_PATTERN = r"[0-9A-Z]{26}"
_KEY = re.compile(
    rf"({OWNER_PATTERN})/({EPISODE_ID_PATTERN})/({ids.ULID_PATTERN})(?:\.([A-Za-z0-9]{{1,16}}))?", re.ASCII
)


@dataclass(frozen=True)
class UploadKey:
    """Parts of the S3 key of an upload."""

    owner: str
    episode_id: str
    upload_id: str
    suffix: str
    """File name suffix without the dot, in lower case; empty if the key has none."""

    def matches(self, owner: str, episode_id: str, upload_id: str) -> bool:
        """Return True if the key belongs to this upload of this episode."""
        return (self.owner, self.episode_id, self.upload_id) == (owner, episode_id, upload_id)


@dataclass(frozen=True)
class UploadedObject:
    """One version of an uploaded object."""

    key: str
    version_id: str
    """S3 version; `null` if the bucket is not versioned."""
    key_parts: UploadKey


def parse_upload_key(prefix: str, key: str) -> UploadKey | None:
    """Parse a key below a prefix. Return None if it is not the key of an upload."""
    match = _KEY.fullmatch(key, len(prefix)) if key.startswith(prefix) else None
    if match is None:
        return None
    owner, episode_id, upload_id, suffix = match.groups(default="")
    return UploadKey(owner, episode_id, upload_id, suffix.lower())
