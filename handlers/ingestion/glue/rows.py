"""Rows of a run on Spark: lines are read, converted to columns and written as Parquet.

The executors read the files by version and give the lines to Spark, with one more row for the outcome of each file.
Spark converts the values of the declared columns. A row whose columns may not hold all of its values also has the whole
line in `_record`, so no value is lost. The other rows do not, because the lines would double the size of the lake.

A failure is reported with its type and source line, and on an executor with the index of the file. Its message is left
out, because it may quote a record or a key.
"""

import json
import tempfile
import traceback
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pyarrow as pa
from botocore.exceptions import ClientError
from pyspark import StorageLevel
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as f
from pyspark.sql.pandas.types import from_arrow_schema
from pyspark.sql.types import StringType, StructField, StructType

from handlers.ingestion.glue.lines import FileOutcome, FileReader, SourceFile

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

LINES = pa.schema(
    {
        "file": pa.int32(),
        "line": pa.int64(),
        "record": pa.string(),
        "misread_columns": pa.list_(pa.string()),
        "is_complete": pa.bool_(),
        "outcome": pa.string(),
    }
)
"""Columns of the lines. A row has the index of the file, and either the fields of a `SourceRecord` or an outcome."""
BATCH_ROWS = 8192
"""Maximum number of lines in a batch."""
BATCH_BYTES = 8 * 1024 * 1024
"""Total size of lines above which a batch ends."""
TASKS_PER_CORE = 4
"""Number of tasks that read files, for each core. A core that gets small files can take over tasks from the others."""
JSON_OPTIONS = {"allowNonNumericNumbers": "false", "columnNameOfCorruptRecord": "_record"}
"""Options of `from_json`. If a value does not fit its column, Spark puts the whole line into the field `_record`."""


class JobFailed(Exception):
    """A task or a request to S3 failed. The message quotes neither a key nor content."""


def describe_error(error: Exception) -> str:
    """Return the type and the source line of an error without its message, which may quote content or a key."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    cause = type(error).__name__
    if isinstance(error, ClientError):
        cause = f"ClientError ({error.operation_name}: {error.response['Error']['Code']})"
    return f"{cause} at {Path(frame.filename).name}:{frame.lineno}"


@dataclass(frozen=True)
class ReadTask:
    """Function that reads files. Spark sends it to the executors."""

    files: Sequence[SourceFile]
    lake: str
    rejected_keys: Sequence[str]
    """For each file, the beginning of the keys of its rejected lines."""
    columns: Mapping[str, Any]
    """Types of the declared columns by name."""

    def __call__(self, batches: "Iterable[pa.RecordBatch]") -> "Iterator[pa.RecordBatch]":
        """Yield the lines and outcomes of files. Each input row is the index of a file."""
        for batch in batches:
            for index in batch.column(0).to_pylist():
                try:
                    yield from self._read(index)
                except Exception as error:  # noqa: BLE001 # the message of any error may quote content
                    raise JobFailed(f"{describe_error(error)} of files[{index}]") from None

    def _read(self, index: int) -> "Iterator[pa.RecordBatch]":
        reader = FileReader(self.files[index], connect_s3(), self.lake, self.rejected_keys[index], self.columns)
        lines: list[dict[str, Any]] = []
        size = 0
        for record in reader.read_records():
            lines.append({"file": index, **record._asdict()})
            size += len(record.record)
            if len(lines) == BATCH_ROWS or size > BATCH_BYTES:
                yield pa.RecordBatch.from_pylist(lines, schema=LINES)
                lines, size = [], 0
        outcome = {"file": index, "outcome": json.dumps(asdict(reader.outcome))}
        yield pa.RecordBatch.from_pylist([*lines, outcome], schema=LINES)


@cache
def connect_s3() -> "S3Client":
    return boto3.client("s3")


def read_lines(spark: SparkSession, task: ReadTask) -> DataFrame:
    """Return the lines and outcomes of the files. They are kept, because several queries use them."""
    count = len(task.files)
    tasks = min(count, TASKS_PER_CORE * spark.sparkContext.defaultParallelism)
    frame = spark.range(0, count, 1, tasks).mapInArrow(task, from_arrow_schema(LINES))
    return frame.persist(StorageLevel.MEMORY_AND_DISK)


def collect_outcomes(lines: DataFrame) -> list[FileOutcome]:
    """Return the outcomes in the order of the files. This reads the files."""
    outcomes = lines.where("outcome IS NOT NULL").select("file", "outcome").collect()
    return [FileOutcome(**json.loads(outcome)) for _, outcome in sorted(outcomes)]


def to_rows(
    spark: SparkSession, lines: DataFrame, files: Sequence[tuple[int, SourceFile]], columns: StructType
) -> DataFrame:
    """Return the rows of some files: the columns of the data, and those with the origin of the row."""
    sources = [(index, file.key, file.version_id, datetime.fromisoformat(file.arrived_at)) for index, file in files]
    schema = "file INT, _source_key STRING, _source_version STRING, _arrived_at TIMESTAMP"
    rows = lines.where("record IS NOT NULL").join(f.broadcast(spark.createDataFrame(sources, schema)), "file")
    parsed_columns = StructType([*columns, StructField("_record", StringType())])
    parsed = rows.withColumn("_data", f.from_json("record", parsed_columns, JSON_OPTIONS))
    data = f.col("_data")
    return parsed.select(
        *(f.when(~f.array_contains("misread_columns", name), data[name]).alias(name) for name in columns.names),
        "_source_key",
        "_source_version",
        f.col("line").alias("_source_line"),
        "_arrived_at",
        f.when(~f.col("is_complete") | data["_record"].isNotNull(), f.col("record")).alias("_record"),
    )


def save(rows: DataFrame, folder: str, max_rows: int) -> None:
    """Write Parquet files, each with at most `max_rows` rows, to a folder."""
    options = {"mapreduce.fileoutputcommitter.marksuccessfuljobs": "false"}
    rows.write.mode("overwrite").options(compression="zstd", maxRecordsPerFile=max_rows, **options).parquet(folder)


def save_through_local_folder(rows: DataFrame, lake: str, folder_key: str, max_rows: int) -> None:
    """Write Parquet files to a folder of this machine, then copy them to the lake.

    This works only if all tasks run on this machine. On Glue, each worker would write to its own disk.
    """
    with tempfile.TemporaryDirectory() as folder:
        save(rows, f"{folder}/out", max_rows)
        for part in sorted(Path(folder, "out").glob("*.parquet")):
            connect_s3().put_object(Bucket=lake, Key=folder_key + part.name, Body=part.read_bytes())
