"""A file's record and what it is made of. Pure."""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from handlers.common.aws.dynamodb_values import serialize_value
from handlers.common.time_and_ids.timestamps import timestamp
from handlers.ingestion.file_admission import ArrivedFile
from handlers.ingestion.manifest import ListedFile
from handlers.ingestion.status_transitions import FileStatus
from handlers.ingestion.table_items import (
    SCHEMA_VERSION,
    Item,
    RecordId,
    Values,
    expiry,
    id_of,
    number,
    text,
)


@dataclass(frozen=True)
class OpenFile:
    """A pending or claimed file as the index has it, which may be a moment behind."""

    id: RecordId
    since: str
    manifest_id: str

    @staticmethod
    def of(item: Item) -> "OpenFile":
        """From what the index has."""
        return OpenFile(id_of(item), text(item, "open_since"), text(item, "manifest_id"))


@dataclass(frozen=True)
class FileRecord:
    """A file as its record has it."""

    id: RecordId
    status: FileStatus
    manifest_id: str
    listed: ListedFile

    @staticmethod
    def of(item: Item) -> "FileRecord":
        """From what the table has."""
        one = id_of(item)
        return FileRecord(
            id=one,
            status=FileStatus(text(item, "status")),
            manifest_id=text(item, "manifest_id"),
            listed=ListedFile(
                bucket=text(item, "bucket"),
                key=text(item, "object_key"),
                version_id=text(item, "version_id"),
                size=number(item, "size"),
                arrived_at=text(item, "arrived_at"),
                date_prefix=one.date_prefix,
                file_key=one.file_key,
            ),
        )


def new_record(file: ArrivedFile, refusal: str | None, now: datetime, record_days: int, shards: int) -> dict[str, Any]:
    """The record of a file that is tracked now: pending, or rejected for a reason."""
    one = RecordId(file.date_prefix, file.file_key)
    state: Values = (
        {"status": FileStatus.REJECTED, "reason": refusal}
        if refusal
        else {
            "status": FileStatus.PENDING,
            "open_shard": shard_of(FileStatus.PENDING, one, shards),
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
        "ttl": expiry(now, record_days),
        "schemaVersion": SCHEMA_VERSION,
    }
    return one.key | {name: serialize_value(value) for name, value in values.items()}


def shard_of(status: FileStatus, one: RecordId, shards: int) -> str:
    """The partition of the index that has a file while it is pending or claimed."""
    return f"{status}#{int(hashlib.sha256(one.file_key.encode()).hexdigest()[:8], 16) % shards}"
