"""JSON documents that the Spark job exchanges with the workflow: the list of files (input), the run's result (output).

A manifest has two lists. The builder writes the list of the files that it claimed for the manifest. The workflow's
first step writes the list of the files that it confirmed, which the run processes.

The documents are those of `handlers.ingestion.manifest_documents`, read without pydantic, because Glue does not have it.
A test compares the two.
"""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from handlers.ingestion.glue.job_arguments import SAFE_NAME
from handlers.ingestion.glue.parquet_column_inference import WidenedColumn

DATE_PREFIX = re.compile(r"\d{4}-\d{2}-\d{2}")


@dataclass(frozen=True)
class SourceFile:
    """File of the list: one version of an object in the landing bucket. The fields are those of `ListedFile`."""

    bucket: str
    key: str
    version_id: str
    size: int
    """Size in bytes."""
    arrived_at: str
    """Time of arrival: ISO 8601 in UTC."""
    date_prefix: str
    file_key: str

    @property
    def uri(self) -> str:
        """S3 URI of the object, without the version."""
        return f"s3://{self.bucket}/{self.key}"


@dataclass(frozen=True)
class FileList:
    """List of the files of one manifest."""

    manifest_id: str
    files: tuple[SourceFile, ...]


@dataclass(frozen=True)
class FileOutcome:
    """Entry of the result for one file. The fields are those of `FileResult`."""

    file_key: str
    date_prefix: str
    status: str
    reason: str = ""
    rows: int = 0
    rejected_rows: int = 0


def parse_file_list(document: bytes) -> FileList:
    """Return the list of a document that the builder or the workflow wrote."""
    content = json.loads(document)
    manifest_id = content["manifestId"]
    if not SAFE_NAME.fullmatch(manifest_id):
        raise ValueError(
            "manifestId in the file list is not valid: it becomes part of object keys, so it may contain only letters, "
            "digits, '.', '_' and '-'"
        )
    files = tuple(_parse_file(entry) for entry in content["files"])
    if not all(DATE_PREFIX.fullmatch(file.date_prefix) for file in files):
        raise ValueError("datePrefix of a file in the list is not a date: use the form YYYY-MM-DD")
    return FileList(manifest_id, files)


def _parse_file(entry: dict[str, Any]) -> SourceFile:
    return SourceFile(
        bucket=entry["bucket"],
        key=entry["key"],
        version_id=entry["versionId"],
        size=entry["size"],
        arrived_at=entry["arrivedAt"],
        date_prefix=entry["datePrefix"],
        file_key=entry["fileKey"],
    )


def add_published_files(confirmed: FileList, claimed: FileList | None, published: frozenset[str]) -> FileList:
    """Return the confirmed files, and those files that only an earlier run of the manifest has published.

    `published` contains the keys of the files that an earlier run has published. `claimed` is the builder's list. It is
    None if it no longer exists, or if nothing is published.

    The confirmed list of a redrive has no rejected files. But an earlier run may have published the rejected lines of
    such a file. The run replaces the manifest's whole output, so these lines would disappear if the run did not process
    the file again.
    """
    missing = published - {file.file_key for file in confirmed.files}
    repeated = tuple(file for file in claimed.files if file.file_key in missing) if claimed else ()
    if len(repeated) < len(missing):
        raise ValueError(
            f"{len(missing) - len(repeated)} files that an earlier run of this manifest published are on none of its "
            "lists"
        )
    return FileList(confirmed.manifest_id, (*confirmed.files, *repeated))


def published_file_keys(result: bytes | None) -> frozenset[str]:
    """Return the files with rows or rejected lines in the output of the run that wrote this result."""
    return frozenset(entry["fileKey"] for entry in _result_files(result) if entry["rows"] or entry["rejectedRows"])


def reported_file_keys(result: bytes | None) -> frozenset[str]:
    """Return all files of a run's result."""
    return frozenset(entry["fileKey"] for entry in _result_files(result))


def _result_files(result: bytes | None) -> list[dict[str, Any]]:
    return json.loads(result)["files"] if result is not None else []


def format_result(
    manifest_id: str, run_id: str, files: Iterable[FileOutcome], widened: Iterable[WidenedColumn]
) -> bytes:
    """Return the run's result as JSON. It also lists the widened columns, for operators."""
    return json.dumps(
        {
            "schemaVersion": 1,
            "manifestId": manifest_id,
            "runId": run_id,
            "files": [
                {
                    "fileKey": outcome.file_key,
                    "datePrefix": outcome.date_prefix,
                    "status": outcome.status,
                    "reason": outcome.reason,
                    "rows": outcome.rows,
                    "rejectedRows": outcome.rejected_rows,
                }
                for outcome in files
            ],
            "widened": [{"column": column.column, "saw": column.saw, "became": column.became} for column in widened],
        },
        ensure_ascii=False,
    ).encode()
