"""The first look at a file, on an executor: which lines are records, what they look like, and where the bad ones go.

Nothing of a file's content comes back but counts and shapes. Bad lines are written at once, one object a file (or a
few, where they are many): names are fixed by file and part, so a task that Spark repeats writes the same objects again.
"""

import base64
import json
import zlib
from collections import Counter
from dataclasses import dataclass, field

from handlers.common.aws.unreadable_objects import Sealed
from handlers.ingestion.glue.file_list_and_result import FileOutcome, SourceFile
from handlers.ingestion.glue.json_records import DataProblem, InvalidLine, record
from handlers.ingestion.glue.json_shapes import MAX_NODES, Shape, narrow, places
from handlers.ingestion.glue.line_reader import KEPT_BYTES, ContentTooLarge, Line, lines
from handlers.ingestion.glue.object_storage import ObjectGone, Storage

LARGEST = 5 * 1024**3
"""The builder rejects what is larger; what comes here nevertheless must not hold up a worker for hours."""
MOST_BYTES = 10 * 1024**3
MOST_LINES = 50_000_000
"""Of a file's content, which gzip can make a thousand times smaller. One core takes a file through both passes at about
16 MB/s and 110,000 short lines a second: a quarter of an hour at most, half of the time that a run has by default."""
PART_BYTES = 8 * 1024 * 1024
SAMPLE_BYTES = 256 * 1024
LOOK_BYTES = 1024 * 1024
"""How much is read between two looks at how many places a file has."""
MAX_FILE_NODES = 4 * MAX_NODES
"""Of one file. What has more could fill a worker's memory, and those of all files together the driver's."""
PARQUET_OF_PACKED = 0.65
"""How large zstd Parquet was beside zlib's quickest, on the benchmark's records."""


@dataclass
class Scan:
    """What the first look at one file found."""

    file: SourceFile
    rows: int = 0
    bad: Counter[DataProblem] = field(default_factory=Counter)
    shape: Shape = field(default_factory=Shape)
    content_bytes: int = 0
    packed_share: float = 1.0
    """How small Parquet will make the file, guessed from its beginning."""
    never_read: DataProblem | None = None

    def keep_small(self) -> None:
        """Gives up places at once where a file alone has several times as many as its run may have."""
        if places(self.shape) > MAX_FILE_NODES:
            narrow(self.shape, MAX_NODES)

    def outcome(self) -> FileOutcome:
        """What became of the file, if the run succeeds."""
        status, reason = self._status()
        return FileOutcome(
            file_key=self.file.file_key,
            date_prefix=self.file.date_prefix,
            status=status,
            reason=reason,
            rows=self.rows,
            rejected_rows=self.bad.total(),
        )

    def _status(self) -> tuple[str, str]:
        if self.never_read == DataProblem.VERSION_GONE:
            return "superseded", self.never_read
        if self.never_read is not None:
            return "rejected", self.never_read
        if not self.rows:
            # Nothing in it is nothing wrong with it; nothing good in it is.
            return ("rejected", f"no_good_line:{self._commonest}") if self.bad else ("processed", DataProblem.EMPTY)
        return "processed", DataProblem.DAMAGED_GZIP if DataProblem.DAMAGED_GZIP in self.bad else ""

    @property
    def _commonest(self) -> DataProblem:
        return min(self.bad, key=lambda one: (-self.bad[one], one))


def scan_file(file: SourceFile, storage: Storage, rejected_uri: str) -> Scan:
    """Reads a file once, and writes its bad lines below an address."""
    scan = Scan(file)
    if file.size > LARGEST:
        scan.never_read = DataProblem.TOO_LARGE
        return scan
    rejected = _Rejected(storage, rejected_uri, file)
    sample, looked = bytearray(), 0
    try:
        for line in lines(storage.chunks(file.uri, file.version_id), most_bytes=MOST_BYTES, most_lines=MOST_LINES):
            if len(sample) < SAMPLE_BYTES:
                sample += line.raw
            _take(line, scan, rejected)
            if scan.content_bytes - looked > LOOK_BYTES:
                looked = scan.content_bytes
                scan.keep_small()
    except ObjectGone:
        return Scan(file, never_read=DataProblem.VERSION_GONE)
    except Sealed:
        return Scan(file, never_read=DataProblem.SEALED)
    except ContentTooLarge:
        rejected.flush()
        return Scan(file, bad=scan.bad, never_read=DataProblem.TOO_LARGE)
    rejected.flush()
    scan.keep_small()
    if sample:
        scan.packed_share = PARQUET_OF_PACKED * len(zlib.compress(sample, 1)) / len(sample)
    return scan


def _take(line: Line, scan: Scan, rejected: "_Rejected") -> None:
    scan.content_bytes += len(line.raw) + 1
    reason = line.reason
    if reason is None:
        try:
            scan.shape.observe(record(line.raw))
        except InvalidLine as bad:
            reason = bad.reason
        else:
            scan.rows += 1
            return
    scan.bad[reason] += 1
    rejected.add(line, reason)


class _Rejected:
    """The bad lines of one file, as JSON lines."""

    def __init__(self, storage: Storage, uri: str, file: SourceFile) -> None:
        self._storage, self._uri, self._file = storage, uri, file
        self._lines: list[bytes] = []
        self._size = 0
        self._part = 0

    def add(self, line: Line, reason: DataProblem) -> None:
        """Takes one bad line in."""
        kept = line.raw[:KEPT_BYTES]
        entry = {
            "file": self._file.key,
            "version": self._file.version_id,
            "line": line.number,
            "reason": reason,
            "raw": base64.b64encode(kept).decode(),
            "whole": len(kept) == len(line.raw) and reason not in {DataProblem.TOO_LONG, DataProblem.DAMAGED_GZIP},
        }
        written = json.dumps(entry, ensure_ascii=False).encode() + b"\n"
        self._lines.append(written)
        self._size += len(written)
        if self._size > PART_BYTES:
            self.flush()

    def flush(self) -> None:
        """Writes what has gathered."""
        if self._lines:
            self._storage.put(f"{self._uri}-{self._part:03}.ndjson", b"".join(self._lines))
            self._lines, self._size, self._part = [], 0, self._part + 1
