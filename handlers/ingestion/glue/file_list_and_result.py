"""The JSON that the job exchanges with the workflow: the list of files in, what became of each out.

The same documents as in `handlers.ingestion.manifest`, read without pydantic, which Glue does not have; a test holds
the two against each other.
"""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from handlers.ingestion.glue.job_arguments import SAFE
from handlers.ingestion.glue.parquet_columns import WidenedColumn

DATE_PREFIX = re.compile(r"\d{4}-\d{2}-\d{2}")


@dataclass(frozen=True)
class SourceFile:
    """One version of one object."""

    bucket: str
    key: str
    version_id: str
    size: int
    arrived_at: str
    date_prefix: str
    file_key: str

    @property
    def uri(self) -> str:
        """Where it is."""
        return f"s3://{self.bucket}/{self.key}"


@dataclass(frozen=True)
class FileList:
    """The files of one manifest."""

    manifest_id: str
    files: tuple[SourceFile, ...]


@dataclass(frozen=True)
class FileOutcome:
    """What became of one file."""

    file_key: str
    date_prefix: str
    status: str
    reason: str = ""
    rows: int = 0
    rejected_rows: int = 0


def file_list(document: bytes) -> FileList:
    """A list as the workflow wrote it."""
    read = json.loads(document)
    manifest_id = read["manifestId"]
    if not SAFE.fullmatch(manifest_id):
        raise ValueError("a manifest's id becomes part of names in the lake: letters, digits, '.', '_' and '-'")
    files = tuple(_file(one) for one in read["files"])
    if not all(DATE_PREFIX.fullmatch(one.date_prefix) for one in files):
        raise ValueError("a file's date prefix is a date")
    return FileList(manifest_id, files)


def _file(read: dict[str, Any]) -> SourceFile:
    return SourceFile(
        bucket=read["bucket"],
        key=read["key"],
        version_id=read["versionId"],
        size=read["size"],
        arrived_at=read["arrivedAt"],
        date_prefix=read["datePrefix"],
        file_key=read["fileKey"],
    )


def with_published(confirmed: FileList, built: FileList | None, published: frozenset[str]) -> FileList:
    """The confirmed files, and those that an earlier run of the manifest has already published.

    A manifest that is redriven after some of its files were marked is confirmed for the others alone. The run replaces
    the manifest's whole output, so it must process the marked ones again, or their rows would vanish.
    """
    missing = published - {one.file_key for one in confirmed.files}
    again = tuple(one for one in built.files if one.file_key in missing) if built else ()
    if len(again) < len(missing):
        raise ValueError(f"{len(missing) - len(again)} published files of this manifest are on no list")
    return FileList(confirmed.manifest_id, (*confirmed.files, *again))


def published_keys(result: bytes | None) -> frozenset[str]:
    """The files that a finished run's output holds anything of: rows, or lines that were set aside."""
    return frozenset(one["fileKey"] for one in _told(result) if one["rows"] or one["rejectedRows"])


def told_keys(result: bytes | None) -> frozenset[str]:
    """The files that a finished run says anything of."""
    return frozenset(one["fileKey"] for one in _told(result))


def _told(result: bytes | None) -> list[dict[str, Any]]:
    return json.loads(result)["files"] if result is not None else []


def result(manifest_id: str, run_id: str, files: Iterable[FileOutcome], widened: Iterable[WidenedColumn]) -> bytes:
    """The run's result; how columns were widened stands there too, for people."""
    return json.dumps(
        {
            "schemaVersion": 1,
            "manifestId": manifest_id,
            "runId": run_id,
            "files": [
                {
                    "fileKey": one.file_key,
                    "datePrefix": one.date_prefix,
                    "status": one.status,
                    "reason": one.reason,
                    "rows": one.rows,
                    "rejectedRows": one.rejected_rows,
                }
                for one in files
            ],
            "widened": [{"column": one.column, "saw": one.saw, "became": one.became} for one in widened],
        },
        ensure_ascii=False,
    ).encode()
