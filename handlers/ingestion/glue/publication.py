"""Input and output of one run in the lake bucket, and an order of writes that never shows readers half of the output.

A run processes the files of one manifest. It writes to its own folders, which readers do not list. Readers follow
pointers. A pointer is an object that names the Parquet files of one manifest and date, and it is replaced atomically.
A run writes its data, then the pointers, then deletes the objects of previous runs, and finally writes its result. So a
pointer never names a deleted object. If a run dies at any point, the next run of the manifest repairs the state.

Two runs of a manifest should not run at the same time. But after a timeout, the workflow may start a run while the
first run is still working. So each run records at its start that it is the newest, and publishes only if this is still
true. It deletes only objects that existed when it started, so it never deletes the output of a newer run.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from handlers.ingestion.glue.lines import DataProblem, FileOutcome, SourceFile
from handlers.ingestion.manifest_s3_keys import result_key

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

DELETE_BATCH_SIZE = 1000
"""Maximum number of objects that a DeleteObjects call deletes."""


class NewerRunStarted(Exception):
    """A newer run of the same manifest has started, so this run must not publish."""


class VersionsGone(Exception):
    """Files whose rows are published can no longer be read, so the output of this run would lack these rows."""


class ManifestRun:
    """One run of a manifest: its files, folders, pointers and result. The caller must call `begin` first."""

    def __init__(self, s3: "S3Client", lake: str, list_key: str, run_name: str) -> None:
        """Read the files to process from the list `list_key`, which the workflow confirmed.

        `run_name` must be unique among the runs of the manifest.
        """
        self._s3, self._lake = s3, lake
        confirmed = json.loads(s3.get_object(Bucket=lake, Key=list_key)["Body"].read())
        self.manifest_id: str = confirmed["manifestId"]
        self.name = f"{self.manifest_id}-{run_name}"
        """Name of this run and of its folders."""
        self._newest_run_key = f"manifests/{self.manifest_id}.run"
        """Key of the object that names the newest run. An older run reads it and then does not publish."""
        self.files: Sequence[SourceFile] = [SourceFile.from_entry(entry) for entry in confirmed["files"]]
        self.dates = sorted({file.date_prefix for file in self.files})
        self._previous_keys: list[str] = []
        """Keys of the objects of previous runs, which `publish` deletes."""

    def begin(self) -> None:
        """Record this run as the newest, and list the objects that `publish` deletes."""
        self._write(self._newest_run_key, self.name.encode())
        self._previous_keys = [
            key
            for kind in ("data", "rejected")
            for date in self.dates
            for key in self.list_keys(f"{kind}/dt={date}/run={self.manifest_id}-")
        ]

    def folder_key(self, kind: Literal["data", "rejected"], date: str) -> str:
        """Return this run's folder for a date: for Parquet files (`data`) or for rejected lines (`rejected`)."""
        return f"{kind}/dt={date}/run={self.name}/"

    def check_published_files(self, outcomes: Sequence[FileOutcome]) -> None:
        """Raise VersionsGone if a file that can no longer be read may have published rows.

        A file can no longer be read if the version was deleted, or if S3 refuses it because of its encryption key or
        its archive class. It may have rows if readers see any rows of this manifest under the file's date.
        """
        unreadable = {DataProblem.VERSION_GONE, DataProblem.SEALED}
        lost = [
            file
            for file, outcome in zip(self.files, outcomes, strict=True)
            if outcome.reason in unreadable and self._read(self._pointer_key(file.date_prefix))
        ]
        if lost:
            raise VersionsGone(
                f"{len(lost)} published versions are deleted or sealed, so this run would remove their rows: "
                "see the runbook workflows"
            )

    def publish(self, keys: Mapping[str, Iterable[str]]) -> None:
        """Replace the pointers by this run's Parquet files (keys by date), and delete the previous runs' objects.

        Each line of a pointer names a file, so the empty pointer of a date without rows shows no rows to Athena.
        """
        if self._read(self._newest_run_key) != self.name.encode():
            raise NewerRunStarted("a newer run of this manifest has started, so this run does not publish its output")
        for date in self.dates:
            content = "".join(f"s3://{self._lake}/{key}\n" for key in sorted(keys.get(date, ())))
            self._write(self._pointer_key(date), content.encode())
        self._delete(self._previous_keys)

    def finish(self, outcomes: Sequence[FileOutcome]) -> None:
        """Write the result. It is written last, so it shows that the rest of the output is complete."""
        result = {
            "schemaVersion": 1,
            "manifestId": self.manifest_id,
            "run": self.name,
            "files": [
                {
                    "fileKey": file.file_key,
                    "datePrefix": file.date_prefix,
                    "status": outcome.status,
                    "reason": outcome.reason,
                    "rows": outcome.rows,
                    "rejectedRows": outcome.rejected_rows,
                }
                for file, outcome in zip(self.files, outcomes, strict=True)
            ],
        }
        self._write(result_key(self.manifest_id), json.dumps(result, ensure_ascii=False).encode())

    def list_keys(self, prefix: str) -> list[str]:
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=self._lake, Prefix=prefix)
        return sorted(entry["Key"] for page in pages for entry in page.get("Contents", []))

    def _pointer_key(self, date: str) -> str:
        return f"pointers/dt={date}/{self.manifest_id}.txt"

    def _read(self, key: str) -> bytes | None:
        """Return the content of an object, or None if it does not exist."""
        try:
            return self._s3.get_object(Bucket=self._lake, Key=key)["Body"].read()
        except self._s3.exceptions.NoSuchKey:
            return None

    def _write(self, key: str, body: bytes) -> None:
        self._s3.put_object(Bucket=self._lake, Key=key, Body=body)

    def _delete(self, keys: Sequence[str]) -> None:
        for start in range(0, len(keys), DELETE_BATCH_SIZE):
            objects: Any = [{"Key": key} for key in keys[start : start + DELETE_BATCH_SIZE]]
            response = self._s3.delete_objects(Bucket=self._lake, Delete={"Objects": objects, "Quiet": True})
            if errors := response.get("Errors"):
                raise RuntimeError(f"DeleteObjects failed with {errors[0].get('Code')}")
