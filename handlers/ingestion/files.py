"""What arrives: the files that S3's notifications speak of, and how the table names each. Pure."""

import hashlib
from collections.abc import Iterator
from datetime import UTC

from handlers.common import s3_events

SORT_KEY_BYTES = 1024
"""The most that DynamoDB takes as a sort key."""
MANIFEST_KEY = "MANIFEST#"
"""How the sort keys of manifests' records begin."""
HASHED_KEY = "sha256:"
"""How the sort keys of files begin that have no plain one."""


class ArrivedFile(s3_events.NewObject):
    """One version of one object."""

    @property
    def date_prefix(self) -> str:
        """The UTC date of the event, the table's partition."""
        return self.arrived.astimezone(UTC).strftime("%Y-%m-%d")

    @property
    def file_key(self) -> str:
        """The table's sort key: key and version, or their hash where that is too long or could be another record's."""
        plain = f"{self.key}#{self.version_id}"
        if len(plain.encode()) <= SORT_KEY_BYTES and not plain.startswith((MANIFEST_KEY, HASHED_KEY)):
            return plain
        return f"{HASHED_KEY}{hashlib.sha256(plain.encode()).hexdigest()}"


def arrived_files(body: str) -> Iterator[ArrivedFile]:
    """The files that one queue message announces; raises NotAnEvent where it is no notification."""
    return (ArrivedFile(**dict(one)) for one in s3_events.new_objects(body))
