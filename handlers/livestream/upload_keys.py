"""What the keys of livestream's uploads say. Pure.

Uploads of every kind have keys of one form below a prefix of their own.
"""

import re
from dataclasses import dataclass

from handlers.common.identity import user_ids
from handlers.common.time_and_ids import ulid

OWNER = rf"(?:{user_ids.USER_ID_PATTERN}|{user_ids.DEFAULT_OWNER})"
EPISODE = r"[0-9A-Z]{26}"
_PLACE = re.compile(rf"({OWNER})/({EPISODE})/({ulid.ULID_PATTERN})(?:\.([A-Za-z0-9]{{1,16}}))?", re.ASCII)


@dataclass(frozen=True)
class UploadKey:
    """What an upload's key says."""

    owner: str
    episode_id: str
    upload_id: str
    suffix: str
    """In lower case; empty where there is none."""

    def is_of(self, owner: str, episode_id: str, upload_id: str) -> bool:
        """Whether it is the key of an upload that somebody else names."""
        return (self.owner, self.episode_id, self.upload_id) == (owner, episode_id, upload_id)


@dataclass(frozen=True)
class StoredUpload:
    """One version of an uploaded object."""

    key: str
    version_id: str
    named: UploadKey


def upload_key(prefix: str, key: str) -> UploadKey | None:
    """What a key below a prefix says; none where it is not of an upload's form."""
    match = _PLACE.fullmatch(key, len(prefix)) if key.startswith(prefix) else None
    if match is None:
        return None
    owner, episode_id, upload_id, suffix = match.groups(default="")
    return UploadKey(owner, episode_id, upload_id, suffix.lower())
