"""File records: the items of the file table that describe files.

A manifest is a list of files for one Spark run. A pending file waits for a manifest. A claimed file is reserved for a
manifest. The index `open` of the table lists both.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from handlers.common.ids import timestamp
from handlers.common.records import serialize_value
from handlers.ingestion.arrived_files import ArrivedFile
from handlers.ingestion.manifest_documents import ListedFile
from handlers.ingestion.status_transitions import FileStatus
from handlers.ingestion.table_keys_and_updates import (
    SCHEMA_VERSION,
    Item,
    RecordId,
    Values,
    compute_ttl,
    get_number,
    get_text,
)


@dataclass(frozen=True)
class OpenFile:
    """Pending or claimed file, read from the index `open`, which may lag behind the table."""

    id: RecordId
    open_since: str
    """Pending file: time at which its record was created. Claimed file: time of the claim."""
    manifest_id: str
    """Manifest that has claimed the file. Empty for a pending file."""

    @staticmethod
    def from_item(item: Item) -> "OpenFile":
        return OpenFile(RecordId.from_item(item), get_text(item, "open_since"), get_text(item, "manifest_id"))


@dataclass(frozen=True)
class FileRecord:
    id: RecordId
    status: FileStatus
    manifest_id: str
    """Manifest that has claimed or listed the file. Empty if there is none."""
    listed_file: ListedFile
    """The file in the form in which manifests list it."""

    @staticmethod
    def from_item(item: Item) -> "FileRecord":
        record_id = RecordId.from_item(item)
        return FileRecord(
            id=record_id,
            status=FileStatus(get_text(item, "status")),
            manifest_id=get_text(item, "manifest_id"),
            listed_file=ListedFile(
                bucket=get_text(item, "bucket"),
                key=get_text(item, "object_key"),
                version_id=get_text(item, "version_id"),
                size=get_number(item, "size"),
                arrived_at=get_text(item, "arrived_at"),
                date_prefix=record_id.date_prefix,
                file_key=record_id.file_key,
            ),
        )


def build_file_item(
    file: ArrivedFile, rejection: str | None, now: datetime, record_days: int, shard_count: int
) -> dict[str, Any]:
    """Return the item of a new file. It is rejected if `rejection` names a reason, otherwise pending.

    No code reads `etag`. It is stored for operators.
    """
    record_id = file.record_id
    state: Values = (
        {"status": FileStatus.REJECTED, "reason": rejection}
        if rejection
        else {
            "status": FileStatus.PENDING,
            "open_shard": choose_open_shard(FileStatus.PENDING, record_id, shard_count),
            "open_since": timestamp(now),
        }
    )
    values: Values = {
        **state,
        "bucket": file.bucket,
        "object_key": file.key,
        "version_id": file.version_id,
        "size": file.size,
        "etag": file.etag,
        "arrived_at": timestamp(file.arrived),
        "tracked_at": timestamp(now),
        "ttl": compute_ttl(now, record_days),
        "schemaVersion": SCHEMA_VERSION,
    }
    return record_id.key | {name: serialize_value(value) for name, value in values.items()}


def choose_open_shard(status: FileStatus, record_id: RecordId, shard_count: int) -> str:
    """Return the partition key of a pending or claimed file in the index `open`: `<status>#<shard>`."""
    return f"{status}#{int(hashlib.sha256(record_id.file_key.encode()).hexdigest()[:8], 16) % shard_count}"
