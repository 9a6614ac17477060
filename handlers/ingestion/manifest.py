"""A manifest: the list of files that one run processes, as it stands in the lake bucket.

Written by the builder, read by the workflow's steps and by the Spark job (which has no pydantic and reads the same
JSON).
"""

import hashlib
from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel


class _Document(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="ignore", alias_generator=to_camel, validate_by_name=True, validate_by_alias=True
    )


class ListedFile(_Document):
    """One version of one object, and where its record is."""

    bucket: str
    key: str
    version_id: str
    size: Annotated[int, Field(ge=0)]
    arrived_at: str
    date_prefix: str
    file_key: str


class Manifest(_Document):
    """The files of one run."""

    schema_version: Literal[1] = 1
    manifest_id: str
    created_at: datetime
    files: tuple[ListedFile, ...]

    def document(self) -> str:
        """As it is stored."""
        return self.model_dump_json(by_alias=True)

    @classmethod
    def read(cls, document: str | bytes) -> Self:
        """From what is stored."""
        return cls.model_validate_json(document)

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


class FileResult(_Document):
    """What became of one file in a run."""

    file_key: str
    date_prefix: str
    status: Literal["processed", "rejected", "failed", "superseded"]
    reason: str = ""
    rows: Annotated[int, Field(ge=0)] = 0
    rejected_rows: Annotated[int, Field(ge=0)] = 0


class RunResult(_Document):
    """What a run did."""

    schema_version: Literal[1] = 1
    manifest_id: str
    run_id: str
    files: tuple[FileResult, ...]
