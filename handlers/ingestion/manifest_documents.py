"""JSON documents of a manifest in the lake bucket: its lists of files, and the result of its run.

A manifest is a list of files for one Spark run. The Lambda functions of ingestion write the lists. The Spark job reads
them without pydantic, in `handlers/ingestion/glue/file_list_and_result_json.py`, and writes the result.
"""

import hashlib
from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from handlers.common.json_models import Message
from handlers.ingestion.table_keys_and_updates import RecordId


class ListedFile(Message):
    """One version of an object, with the key of its record."""

    bucket: str
    key: str
    version_id: str
    size: Annotated[int, Field(ge=0)]
    """Size in bytes."""
    arrived_at: str
    """Time of arrival: ISO 8601 in UTC, with milliseconds."""
    date_prefix: str
    """UTC date of arrival: the partition key of the file's record."""
    file_key: str
    """Sort key of the file's record."""

    @property
    def record_id(self) -> RecordId:
        return RecordId(self.date_prefix, self.file_key)


class Manifest(Message):
    """List of files: those that were claimed for the manifest, or those that an execution of the workflow confirmed,
    because they still belonged to the manifest.
    """

    schema_version: Literal[1] = 1
    manifest_id: str
    created_at: datetime
    files: tuple[ListedFile, ...]

    @property
    def execution_name(self) -> str:
        """Name of the manifest's first workflow execution: the manifest id and a hash of the files.

        Only the list of claimed files gives the right name. This list never changes, so the Lambda functions and the
        command with which operators restart a failed manifest compute the same name from it. A list of confirmed files
        may lack some of the files.
        """
        digest = hashlib.sha256("\n".join(sorted(file.file_key for file in self.files)).encode()).hexdigest()
        return f"{self.manifest_id}-{digest[:16]}"


class FileResult(Message):
    file_key: str
    date_prefix: str
    status: Literal["processed", "rejected", "failed", "superseded"]
    reason: str = ""
    """Cause of the status. Empty for a file that is processed without problems."""
    rows: Annotated[int, Field(ge=0)] = 0
    rejected_rows: Annotated[int, Field(ge=0)] = 0

    @property
    def record_id(self) -> RecordId:
        return RecordId(self.date_prefix, self.file_key)


class RunResult(Message):
    schema_version: Literal[1] = 1
    manifest_id: str
    run_id: str
    files: tuple[FileResult, ...]
