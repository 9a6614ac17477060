"""First pass over a file, on a Spark executor: count its records, collect their shape, and write its rejected lines.

Only counts and shapes return to the driver, never content. The rejected lines of a file are written at once, as one
object or as several parts. The names of these objects depend on file and part only, so a task that Spark repeats
replaces the same objects.
"""

import base64
import json
import zlib
from collections import Counter
from dataclasses import dataclass, field

from handlers.common.aws.unreadable_objects import UnreadableObject
from handlers.ingestion.glue.file_list_and_result import FileOutcome, SourceFile
from handlers.ingestion.glue.json_line_parser import DataProblem, InvalidLine, parse_record
from handlers.ingestion.glue.json_schema_inference import MAX_NODES, JsonShape, count_nodes, limit_nodes
from handlers.ingestion.glue.line_reader import KEPT_BYTES, ContentTooLarge, SourceLine, read_lines
from handlers.ingestion.glue.object_storage import ObjectGone, ObjectStorage

MAX_FILE_BYTES = 5 * 1024**3
"""Size limit of a file, in addition to the limit in the settings. A larger file would occupy a worker for hours."""
MAX_CONTENT_BYTES = 10 * 1024**3
MAX_LINES = 50_000_000
"""Limits of a file's unpacked content, because gzip can make it a thousand times smaller. One core takes a file through
both passes at about 16 MB/s and 110,000 short lines per second, so a file takes at most a quarter of an hour. This is half
of a run's default time limit."""
PART_BYTES = 8 * 1024 * 1024
"""A part of the rejected lines ends with the line that exceeds this size."""
SAMPLE_BYTES = 256 * 1024
"""Content from the beginning of a file whose compressed size gives `parquet_ratio`."""
NODE_CHECK_BYTES = 1024 * 1024
"""Content that is read between two checks of a file's node count."""
MAX_FILE_NODES = 4 * MAX_NODES
"""Number of nodes above which the shape of a single file is limited. A larger shape could fill a worker's memory, and the
shapes of all files could fill the driver's memory."""
PARQUET_TO_ZLIB_RATIO = 0.65
"""Size of zstd Parquet relative to zlib's fastest level, measured on the benchmark's records."""


@dataclass
class FileScan:
    """Result of the first pass over one file."""

    file: SourceFile
    rows: int = 0
    """Number of lines that are records."""
    rejected: Counter[DataProblem] = field(default_factory=Counter)
    """Number of rejected lines by problem."""
    shape: JsonShape = field(default_factory=JsonShape)
    """Shape of the records."""
    content_bytes: int = 0
    """Size of the unpacked lines."""
    parquet_ratio: float = 1.0
    """Estimated size of the Parquet output relative to the content. A sample from the beginning gives the estimate."""
    unreadable: DataProblem | None = None
    """Problem that makes the whole file unusable, or None."""

    def limit_file_nodes(self) -> None:
        """Limit the shape if this file has several times as many nodes as the run may have."""
        if count_nodes(self.shape) > MAX_FILE_NODES:
            limit_nodes(self.shape, MAX_NODES)

    def outcome(self) -> FileOutcome:
        """Return the file's entry in the run's result. It is valid if the run succeeds."""
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
    """Writer for the rejected lines of one file, as NDJSON objects with position, reason and raw bytes."""

    def __init__(self, storage: ObjectStorage, uri: str, file: SourceFile) -> None:
        self._storage, self._uri, self._file = storage, uri, file
        self._lines: list[bytes] = []
        self._size = 0
        self._part = 0

    def add(self, line: SourceLine, problem: DataProblem) -> None:
        """Add a rejected line. Write a part if enough lines have accumulated."""
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
        """Write the accumulated lines as one part."""
        if self._lines:
            self._storage.put(f"{self._uri}-{self._part:03}.ndjson", b"".join(self._lines))
            self._lines, self._size, self._part = [], 0, self._part + 1
