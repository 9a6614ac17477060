"""Input of a run: the files to process, and a check that the run would not remove rows that it cannot read again.

A run processes the files of a manifest, and replaces everything that earlier runs of the manifest have published. So it
must process each published file again, even if the workflow has not selected (confirmed) the file for this run. If a
published file can no longer be read, the run must not publish.
"""

from collections.abc import Sequence

from handlers.ingestion.glue import file_list_and_result_json
from handlers.ingestion.glue.file_scan import FileScan
from handlers.ingestion.glue.json_line_parser import DataProblem
from handlers.ingestion.glue.object_storage import ObjectStorage
from handlers.ingestion.glue.run_output import RunOutput, read_if_exists
from handlers.ingestion.manifest_s3_keys import claimed_list_key, result_key


class VersionsGone(Exception):
    """Files whose rows are published can no longer be read, so the output of this run would lack these rows."""


def read_input(
    manifest_uri: str, lake_uri: str, storage: ObjectStorage
) -> tuple[file_list_and_result_json.FileList, bytes | None]:
    """Return the files to process, and the result of the manifest's last finished run, or None if no run has finished.

    The files are those of the list at `manifest_uri`, which the workflow confirmed, and those that an earlier run has
    published (see `add_published_files`).
    """
    confirmed = file_list_and_result_json.parse_file_list(storage.read(manifest_uri))
    previous_result = read_if_exists(storage, f"{lake_uri}{result_key(confirmed.manifest_id)}")
    published = file_list_and_result_json.published_file_keys(previous_result)
    claimed = read_if_exists(storage, f"{lake_uri}{claimed_list_key(confirmed.manifest_id)}") if published else None
    return file_list_and_result_json.add_published_files(
        confirmed, file_list_and_result_json.parse_file_list(claimed) if claimed else None, published
    ), previous_result


def check_published_files(scans: Sequence[FileScan], previous_result: bytes | None, output: RunOutput) -> None:
    """Raise VersionsGone if a file that can no longer be read may have published rows.

    The result of the previous run names the files that it published. But a run can die after it has shown its
    rows to readers and before it has written its result. So a file that the result does not mention counts as published
    too if readers see any rows of this manifest under the file's date.

    A file can no longer be read if the version was deleted or is sealed. If it is sealed, S3 refuses its content
    because of its encryption key or its archive class.
    """
    published = file_list_and_result_json.published_file_keys(previous_result)
    reported = file_list_and_result_json.reported_file_keys(previous_result)
    unreadable = [scan.file for scan in scans if scan.unreadable in {DataProblem.VERSION_GONE, DataProblem.SEALED}]
    lost = [
        file
        for file in unreadable
        if file.file_key in published or (file.file_key not in reported and output.is_visible(file.date_prefix))
    ]
    if lost:
        raise VersionsGone(
            f"{len(lost)} published versions are deleted or sealed, so this run would remove their rows: "
            "see the runbook workflows"
        )
