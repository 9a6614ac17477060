"""JSON documents that the Spark job exchanges with the workflow: the list of files (input), the run's result (output).

A manifest is a list of files for one workflow execution, which starts a run of the job. There are two lists: the files
that were claimed for the manifest, and those that the execution confirmed because they still belong to it.

`handlers.ingestion.manifest_documents` defines the same documents with pydantic, which Glue does not have. A test
compares the two modules.
"""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from handlers.ingestion.glue.job_arguments import SAFE_NAME
from handlers.ingestion.glue.json_to_parquet_columns import WidenedColumn

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
    """UTC date of arrival."""
    file_key: str
    """Key of the file's record in the file table."""

    @property
    def uri(self) -> str:
        return f"s3://{self.bucket}/{self.key}"


@dataclass(frozen=True)
class FileList:
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
    """Return the list of files in a JSON document. Raise ValueError if the manifest id or a date is invalid."""
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
    """Return the confirmed files, and the other files of the manifest that an earlier run has published.

    The run replaces the manifest's whole output, so it must process these files again. For example, the earlier run
    rejected a file, and wrote its lines to the lake as rejected lines. A redrive (a new execution after a failure) does
    not confirm this file, so its lines would disappear.

    `published` contains the keys of the files whose rows or rejected lines are published. Those that are not confirmed
    are taken from `claimed`, the list of all files that were claimed for the manifest. `claimed` may be None if nothing
    is published.
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
    """Return the keys of the files with rows or rejected lines in the output of the run that wrote this result."""
    return frozenset(entry["fileKey"] for entry in _result_files(result) if entry["rows"] or entry["rejectedRows"])


def reported_file_keys(result: bytes | None) -> frozenset[str]:
    return frozenset(entry["fileKey"] for entry in _result_files(result))


def _result_files(result: bytes | None) -> list[dict[str, Any]]:
    return json.loads(result)["files"] if result is not None else []


def format_result(
    manifest_id: str, run_id: str, files: Iterable[FileOutcome], widened: Iterable[WidenedColumn]
) -> bytes:
    """Return the run's result as JSON. For operators, it also lists the widened columns (see `WidenedColumn`)."""
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
