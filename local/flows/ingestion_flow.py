"""Flow of ingestion: files are uploaded, tracked, and converted to rows by Spark.

Files wait until a manifest, a list of files for one Spark run, is full or until they have waited `flushMinutes`. If
this is longer than `MAX_FLUSH_MINUTES`, the flow does not wait for the rows.
"""

import gzip
import json
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from botocore.exceptions import ClientError

from local.flows import Checks, FlowSkipped, Stack, StepReporter, eventually
from local.flows.ingestion_client import IngestionBackend, Record

FILES = range(1, 13)
"""Numbers of the files."""
GZIP_EVERY = 9
"""Every n-th file is compressed."""
LINES = 3
"""Number of lines in each file."""
MAX_FLUSH_MINUTES = 5
FINAL_STATUSES = {"processed", "rejected", "failed"}


def play(stack: Stack, report_step: StepReporter) -> list[str]:
    """Run the flow, and return the problems. The files and their rows remain."""
    backend, checks = IngestionBackend(stack), Checks()
    if backend.suffixes and not {".ndjson", ".ndjson.gz"} <= set(backend.suffixes):
        raise FlowSkipped("the stack does not accept the files of this flow, .ndjson and .ndjson.gz")
    folder = f"{backend.prefix}flow-{uuid.uuid4().hex}"
    contents = {f"{folder}/{number:03}{file_suffix(number)}": file_content(number) for number in FILES}
    empty_key = f"{folder}/empty.ndjson"
    try:
        empty = (empty_key, backend.upload(empty_key, b""))
    except ClientError as error:
        if error.response["Error"]["Code"] != "AccessDenied":
            raise
        raise FlowSkipped(f"these credentials may not upload files to {backend.bucket}") from error
    with ThreadPoolExecutor(8) as pool:
        versions = dict(zip(contents, pool.map(lambda item: backend.upload(*item), contents.items()), strict=True))
    report_step(f"{len(contents)} files uploaded, one compressed, and an empty one")

    def wait_for_record(key: str, version: str, *, final: bool, seconds: float) -> Record:
        def find() -> Record | None:
            record = backend.find_record(key, version)
            return record if record is not None and (not final or record["status"] in FINAL_STATUSES) else None

        return eventually(find, f"{'the rows' if final else 'the record'} of {key}", seconds)

    seconds = stack.patience_seconds
    rejected = wait_for_record(*empty, final=True, seconds=seconds)
    records = [wait_for_record(*item, final=False, seconds=seconds) for item in versions.items()]
    checks.equal("status of the empty file", rejected["status"], "rejected")
    report_step(f"each file has a record; the empty file is {rejected['status']}: {rejected.get('reason')}")
    if backend.flush_minutes > MAX_FLUSH_MINUTES:
        checks.equal("failed files", [record for record in records if record["status"] == "failed"], [])
        report_step(
            f"the rows come with the next manifest, after {backend.flush_minutes:g} min at most; not waited for"
        )
        return checks.problems
    seconds += backend.flush_minutes * 60
    records = [wait_for_record(*item, final=True, seconds=seconds) for item in versions.items()]
    statuses = Counter(record["status"] for record in records)
    checks.equal("statuses", statuses, Counter(processed=len(contents)))
    checks.equal("rows of each file", {int(record.get("rows", 0)) for record in records}, {LINES})
    report_step(f"{statuses['processed']} files processed by Spark: {LINES * statuses['processed']} rows in the lake")
    return checks.problems


def list_lines(number: int) -> list[dict[str, object]]:
    """Return the lines of the file with this number, each of which becomes a row."""
    return [{"file": number, "line": line, "text": f"ü{number}"} for line in range(LINES)]


def file_suffix(number: int) -> str:
    return ".ndjson.gz" if number % GZIP_EVERY == 0 else ".ndjson"


def file_content(number: int, appended: bytes = b"") -> bytes:
    """Return the content of the file with this number, with more lines at its end."""
    content = "".join(json.dumps(line) + "\n" for line in list_lines(number)).encode() + appended
    return gzip.compress(content, mtime=0) if number % GZIP_EVERY == 0 else content
