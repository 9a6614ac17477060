"""Deliberate defects of the claim protocol, each of which the model must notice.

`BROKEN_PROTOCOLS` names the defects. The functions before it replace functions of the protocol, and each of them has
one defect. `allowed` maps each status from which a file may change to the highest redrive number that the file may
have, or to None for any number (`FileTable._transition`).
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

from handlers.ingestion import manifest_document_store, manifest_lifecycle
from handlers.ingestion.file_table import FileTable
from handlers.ingestion.glue.object_storage import S3Storage
from handlers.ingestion.glue.run_output import RunOutput
from handlers.ingestion.manifest_lifecycle import ConfirmedFiles, ManifestLifecycle
from handlers.ingestion.manifest_records import ManifestRecords
from handlers.ingestion.manifest_s3_keys import claimed_list_key
from handlers.ingestion.status_transitions import FileStatus

Replacement = tuple[object, str, Callable[..., Any]]


def _claim_any_file(self: FileTable, record_id: Any, allowed: Any, manifest_id: Any, **changes: Any) -> Any:
    """Claim a file that has any status and redrive number, as a write without a condition would."""
    if changes["assign"]["status"] is FileStatus.CLAIMED:
        allowed = dict.fromkeys(FileStatus)
    return _ORIGINAL_TRANSITION(self, record_id, allowed, manifest_id, **changes)


def _ignore_the_manifest(self: FileTable, record_id: Any, allowed: Any, _manifest_id: Any, **changes: Any) -> Any:
    """Change a file whatever its manifest is."""
    return _ORIGINAL_TRANSITION(self, record_id, allowed, None, **changes)


def _ignore_the_redrive(self: FileTable, record_id: Any, allowed: Any, manifest_id: Any, **changes: Any) -> Any:
    """Change a file whatever its redrive number is."""
    return _ORIGINAL_TRANSITION(self, record_id, dict.fromkeys(allowed), manifest_id, **changes)


def _change_any_status(self: FileTable, record_id: Any, _allowed: Any, manifest_id: Any, **changes: Any) -> Any:
    """Change a file of the manifest whatever its status and redrive number are."""
    return _ORIGINAL_TRANSITION(self, record_id, dict.fromkeys(FileStatus), manifest_id, **changes)


def _confirm_without_check(self: ManifestLifecycle, execution: Any) -> ConfirmedFiles:
    """Let the run publish the builder's list, without a confirmation of its files."""
    confirmed_files = _ORIGINAL_CONFIRM(self, execution)
    manifest = self.documents.read(execution.manifest_id)
    if manifest is None or not self.records.begin(execution.manifest_id, execution.arn, 0, execution.redrive):
        return confirmed_files
    self.documents.write_confirmed(manifest, execution.redrive)
    return ConfirmedFiles(len(manifest.files), self.documents.uri(claimed_list_key(execution.manifest_id)))


def _hide_failed_files(self: FileTable, *arguments: Any, **options: Any) -> Any:
    """Let a confirmation treat failed files as files of another manifest, as it once did."""
    record = _ORIGINAL_MARK(self, *arguments, **options)
    return None if record is not None and record.status is FileStatus.FAILED else record


def _confirmed_key_without_redrive(manifest_id: str, _redrive: int) -> str:
    """Return one key for the lists of confirmed files of all executions of a manifest."""
    return f"manifests/{manifest_id}.confirmed.json"


def _end_without_execution(
    self: ManifestRecords, manifest_id: str, condition: str, *values: Any, **changes: Any
) -> Any:
    """End a running record without the condition on the ARN of its execution."""
    condition_values = dict(values[0])
    if condition.startswith("#status = :running AND"):
        condition = "#status = :running"
        del condition_values["execution_arn"]
    return _ORIGINAL_RECORD_UPDATE(self, manifest_id, condition, condition_values, **changes)


def _begin_in_any_status(self: ManifestRecords, manifest_id: str, condition: str, *values: Any, **changes: Any) -> Any:
    """Begin a record of an earlier or the same redrive, whatever its status and execution are."""
    condition_values = dict(values[0])
    if condition.startswith("attribute_not_exists"):
        condition = "attribute_not_exists( #status ) OR #redrives < :redrives OR #redrives = :redrives"
        condition_values = {"redrives": condition_values["redrives"]}
    return _ORIGINAL_RECORD_UPDATE(self, manifest_id, condition, condition_values, **changes)


def _put_without_etag(self: S3Storage, uri: str, body: bytes, _etag: str | None) -> None:
    """Replace an object whatever its ETag is."""
    self.put(uri, body)


def _replace_pointers_always(self: RunOutput, uri: str, body: bytes) -> None:
    self._storage.put(uri, body)


def _delete_before_pointers(self: RunOutput, paths: Any) -> None:
    self._storage.delete(self._previous_uris)
    _ORIGINAL_PUBLISH(self, paths)


def _publish_nothing_yet(self: RunOutput, paths: Any) -> None:
    """Keep the paths for `_publish_after_result`, in an attribute that `RunOutput` does not have."""
    self.__dict__["paths"] = paths


def _publish_after_result(self: RunOutput, result: bytes) -> None:
    _ORIGINAL_FINISH(self, result)
    _ORIGINAL_PUBLISH(self, self.__dict__["paths"])


def _publish_without_empty_pointers(self: RunOutput, paths: Any) -> None:
    dates = self._dates
    self._dates = [date for date in dates if paths.get(date)]
    _ORIGINAL_PUBLISH(self, paths)
    self._storage.delete([self._pointer_uri(date) for date in dates if not paths.get(date)])


def _name_runs_after_ids(self: RunOutput, storage: Any, lake: str, manifest_id: str, run_name: str, dates: Any) -> None:
    """Leave out the number of the retry and the random part of a run's name."""
    _ORIGINAL_INIT(self, storage, lake, manifest_id, run_name.rpartition("-")[0].rpartition("-")[0], dates)


_ORIGINAL_TRANSITION, _ORIGINAL_MARK = FileTable._transition, FileTable.mark_manifested
_ORIGINAL_CONFIRM, _ORIGINAL_RECORD_UPDATE = ManifestLifecycle.confirm_files, ManifestRecords._update
_ORIGINAL_PUBLISH, _ORIGINAL_FINISH, _ORIGINAL_INIT = RunOutput.publish, RunOutput.finish, RunOutput.__init__
BROKEN_PROTOCOLS: dict[str, tuple[Replacement, ...]] = {
    "a file is claimed in any status": ((FileTable, "_transition", _claim_any_file),),
    "a file changes without the condition on its status": ((FileTable, "_transition", _change_any_status),),
    "a file changes without the condition on its manifest": ((FileTable, "_transition", _ignore_the_manifest),),
    "a stopped execution changes the files of a redrive": ((FileTable, "_transition", _ignore_the_redrive),),
    "a record begins again in any status": ((ManifestRecords, "_update", _begin_in_any_status),),
    "a record ends without the condition on its execution": ((ManifestRecords, "_update", _end_without_execution),),
    "a run publishes files that are not confirmed": ((ManifestLifecycle, "confirm_files", _confirm_without_check),),
    "failed files are confirmed, and the lists of all executions have one key": (
        (FileTable, "mark_manifested", _hide_failed_files),
        (manifest_lifecycle, "confirmed_list_key", _confirmed_key_without_redrive),
        (manifest_document_store, "confirmed_list_key", _confirmed_key_without_redrive),
    ),
    "conditional writes to S3 are plain ones": ((S3Storage, "put_if_unchanged", _put_without_etag),),
    "pointers are replaced without a condition": ((RunOutput, "_replace_unchanged", _replace_pointers_always),),
    "the pointer of a date without rows is deleted": ((RunOutput, "publish", _publish_without_empty_pointers),),
    "old output is deleted before the pointers are written": ((RunOutput, "publish", _delete_before_pointers),),
    "the result is written before the pointers": (
        (RunOutput, "publish", _publish_nothing_yet),
        (RunOutput, "finish", _publish_after_result),
    ),
    "a repeated run id gives the same folder": ((RunOutput, "__init__", _name_runs_after_ids),),
}


@contextmanager
def break_protocol(name: str) -> Iterator[None]:
    """Break the protocol in one way."""
    with ExitStack() as patches:
        for replacement in BROKEN_PROTOCOLS[name]:
            patches.enter_context(patch.object(*replacement))
        yield
