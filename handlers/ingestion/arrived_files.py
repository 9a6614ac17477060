"""Files in the landing bucket, and the keys of their records in the file table.

A file is one version of an object. The manifest builder usually learns about it from an S3 notification. If the
notification is lost, reconciliation finds the file: it compares a listing of the bucket with the file table once a day.
"""

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
"""Reconciliation ignores younger files, because their notification may still arrive."""
ADJACENT_DATES_CHECK_AGE = NOTIFICATION_GRACE_PERIOD / 2
"""Age of a file after which the builder also looks for its record under the day before and the day after.

A record's key contains the date of arrival. Around midnight, the listing that reconciliation reads and the notification
that the builder reads can give different dates for one file. So the builder must check if reconciliation has already
created a record under the other date. Reconciliation does so only after `NOTIFICATION_GRACE_PERIOD`. Half of that
period leaves a margin for the difference between the two times.
"""


class ArrivedFile(s3_notifications.NewObject):
    @property
    def date_prefix(self) -> str:
        """UTC date of the arrival: the partition key of the file's record."""
        return self.arrived.astimezone(UTC).strftime("%Y-%m-%d")

    @property
    def file_key(self) -> str:
        """Sort key of the file's record: object key and version id.

        A hash replaces both if together they are too long for DynamoDB, or if they start like the key of a manifest
        record or like such a hash.
        """
        plain = f"{self.key}#{self.version_id}"
        if len(plain.encode()) <= MAX_SORT_KEY_BYTES and not plain.startswith((MANIFEST_KEY_PREFIX, HASHED_KEY_PREFIX)):
            return plain
        return f"{HASHED_KEY_PREFIX}{hashlib.sha256(plain.encode()).hexdigest()}"

    @property
    def record_id(self) -> RecordId:
        return RecordId(self.date_prefix, self.file_key)


def parse_arrived_files(body: str) -> Iterator[ArrivedFile]:
    """Yield the files that an SQS message announces.

    Raise InvalidEvent at the first record that is invalid. The files before it have been yielded by then.
    """
    return (ArrivedFile(**dict(new_object)) for new_object in s3_notifications.parse_new_objects(body))
