"""Files in the landing bucket, and the keys of their records in the file table.

A file is one version of an object. The manifest builder creates the record of a file when the intake queue announces
the file to it. S3 announces each new file. An operator can announce files again, with the command `announce`, which
lists the bucket. The table also has records of manifests, which are lists of files for one Spark run.
"""

import hashlib
from datetime import UTC, timedelta

from handlers.common.events import NewObject, parse_new_objects
from handlers.ingestion.table_keys_and_updates import MANIFEST_KEY_PREFIX, RecordId

MAX_SORT_KEY_BYTES = 1024
"""DynamoDB's limit for a sort key."""
HASHED_KEY_PREFIX = "sha256:"
"""Start of the sort key of a file whose plain key cannot be used."""
NOTIFICATION_GRACE_PERIOD = timedelta(hours=1)
"""The command `announce` ignores younger files, because their notification may still arrive."""
ADJACENT_DATES_CHECK_AGE = NOTIFICATION_GRACE_PERIOD / 2
"""Age of a file after which the builder also looks for its record under the day before and the day after.

A record's key contains the date of arrival. S3's listing and S3's notification give slightly different times for the
same file, so around midnight the dates can differ. Then the record of a file that is announced again may have another
date than the builder expects. The command `announce` announces no file before `NOTIFICATION_GRACE_PERIOD` is over. The
builder already looks after half of that period, because the file may be older according to the listing.
"""


class ArrivedFile(NewObject):
    @property
    def arrival_date(self) -> str:
        """UTC date of the arrival, for example `2026-01-31`. It is the partition key of the file's record."""
        return self.arrived.astimezone(UTC).strftime("%Y-%m-%d")

    @property
    def sort_key(self) -> str:
        """Sort key of the file's record: object key and version id.

        A hash replaces both if together they are too long for DynamoDB, or if they start with `MANIFEST_KEY_PREFIX` or
        `HASHED_KEY_PREFIX`, like the sort key of a manifest record or a hash.
        """
        plain = f"{self.key}#{self.version_id}"
        if len(plain.encode()) <= MAX_SORT_KEY_BYTES and not plain.startswith((MANIFEST_KEY_PREFIX, HASHED_KEY_PREFIX)):
            return plain
        return f"{HASHED_KEY_PREFIX}{hashlib.sha256(plain.encode()).hexdigest()}"

    @property
    def record_id(self) -> RecordId:
        return RecordId(self.arrival_date, self.sort_key)


def parse_arrived_files(body: str) -> list[ArrivedFile]:
    """Return the files that an SQS message announces."""
    return [ArrivedFile(**dict(new_object)) for new_object in parse_new_objects(body)]
