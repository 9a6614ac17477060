"""The two passes of the job on Spark. No other module uses Spark, except `job`, which creates the session.

The first pass finds the records of the files and their columns, and the second pass writes the Parquet files. The
executors read the objects by version. Python gives the rows to Spark as Arrow batches, and Spark writes Parquet.

A failure on an executor is reported with its type and source line, and in the first pass also with the index of the
file. Its message is left out, because it may quote a record. Only a StorageFailed keeps its message, which contains
neither keys nor content.
"""

import tempfile
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa
from pyspark.sql import DataFrame, Observation, SparkSession
from pyspark.sql import functions as f
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.types import StructType

from handlers.ingestion.glue.arrow_batches import ColumnPlan, FileBatches
from handlers.ingestion.glue.file_list_and_result_json import SourceFile
from handlers.ingestion.glue.file_scan import FileScan, scan_file
from handlers.ingestion.glue.object_storage import ObjectStorage, StorageFailed, open_storage
from handlers.ingestion.glue.task_distribution import SCAN_TASKS_PER_CORE, distribute_files

Result = TypeVar("Result")


class TaskFailed(Exception):
    """A task failed on an executor."""


@dataclass(frozen=True)
class ScanTask:
    """Function of the first pass. Spark sends it to the executors."""

    files: tuple[SourceFile, ...]
    rejected_uris: tuple[str, ...]
    """For each file, the folder for its rejected lines."""

    def __call__(self, groups: Iterable[list[int]]) -> Iterator[FileScan]:
        """Scan the files whose indices are in the groups."""
        for group in groups:
            for index in group:
                yield _hide_message(partial(self._scan, index), f" of files[{index}]")

    def _scan(self, index: int) -> FileScan:
        file = self.files[index]
        return scan_file(file, open_storage(file.uri), f"{self.rejected_uris[index]}{index:05}")


@dataclass(frozen=True)
class ReadTask:
    """Function of the second pass. Spark sends it to the executors."""

    files: tuple[SourceFile, ...]
    groups: tuple[tuple[int, ...], ...]
    """Indices of the files of each task."""
    plan: ColumnPlan
    schema: StructType

    def __call__(self, batches: Iterable["pa.RecordBatch"]) -> Iterator["pa.RecordBatch"]:
        """Yield the records of some groups of files. Each input row is the number of a group."""
        source = FileBatches(self.plan, to_arrow_schema(self.schema))
        for batch in batches:
            for group in batch.column(0).to_pylist():
                for index in self.groups[group]:
                    file = self.files[index]
                    file_batches = source.read_file(file, open_storage(file.uri))
                    while (file_batch := _hide_message(partial(next, file_batches, None))) is not None:
                        yield file_batch


class SparkPasses:
    def __init__(self, spark: SparkSession, *, local_spark: bool) -> None:
        """`local_spark`: True if Spark runs only on this machine and cannot write to S3."""
        self._spark = spark
        self._local_spark = local_spark

    @property
    def cores(self) -> int:
        """Number of tasks that Spark can run at the same time."""
        return int(self._spark.sparkContext.defaultParallelism)

    def parse_schema(self, ddl: str) -> dict[str, Any]:
        schema: dict[str, Any] = self._spark.createDataFrame([], ddl).schema.jsonValue()
        return schema

    def scan(self, files: Sequence[SourceFile], rejected_uri: Callable[[str], str]) -> list[FileScan]:
        """Run the first pass. Return the scans in the order of the files.

        `rejected_uri` returns the folder for the rejected lines of a date.
        """
        groups = distribute_files([file.size for file in files], SCAN_TASKS_PER_CORE * self.cores)
        task = ScanTask(tuple(files), tuple(rejected_uri(file.date_prefix) for file in files))
        scans = self._spark.sparkContext.parallelize(groups, len(groups)).mapPartitions(task).collect()
        order = {file: number for number, file in enumerate(files)}
        return sorted(scans, key=lambda scan: order[scan.file])

    def write(
        self,
        scans: Sequence[FileScan],
        plan: ColumnPlan,
        schema: dict[str, Any],
        uri: str,
        *,
        tasks: int,
        max_rows: int,
    ) -> int:
        """Run the second pass: write Parquet files to the folder `uri`. Return the number of rows written.

        `tasks` is the maximum number of tasks, `max_rows` the maximum number of rows in one Parquet file.
        """
        groups = distribute_files([scan.content_bytes for scan in scans], tasks)
        structure = StructType.fromJson(schema)
        task = ReadTask(
            files=tuple(scan.file for scan in scans),
            groups=tuple(tuple(group) for group in groups),
            plan=plan,
            schema=structure,
        )
        frame = self._spark.range(0, len(groups), 1, len(groups)).mapInArrow(task, structure)
        observation = Observation()
        frame = frame.observe(observation, f.count(f.lit(1)).alias("rows"))
        if self._local_spark:
            _save_through_folder(frame, uri, max_rows)
        else:
            _save(frame, uri, max_rows)
        return int(observation.get["rows"])


def _save(frame: DataFrame, target: str, max_rows: int) -> None:
    frame.write.mode("overwrite").options(
        compression="zstd",
        maxRecordsPerFile=max_rows,
        **{"mapreduce.fileoutputcommitter.marksuccessfuljobs": "false"},
    ).parquet(target)


def _save_through_folder(frame: DataFrame, uri: str, max_rows: int) -> None:
    """Write Parquet files to a folder of this machine, then copy them to the object storage.

    This works only if all tasks run on this machine. On Glue, each worker would write to its own disk.
    """
    with tempfile.TemporaryDirectory() as folder:
        _save(frame, f"{folder}/out", max_rows)
        storage: ObjectStorage = open_storage(uri)
        for part in sorted(Path(folder, "out").glob("*.parquet")):
            storage.put(uri + part.name, part.read_bytes())


def _hide_message(work: Callable[[], Result], subject: str = "") -> Result:
    """Run `work` and return its result. Raise TaskFailed for any error, with a message that quotes no content."""
    try:
        return work()
    except Exception as error:  # noqa: BLE001 # the message of any error may quote content
        frame = traceback.extract_tb(error.__traceback__)[-1]
        detail = f" ({error})" if isinstance(error, StorageFailed) else ""
        message = f"{type(error).__name__}{detail} at {Path(frame.filename).name}:{frame.lineno}{subject}"
    raise TaskFailed(message)
