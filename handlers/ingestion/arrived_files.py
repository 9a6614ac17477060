"""Files that S3 notifications announce, and their keys in the file table."""

import hashlib
from collections.abc import Iterator
from datetime import UTC, timedelta

from handlers.common.aws import s3_notifications
from handlers.ingestion.table_items import MANIFEST_KEY_PREFIX, RecordId

MAX_SORT_KEY_BYTES = 1024
"""DynamoDB's limit for a sort key."""
HASHED_KEY_PREFIX = "sha256:"
"""Start of the sort key of a file whose plain key cannot be used."""
NOTIFICATION_GRACE_PERIOD = timedelta(hours=1)
"""Reconciliation ignores younger versions, because their notification may still arrive."""
ADJACENT_DATES_CHECK_AGE = NOTIFICATION_GRACE_PERIOD / 2
"""Age of a file after which the builder also looks for its record under the day before and the day after.

Reconciliation may already have tracked such a file. It takes the date from the bucket listing, which may differ from
the date of the notification by a day. It only tracks files older than `NOTIFICATION_GRACE_PERIOD`. Half of that period
leaves a margin, because the listing and the notification give slightly different times for one file.
"""


class ArrivedFile(s3_notifications.NewObject):
    """One version of an object in the landing bucket."""

    @property
    def date_prefix(self) -> str:
        """UTC date of the arrival: the partition key of the file table."""
        return self.arrived.astimezone(UTC).strftime("%Y-%m-%d")

    @property
    def file_key(self) -> str:
        """Sort key of the file table: object key and version id.

        It is a hash of both if the plain key is too long, or if it could be the key of another kind of record.
        """
        plain = f"{self.key}#{self.version_id}"
        if len(plain.encode()) <= MAX_SORT_KEY_BYTES and not plain.startswith((MANIFEST_KEY_PREFIX, HASHED_KEY_PREFIX)):
            return plain
        return f"{HASHED_KEY_PREFIX}{hashlib.sha256(plain.encode()).hexdigest()}"

    @property
    def record_id(self) -> RecordId:
        """Primary key of the file's record."""
        return RecordId(self.date_prefix, self.file_key)


def parse_arrived_files(body: str) -> Iterator[ArrivedFile]:
    """Yield the files that an SQS message announces.

    Raise InvalidEvent at the first part that is no S3 notification.
    """
    return (ArrivedFile(**dict(new_object)) for new_object in s3_notifications.parse_new_objects(body))
