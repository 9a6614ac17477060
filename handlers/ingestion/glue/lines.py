"""Reader of one file of a manifest: a version of an object in S3 becomes numbered lines, which are records or rejected.

A record is a line with a JSON object. Blank lines are ignored, and any other line is rejected. Spark is lenient: it
accepts text after an object, NaN, and a name that occurs twice. So each line is parsed here first. Spark then converts
the values of the records (see `rows`).

The rejected lines of a file are written to S3 as one or more objects. Their keys depend only on the run, the file and a
sequence number. So if Spark repeats a task, it replaces the same objects. This module uses neither Spark nor Arrow.
"""

import base64
import gzip
import io
import json
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple

from botocore.exceptions import ClientError

from handlers.common.aws import UNREADABLE_CODES
from handlers.ingestion.glue.lake_columns import SlowDecimal, check_values

if TYPE_CHECKING:
    from botocore.response import StreamingBody
    from types_boto3_s3.client import S3Client

GZIP_MAGIC = b"\x1f\x8b"
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
MAX_LINE_BYTES = 8 * 1024 * 1024
"""Size above which a line is rejected."""
KEPT_BYTES = 64 * 1024
"""Bytes of a rejected line that are kept, so that an operator can look at its beginning."""
MAX_CONTENT_BYTES = 10 * 1024**3
"""Size limit of a file's unpacked content, which can be a thousand times larger than a gzip file."""
MAX_LINES = 50_000_000
"""Maximum number of lines in a file. Many short lines take longer than their size suggests."""
PART_BYTES = 8 * 1024 * 1024
"""Size above which an object with rejected lines is written. Further rejected lines go into another object."""
GONE_CODES = frozenset({"NoSuchKey", "NoSuchVersion", "404", "MethodNotAllowed"})
"""Error codes of S3 for an object that does not exist. `MethodNotAllowed` means that the version is a delete marker."""


class DataProblem(StrEnum):
    """Problem of a line or of a whole file. The values are stored and logged."""

    NOT_UTF8 = "not_utf8"
    NOT_JSON = "not_json"
    """Also an object in which a name occurs twice, and values that Python or Spark cannot read because of their depth or
    size."""
    NOT_AN_OBJECT = "not_an_object"
    TOO_LONG = "too_long"
    DAMAGED_GZIP = "damaged_gzip"
    EMPTY = "empty"
    """The file has no lines, or only blank lines."""
    TOO_LARGE = "too_large"
    """The unpacked content of the file exceeds a limit."""
    VERSION_GONE = "version_gone"
    """The version of the file was deleted."""
    SEALED = "sealed"
    """S3 refuses the content of the file, because the uploader chose a customer-provided key or an archive class."""


class FileUnreadable(Exception):
    """No row of the file can be used. The message is the DataProblem."""


class SourceFile(NamedTuple):
    """File of a manifest: one version of an object in the landing bucket."""

    bucket: str
    key: str
    version_id: str
    arrived_at: str
    """Time of arrival: ISO 8601 in UTC."""
    date_prefix: str
    """UTC date of arrival."""
    file_key: str
    """Key of the file's record in the file table."""

    @staticmethod
    def from_entry(entry: Mapping[str, Any]) -> "SourceFile":
        """Return the file of an entry in a manifest's list of files."""
        names = ("bucket", "objectKey", "versionId", "arrivedAt", "datePrefix", "fileKey")
        return SourceFile(*(entry[name] for name in names))


@dataclass(frozen=True)
class FileOutcome:
    """Result of a file, on the assumption that the run succeeds."""

    status: str
    """Status that the file gets: `processed`, `rejected` or `superseded`."""
    reason: str = ""
    """A DataProblem, or `no_good_line:` with the most common one. Empty for a file without a problem of its own."""
    rows: int = 0
    rejected_rows: int = 0
    content_bytes: int = 0
    """Size of the unpacked lines."""


class SourceLine(NamedTuple):
    """One line of a file that is not blank. If it has a problem, `raw` may be only its beginning."""

    number: int
    """Line number in the file, from 1."""
    raw: bytes
    problem: DataProblem | None = None


class SourceRecord(NamedTuple):
    """A line that is a record."""

    line: int
    """Line number in the file, from 1."""
    record: bytes
    """The line itself."""
    misread_columns: list[str]
    """Names of the declared columns that Spark would fill with another value than the record has."""
    is_complete: bool
    """True if the declared columns can hold everything in the record."""


class FileReader:
    """Reader of one file. After all records were taken from `read_records`, `outcome` is its result."""

    def __init__(
        self, file: SourceFile, s3: "S3Client", lake: str, rejected_key: str, columns: Mapping[str, Any]
    ) -> None:
        """`rejected_key` is the beginning of the keys of the objects with rejected lines in the bucket `lake`. `columns`
        has the types of the declared columns by name.
        """
        self._file, self._s3, self._lake, self._rejected_key = file, s3, lake, rejected_key
        self._columns = columns
        self._rows = self._content_bytes = 0
        self._rejected: Counter[DataProblem] = Counter()
        self._unreadable: DataProblem | None = None
        self._part = bytearray()  # the rejected lines that are not written yet
        self._part_count = 0

    def read_records(self) -> Iterator["SourceRecord"]:
        """Yield the lines that are records. Write the other lines to S3."""
        try:
            for number, raw, line_problem in read_lines(open_version(self._s3, self._file)):
                self._content_bytes += len(raw) + 1
                record = line_problem or parse_record(raw)
                if not isinstance(record, dict):
                    self._reject(number, raw, record)
                    continue
                try:
                    checked = check_values(record, self._columns)
                except SlowDecimal:
                    self._reject(number, raw, DataProblem.NOT_JSON)
                    continue
                self._rows += 1
                yield SourceRecord(number, raw, *checked)
        except FileUnreadable as error:
            self._unreadable = DataProblem(str(error))
        self._write_rejected()

    @property
    def outcome(self) -> FileOutcome:
        rejected = self._rejected.total()
        if self._unreadable:
            status = "superseded" if self._unreadable is DataProblem.VERSION_GONE else "rejected"
            return FileOutcome(status, self._unreadable, rejected_rows=rejected)
        if self._rows:
            reason = DataProblem.DAMAGED_GZIP if DataProblem.DAMAGED_GZIP in self._rejected else ""
            return FileOutcome(
                "processed", reason, rows=self._rows, rejected_rows=rejected, content_bytes=self._content_bytes
            )
        if not rejected:
            return FileOutcome("processed", DataProblem.EMPTY)
        most_common = min(self._rejected, key=lambda problem: (-self._rejected[problem], problem))
        return FileOutcome("rejected", f"no_good_line:{most_common}", rejected_rows=rejected)

    def _reject(self, number: int, raw: bytes, problem: DataProblem) -> None:
        self._rejected[problem] += 1
        beginning = raw[:KEPT_BYTES]
        is_cut = len(beginning) < len(raw) or problem in {DataProblem.TOO_LONG, DataProblem.DAMAGED_GZIP}
        entry = {
            "file": self._file.key,
            "version": self._file.version_id,
            "line": number,
            "reason": problem,
            "raw": base64.b64encode(beginning).decode(),
            "whole": not is_cut,
        }
        self._part += json.dumps(entry, ensure_ascii=False).encode() + b"\n"
        if len(self._part) > PART_BYTES:
            self._write_rejected()

    def _write_rejected(self) -> None:
        if self._part:
            key = f"{self._rejected_key}-{self._part_count:03}.ndjson"
            self._s3.put_object(Bucket=self._lake, Key=key, Body=bytes(self._part))
            self._part, self._part_count = bytearray(), self._part_count + 1


def parse_record(raw: bytes) -> dict[str, Any] | DataProblem:
    """Return the JSON object of a line, or the reason why it is not a record."""
    try:
        value = _DECODER.decode(raw.decode())
    except UnicodeDecodeError:
        return DataProblem.NOT_UTF8
    except (ValueError, InvalidOperation, RecursionError):
        return DataProblem.NOT_JSON
    return value if isinstance(value, dict) else DataProblem.NOT_AN_OBJECT


def _build_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a name occurs twice")
    return value


def _refuse_constant(_: str) -> float:
    raise ValueError  # NaN and Infinity


_DECODER = json.JSONDecoder(object_pairs_hook=_build_object, parse_float=Decimal, parse_constant=_refuse_constant)


def open_version(s3: "S3Client", file: SourceFile) -> io.BufferedIOBase:
    """Return a reader of the file's version, unpacked if it starts like a gzip stream.

    Raise FileUnreadable if the version was deleted, or if S3 refuses it because it was uploaded with SSE-C or into an
    archive class. The policy of the landing bucket denies uploads that name a KMS key, so a refusal for another reason
    is an error.
    """
    try:
        body = s3.get_object(Bucket=file.bucket, Key=file.key, VersionId=file.version_id)["Body"]
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code in GONE_CODES:
            raise FileUnreadable(DataProblem.VERSION_GONE) from None
        if code in UNREADABLE_CODES:
            raise FileUnreadable(DataProblem.SEALED) from None
        raise
    return open_content(body)


class _RawBody(io.RawIOBase):
    """Body of S3's response as a raw stream. Glue's boto3 is older than the method `readinto` of its own class."""

    def __init__(self, body: "StreamingBody") -> None:
        self._body = body

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        content = self._body.read(len(buffer))
        buffer[: len(content)] = content
        return len(content)


def open_content(body: "StreamingBody") -> io.BufferedIOBase:
    """Return a reader of an object's content. A gzip stream may have several members: `cat a.gz b.gz` writes two."""
    content = io.BufferedReader(_RawBody(body))
    return gzip.GzipFile(fileobj=content) if content.peek(2).startswith(GZIP_MAGIC) else content


def read_lines(
    content: io.BufferedIOBase,
    *,
    max_line_bytes: int = MAX_LINE_BYTES,
    max_content_bytes: int = MAX_CONTENT_BYTES,
    max_lines: int = MAX_LINES,
) -> Iterator[SourceLine]:
    """Yield the lines that are not blank, with bounded memory. Their numbers start at 1 and count blank lines too.

    A line above `max_line_bytes` has the problem TOO_LONG. If a gzip stream is damaged or cut off, the rest of the file
    is one line with the problem DAMAGED_GZIP. Raise FileUnreadable if the whole file, when unpacked, exceeds
    `max_content_bytes` or `max_lines`.
    """
    number = unpacked = 0
    is_start = True  # the next piece is the beginning of a line
    try:
        while piece := content.readline(max_line_bytes + 1):
            number += is_start
            unpacked += len(piece)
            if unpacked > max_content_bytes or number > max_lines:
                raise FileUnreadable(DataProblem.TOO_LARGE)
            line = piece.removesuffix(b"\n")
            if is_start and len(line) > max_line_bytes:  # of a line that is too long, the rest is not kept
                yield SourceLine(number, line[:KEPT_BYTES], DataProblem.TOO_LONG)
            elif is_start:
                line = line.removeprefix(BYTE_ORDER_MARK) if number == 1 else line
                if line and not line.isspace():
                    yield SourceLine(number, line)
            is_start = piece.endswith(b"\n")
    except (EOFError, gzip.BadGzipFile, zlib.error):
        yield SourceLine(number + is_start, b"", DataProblem.DAMAGED_GZIP)
