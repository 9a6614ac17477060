"""Input of a run: the files to process, and the check that no published rows of unreadable files would disappear.

A run replaces the manifest's whole output, so every file with published rows must be among its files. The result of the
previous run names these files.
"""

from collections.abc import Sequence

from handlers.ingestion.glue import file_list_and_result
from handlers.ingestion.glue.file_scan import FileScan
from handlers.ingestion.glue.json_line_parser import DataProblem
from handlers.ingestion.glue.object_storage import ObjectStorage
from handlers.ingestion.glue.run_output import RunOutput, read_if_exists
from handlers.ingestion.manifest_s3_keys import list_key, result_key


class VersionsGone(Exception):
    """Files whose rows are published can no longer be read. Publishing would remove these rows."""


def read_input(
    manifest_uri: str, lake_uri: str, storage: ObjectStorage
) -> tuple[file_list_and_result.FileList, bytes | None]:
    """Return the files to process, and the result of the manifest's previous finished run, or None.

    The workflow has confirmed the files in the list `manifest_uri`. In a redrive, this list lacks the files that an
    earlier run rejected, but that run may have published their rejected lines. Such files are added from the list of
    the files that the builder has claimed for the manifest.
    """
    confirmed = file_list_and_result.parse_file_list(storage.read(manifest_uri))
    previous_result = read_if_exists(storage, f"{lake_uri}{result_key(confirmed.manifest_id)}")
    published = file_list_and_result.published_file_keys(previous_result)
    claimed = read_if_exists(storage, f"{lake_uri}{list_key(confirmed.manifest_id)}") if published else None
    return file_list_and_result.add_published_files(
        confirmed, file_list_and_result.parse_file_list(claimed) if claimed else None, published
    ), previous_result


def check_published_files(scans: Sequence[FileScan], previous_result: bytes | None, output: RunOutput) -> None:
    """Raise VersionsGone if a version that can no longer be read may have published rows.

    The latest result names the published files. But a run can die after it has written its pointers and before it
    writes its result. So a file that the latest result does not contain counts as published too, if readers see rows of
    this manifest under the file's date.

    A version can no longer be read if it was deleted or is sealed. It is sealed if it was uploaded with an encryption
    key that the job may not use, or into an archive class.
    """
    published = file_list_and_result.published_file_keys(previous_result)
    reported = file_list_and_result.reported_file_keys(previous_result)
    unreadable = [scan.file for scan in scans if scan.unreadable in {DataProblem.VERSION_GONE, DataProblem.SEALED}]
    lost = [
        file
        for file in unreadable
        if file.file_key in published or (file.file_key not in reported and output.is_visible(file.date_prefix))
    ]
    if lost:
        raise VersionsGone(
            f"{len(lost)} published versions are deleted or sealed, so this run would remove their rows: "
            "see the runbook workflow-failures"
        )
