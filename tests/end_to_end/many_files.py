"""Run of ingestion with many files: they are uploaded, processed by Spark, and read back as rows.

Some files have unusual names, some contain unreadable lines, and for some a second notification is sent. The tests
compare the outcome with `list_expected_rows`.
"""

import json
from collections import Counter
from dataclasses import dataclass
from typing import Any

from local.flows import eventually
from local.flows.ingestion_flow import file_content, file_suffix, list_lines
from tests.end_to_end.deployed_ingestion import LINE, DeployedIngestion

BAD_EVERY = 20
"""Every n-th file has a line that is not JSON."""
REPEATED_EVERY = 30
"""The notification of every n-th file is sent twice."""
UNUSUAL_NAMES = {
    1: " two words",
    2: "+plus+",
    3: "%2Bpercent%",
    4: "-ü-日本",
    5: "/deep//er",
    6: "&amp;=?#",
    9: "new\nline",
    10: "\"quotes'`",
    11: "-\N{PARTY POPPER}",
    12: "/../dots/.",
    13: "\0zero",
    14: "\t\r\x1b\x7f\x85\u2028",
    15: "*?[a-z]${aws:username}\\",
}
"""Additions to the names of some files, by file number."""
LONGEST_KEY_FILE = 7
"""Number of the file whose key has the maximum length."""
MAX_KEY_BYTES = 1024
"""Maximum length of a key in S3."""
NOT_UTF8_FILE = 8
"""Number of the file that has a line that is not UTF-8."""


@dataclass(frozen=True)
class IngestionOutcome:
    manifest_sizes: list[int]
    """Number of files of each manifest, largest first. A manifest is the list of the files of one Spark run."""
    execution_counts: Counter[str]
    """Number of workflow executions by final status."""
    file_counts: Counter[str]
    """Number of files by status."""
    rows: list[tuple[Any, ...]]
    """Rows that a reader of the lake sees, sorted."""


def list_expected_rows(files: int) -> list[tuple[Any, ...]]:
    """Return the rows in this number of files, sorted."""
    return sorted(tuple(line.values()) for number in range(files) for line in list_lines(number))


def upload(ingestion: DeployedIngestion, prefix: str, files: int) -> None:
    """Upload this number of files below a prefix, an empty file, and a file of an unsupported type."""
    ingestion.upload_all({_key(prefix, number): _content(number) for number in range(files)})
    ingestion.upload_all({f"{prefix}/ignored.exe": b"x", f"{prefix}/empty.ndjson": b""})


def read_rows(ingestion: DeployedIngestion, prefix: str) -> list[tuple[Any, ...]]:
    """Return the rows of the files below a prefix, sorted.

    They are read through the pointers of the lake, which name the valid Parquet files.
    """
    rows = (row for row in ingestion.read_rows() if row["_source_key"].startswith(prefix))
    return sorted(tuple(json.loads(row["_record"]).values()) for row in rows)


def start_runs(ingestion: DeployedIngestion, prefix: str, files: int) -> None:
    """Upload the files, and a file that is deleted before its run reads it. Start their runs.

    The sweeper is a function that puts waiting files into manifests.
    """
    upload(ingestion, prefix, files)
    deleted = f"{prefix}/deleted.ndjson"
    ingestion.upload(deleted, LINE)
    [record] = ingestion.wait_until_tracked(deleted)
    ingestion.client("s3").delete_object(Bucket=record["bucket"]["S"], Key=deleted, VersionId=record["version_id"]["S"])

    def is_tracked() -> bool | None:
        return ingestion.count_by_status(prefix).total() == files + 3 or None

    eventually(is_tracked, "the records of all files", 180)
    for number in range(0, files, REPEATED_EVERY):
        ingestion.notify_again(ingestion.wait_until_tracked(_key(prefix, number))[0])
    ingestion.wait_until_empty(60)
    ingestion.sweep()
    ingestion.sweep("flush")  # without this, a manifest that is not full would be created only after `flush_minutes`


def wait_for_outcome(ingestion: DeployedIngestion, prefix: str) -> IngestionOutcome:
    """Wait until all runs have ended, and read their rows."""
    statuses = ingestion.wait_until_ended()
    return IngestionOutcome(
        manifest_sizes=ingestion.manifest_sizes(statuses),
        execution_counts=Counter(statuses.values()),
        file_counts=ingestion.count_by_status(prefix),
        rows=read_rows(ingestion, prefix),
    )


def _content(number: int) -> bytes:
    """Return the content of the file with this number. Some files have an unreadable line."""
    bad_line = b"{not json\n" if number % BAD_EVERY == 0 else b""
    return file_content(number, bad_line + (b'{"text": "\xff"}\n' if number == NOT_UTF8_FILE else b""))


def _key(prefix: str, number: int) -> str:
    suffix = file_suffix(number)
    if number == LONGEST_KEY_FILE:
        return f"{prefix}/{number:03}".ljust(MAX_KEY_BYTES - len(suffix), "k") + suffix
    return f"{prefix}/{number:03}{UNUSUAL_NAMES.get(number, '')}{suffix}"
