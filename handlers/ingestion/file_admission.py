"""What arrives: the files that S3's notifications speak of, how the table names each, and which are taken in. Pure."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC
from enum import StrEnum

from handlers.common.aws import s3_notifications

SORT_KEY_BYTES = 1024
"""The most that DynamoDB takes as a sort key."""
MANIFEST_KEY = "MANIFEST#"
"""How the sort keys of manifests' records begin."""
HASHED_KEY = "sha256:"
"""How the sort keys of files begin that have no plain one."""


class ArrivedFile(s3_notifications.NewObject):
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
    return (ArrivedFile(**dict(one)) for one in s3_notifications.parse_new_objects(body))


class Refusal(StrEnum):
    """Why a file is rejected before anybody reads it."""

    EMPTY = "EMPTY"
    TOO_LARGE = "TOO_LARGE"
    SUFFIX_NOT_ALLOWED = "SUFFIX_NOT_ALLOWED"


@dataclass(frozen=True)
class Admission:
    """The rules for one landing bucket."""

    suffixes: tuple[str, ...]
    """Endings in lower case; none allows all."""
    most_bytes: int

    @staticmethod
    def of(suffixes: str, most_bytes: int) -> "Admission":
        """From the environment: endings separated by commas, in any case."""
        return Admission(tuple(one.strip().lower() for one in suffixes.split(",") if one.strip()), most_bytes)

    def refusal(self, file: ArrivedFile) -> Refusal | None:
        """Why the file is rejected; none where it is taken in."""
        if self.suffixes and not file.key.lower().endswith(self.suffixes):
            return Refusal.SUFFIX_NOT_ALLOWED
        if file.size == 0:
            return Refusal.EMPTY
        if file.size > self.most_bytes:
            return Refusal.TOO_LARGE
        return None
