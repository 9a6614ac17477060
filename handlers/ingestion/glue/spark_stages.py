"""The job's two passes over the data, on Spark: the only module that knows it.

Executors fetch the objects themselves, by version. Tables come out of Python as Arrow batches and are written by Spark.
What goes wrong on an executor is reported by type and place, and by the file's number on the list: a message may quote a
record. Storage's alone names neither key nor content, and is told.
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

from handlers.ingestion.glue.arrow_batches import Batches, Plan
from handlers.ingestion.glue.file_list_and_result import SourceFile
from handlers.ingestion.glue.file_scan import Scan, scan_file
from handlers.ingestion.glue.object_storage import Storage, StorageFailed, open_storage
from handlers.ingestion.glue.task_distribution import TASKS_A_CORE, distribute_files

Result = TypeVar("Result")


class TaskFailed(Exception):
    """Something went wrong on an executor."""


@dataclass(frozen=True)
class Scanning:
    """The first pass, as it is sent to the executors."""

    files: tuple[SourceFile, ...]
    rejected: tuple[str, ...]

    def __call__(self, groups: Iterable[list[int]]) -> Iterator[Scan]:
        """The files of some groups, looked at."""
        for group in groups:
            for index in group:
                yield _quietly(partial(self._scan, index), f" of files[{index}]")

    def _scan(self, index: int) -> Scan:
        file = self.files[index]
        return scan_file(file, open_storage(file.uri), f"{self.rejected[index]}{index:05}")


@dataclass(frozen=True)
class Reading:
    """The second pass, as it is sent to the executors."""

    files: tuple[SourceFile, ...]
    groups: tuple[tuple[int, ...], ...]
    plan: Plan
    schema: StructType

    def __call__(self, batches: Iterable["pa.RecordBatch"]) -> Iterator["pa.RecordBatch"]:
        """The batches of the groups whose numbers come in."""
        rows = Batches(self.plan, to_arrow_schema(self.schema))
        for batch in batches:
            for group in batch.column(0).to_pylist():
                for index in self.groups[group]:
                    file = self.files[index]
                    made = rows.of_file(file, open_storage(file.uri))
                    while (one := _quietly(partial(next, made, None))) is not None:
                        yield one


class Stages:
    """The passes over one run's files."""

    def __init__(self, spark: SparkSession) -> None:
        self._spark = spark

    @property
    def cores(self) -> int:
        """How many tasks run at a time."""
        return int(self._spark.sparkContext.defaultParallelism)

    def schema(self, ddl: str) -> dict[str, Any]:
        """A schema's DDL as Spark understands it."""
        parsed: dict[str, Any] = self._spark.createDataFrame([], ddl).schema.jsonValue()
        return parsed

    def scan(self, files: Sequence[SourceFile], rejected: Callable[[str], str]) -> list[Scan]:
        """The first pass, in the order of the files."""
        groups = distribute_files([one.size for one in files], TASKS_A_CORE * self.cores)
        scanning = Scanning(tuple(files), tuple(rejected(one.date_prefix) for one in files))
        found = self._spark.sparkContext.parallelize(groups, len(groups)).mapPartitions(scanning).collect()
        order = {file: number for number, file in enumerate(files)}
        return sorted(found, key=lambda scan: order[scan.file])

    def write(
        self, scans: Sequence[Scan], plan: Plan, schema: dict[str, Any], uri: str, *, tasks: int, most: int
    ) -> int:
        """The second pass: Parquet below an address. Gives how many rows were written."""
        groups = distribute_files([one.content_bytes for one in scans], tasks)
        structure = StructType.fromJson(schema)
        reading = Reading(
            files=tuple(one.file for one in scans),
            groups=tuple(tuple(group) for group in groups),
            plan=plan,
            schema=structure,
        )
        frame = self._spark.range(0, len(groups), 1, len(groups)).mapInArrow(reading, structure)
        counted = Observation()
        frame = frame.observe(counted, f.count(f.lit(1)).alias("rows"))
        _save(self._spark, frame, uri, most)
        return int(counted.get["rows"])


def _save(spark: SparkSession, frame: DataFrame, uri: str, most: int) -> None:
    """Writes Parquet to an address: directly where this Spark knows s3://, else by way of a local folder.

    Glue's Spark does, the wheel's does not. Nothing else differs between them.
    """

    def save(target: str) -> None:
        frame.write.mode("overwrite").options(
            compression="zstd",
            maxRecordsPerFile=most,
            **{"mapreduce.fileoutputcommitter.marksuccessfuljobs": "false"},
        ).parquet(target)

    if spark.sparkContext._jsc.hadoopConfiguration().get("fs.s3.impl"):  # noqa: SLF001 # PySpark has no public way
        save(uri)
        return
    with tempfile.TemporaryDirectory() as folder:
        save(f"{folder}/out")
        storage: Storage = open_storage(uri)
        for part in sorted(Path(folder, "out").glob("*.parquet")):
            storage.put(uri + part.name, part.read_bytes())


def _quietly(work: Callable[[], Result], of: str = "") -> Result:
    try:
        return work()
    except Exception as error:  # noqa: BLE001 # whatever it is, its message may quote content
        where = traceback.extract_tb(error.__traceback__)[-1]
        said = f" ({error})" if isinstance(error, StorageFailed) else ""
        message = f"{type(error).__name__}{said} at {Path(where.filename).name}:{where.lineno}{of}"
    raise TaskFailed(message)
