"""A manifest: the list of files that one run processes, as it stands in the lake bucket.

Written by the builder, read by the workflow's steps and by the Spark job (which has no pydantic and reads the same
JSON).
"""

import hashlib
from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from handlers.common.websocket.messages import Message


class ListedFile(Message):
    """One version of one object, and where its record is."""

    bucket: str
    key: str
    version_id: str
    size: Annotated[int, Field(ge=0)]
    arrived_at: str
    date_prefix: str
    file_key: str


class Manifest(Message):
    """The files of one run."""

    schema_version: Literal[1] = 1
    manifest_id: str
    created_at: datetime
    files: tuple[ListedFile, ...]

    @property
    def execution_name(self) -> str:
        """The name of its execution: deterministic, and of the content, because a closed name is refused for 90 days."""
        digest = hashlib.sha256("\n".join(sorted(one.file_key for one in self.files)).encode()).hexdigest()
        return f"{self.manifest_id}-{digest[:16]}"


def list_key(manifest_id: str) -> str:
    """Where a manifest's list is in the lake bucket."""
    return f"manifests/{manifest_id}.json"


def confirmed_key(manifest_id: str) -> str:
    """Where the list of files that the workflow confirmed is: what the run really gets."""
    return f"manifests/{manifest_id}.confirmed.json"


def result_key(manifest_id: str) -> str:
    """Where a run writes what became of each file, last of all."""
    return f"manifests/{manifest_id}.result.json"


class FileResult(Message):
    """What became of one file in a run."""

    file_key: str
    date_prefix: str
    status: Literal["processed", "rejected", "failed", "superseded"]
    reason: str = ""
    rows: Annotated[int, Field(ge=0)] = 0
    rejected_rows: Annotated[int, Field(ge=0)] = 0


class RunResult(Message):
    """What a run did."""

    schema_version: Literal[1] = 1
    manifest_id: str
    run_id: str
    files: tuple[FileResult, ...]
