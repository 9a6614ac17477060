"""First pass over a file, on a Spark executor: count its records, collect their shape, and write its rejected lines.

A record is a line with a JSON object. Other lines are rejected, except for blank ones, which are ignored. A shape is a
tree with the names in the records and the kinds of their values (see `json_schema_inference`).

Only counts and shapes return to the Spark driver, never content. The rejected lines of a file are written to S3 as one
or more objects. Their URIs depend only on the run, the file and a sequence number, so if Spark repeats a task, it
replaces the same objects.
"""

import base64
import json
import zlib
from collections import Counter
from dataclasses import dataclass, field

from handlers.common.unreadable_objects import UnreadableObject
from handlers.ingestion.glue.file_list_and_result_json import FileOutcome, SourceFile
from handlers.ingestion.glue.json_line_parser import DataProblem, InvalidLine, parse_record
from handlers.ingestion.glue.json_schema_inference import MAX_NODES, JsonShape, count_nodes, limit_nodes
from handlers.ingestion.glue.line_reader import KEPT_BYTES, ContentTooLarge, SourceLine, read_lines
from handlers.ingestion.glue.object_storage import ObjectGone, ObjectStorage

MAX_FILE_BYTES = 5 * 1024**3
"""Size limit of a file, in addition to the limit in the settings. A larger file is rejected without reading it. One
core reads the whole file, which would take too long."""
MAX_CONTENT_BYTES = 10 * 1024**3
"""Size limit of a file's unpacked content, which can be a thousand times larger than a gzip file. In both passes
together, one core processes about 16 MB per second, so 10 GiB take 11 minutes. A run's default time limit is 30
minutes."""
MAX_LINES = 50_000_000
"""Maximum number of lines in a file. Many short lines take longer than their size suggests. In both passes together,
one core processes about 110,000 short lines per second, so 50 million lines take 8 minutes."""
PART_BYTES = 8 * 1024 * 1024
"""Size above which an object with rejected lines is written. Further rejected lines go into another object."""
SAMPLE_BYTES = 256 * 1024
"""Size of the sample with which `parquet_ratio` is estimated: whole lines from the beginning of the file, until this
size is reached."""
NODE_CHECK_BYTES = 1024 * 1024
"""Amount of content after which the number of nodes in the file's shape is checked again."""
MAX_FILE_NODES = 4 * MAX_NODES
"""Number of nodes above which the shape of a single file is reduced to `MAX_NODES`. Without this limit, one shape could
fill the memory of a worker, or all shapes together the memory of the driver."""
PARQUET_TO_ZLIB_RATIO = 0.65
"""Size of the Parquet output, which is compressed with zstd, relative to the same content compressed by zlib at its
fastest level. The value was measured on the benchmark's records."""


@dataclass
class FileScan:
    """Result of the first pass over one file."""

    file: SourceFile
    rows: int = 0
    """Number of lines that are records."""
    rejected: Counter[DataProblem] = field(default_factory=Counter)
    shape: JsonShape = field(default_factory=JsonShape)
    content_bytes: int = 0
    """Size of the unpacked lines."""
    parquet_ratio: float = 1.0
    """Estimated size of the Parquet output relative to the unpacked content."""
    unreadable: DataProblem | None = None
    """Problem because of which none of the file's rows can be used. None if the file was read to its end."""

    def limit_file_nodes(self) -> None:
        if count_nodes(self.shape) > MAX_FILE_NODES:
            limit_nodes(self.shape, MAX_NODES)

    def outcome(self) -> FileOutcome:
        """Return the file's entry in the run's result, on the assumption that the run succeeds."""
        status, reason = self._status()
        return FileOutcome(
            file_key=self.file.file_key,
            date_prefix=self.file.date_prefix,
            status=status,
            reason=reason,
            rows=self.rows,
            rejected_rows=self.rejected.total(),
        )

    def _status(self) -> tuple[str, str]:
        if self.unreadable == DataProblem.VERSION_GONE:
            return "superseded", self.unreadable
        if self.unreadable is not None:
            return "rejected", self.unreadable
        if not self.rows:
            # A file without lines is valid. A file whose lines are all rejected is not.
            return (
                ("rejected", f"no_good_line:{self._most_common}") if self.rejected else ("processed", DataProblem.EMPTY)
            )
        return "processed", DataProblem.DAMAGED_GZIP if DataProblem.DAMAGED_GZIP in self.rejected else ""

    @property
    def _most_common(self) -> DataProblem:
        return min(self.rejected, key=lambda problem: (-self.rejected[problem], problem))


def scan_file(file: SourceFile, storage: ObjectStorage, rejected_uri: str) -> FileScan:
    """Read a file once, and write its rejected lines to objects whose URIs start with `rejected_uri`."""
    scan = FileScan(file)
    if file.size > MAX_FILE_BYTES:
        scan.unreadable = DataProblem.TOO_LARGE
        return scan
    rejected = RejectedLines(storage, rejected_uri, file)
    sample, checked_bytes = bytearray(), 0
    try:
        chunks = storage.read_chunks(file.uri, file.version_id)
        for line in read_lines(chunks, max_content_bytes=MAX_CONTENT_BYTES, max_lines=MAX_LINES):
            if len(sample) < SAMPLE_BYTES:
                sample += line.raw
            _scan_line(line, scan, rejected)
            if scan.content_bytes - checked_bytes > NODE_CHECK_BYTES:
                checked_bytes = scan.content_bytes
                scan.limit_file_nodes()
    except ObjectGone:
        return FileScan(file, unreadable=DataProblem.VERSION_GONE)
    except UnreadableObject:
        return FileScan(file, unreadable=DataProblem.SEALED)
    except ContentTooLarge:
        rejected.flush()
        return FileScan(file, rejected=scan.rejected, unreadable=DataProblem.TOO_LARGE)
    rejected.flush()
    scan.limit_file_nodes()
    if sample:
        scan.parquet_ratio = PARQUET_TO_ZLIB_RATIO * len(zlib.compress(sample, 1)) / len(sample)
    return scan


def _scan_line(line: SourceLine, scan: FileScan, rejected: "RejectedLines") -> None:
    scan.content_bytes += len(line.raw) + 1
    problem = line.problem
    if problem is None:
        try:
            scan.shape.observe(parse_record(line.raw))
        except InvalidLine as error:
            problem = error.problem
        else:
            scan.rows += 1
            return
    scan.rejected[problem] += 1
    rejected.add(line, problem)


class RejectedLines:
    """Writer for the rejected lines of one file: NDJSON with the position, reason and raw bytes of each line."""

    def __init__(self, storage: ObjectStorage, uri: str, file: SourceFile) -> None:
        self._storage, self._uri, self._file = storage, uri, file
        self._lines: list[bytes] = []
        self._size = 0
        self._part = 0

    def add(self, line: SourceLine, problem: DataProblem) -> None:
        """Add a rejected line. If the lines added since the last object are large enough, write the next object."""
        beginning = line.raw[:KEPT_BYTES]
        entry = {
            "file": self._file.key,
            "version": self._file.version_id,
            "line": line.number,
            "reason": problem,
            "raw": base64.b64encode(beginning).decode(),
            "whole": len(beginning) == len(line.raw)
            and problem not in {DataProblem.TOO_LONG, DataProblem.DAMAGED_GZIP},
        }
        encoded = json.dumps(entry, ensure_ascii=False).encode() + b"\n"
        self._lines.append(encoded)
        self._size += len(encoded)
        if self._size > PART_BYTES:
            self.flush()

    def flush(self) -> None:
        if self._lines:
            self._storage.put(f"{self._uri}-{self._part:03}.ndjson", b"".join(self._lines))
            self._lines, self._size, self._part = [], 0, self._part + 1
