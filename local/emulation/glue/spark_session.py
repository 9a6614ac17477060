"""The child that `local.emulation.glue.spark_process.Session` talks to; runs in `.venv-spark`, imports nothing of the local platform.

One line of JSON in, one out: runs of the job, and what readers see, which is what the pointers name and nothing else.
"""

import json
import os
import sys
import tempfile
import traceback
from collections.abc import Callable, Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path, PurePosixPath
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import SparkSession

from handlers.ingestion.glue import job
from handlers.ingestion.glue.object_storage import open_storage


def main() -> None:
    """Answers until nobody asks any more."""
    # Spark, and whatever it starts, may print: only answers go where answers are expected.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    for line in sys.stdin:
        question = json.loads(line)
        answer = _DO[question.pop("do")](question)
        answers.write(json.dumps(answer, default=_plain) + "\n")
        answers.flush()
    if started := SparkSession.getActiveSession():
        started.stop()


def _spark() -> SparkSession:
    """The one session. Who only reads what was written needs none."""
    return SparkSession.builder.getOrCreate()


def _run(question: dict[str, Any]) -> dict[str, Any]:
    try:
        return {"counts": job.main(question["argv"], _spark())}
    except Exception as error:  # noqa: BLE001 # a failed run is an answer
        traceback.print_exc()
        return {"error": f"{type(error).__name__}: {error}"}


def _rows(question: dict[str, Any]) -> dict[str, Any]:
    tables = _tables(question["lake"], question["manifests"])
    return {"rows": [row for _, table in tables for row in table.to_pylist()]}


def _query(question: dict[str, Any]) -> dict[str, Any]:
    spark = _spark()
    with tempfile.TemporaryDirectory() as folder:
        for number, (_, table) in enumerate(_tables(question["lake"])):
            pq.write_table(table, Path(folder, f"{number}.parquet"))
        spark.read.parquet(folder).createOrReplaceTempView("lake")
        return {"rows": [row.asDict(recursive=True) for row in spark.sql(question["sql"]).collect()]}


def _files(question: dict[str, Any]) -> dict[str, Any]:
    found = []
    for path, raw in _objects(question["lake"]):
        file = pq.ParquetFile(pa.BufferReader(raw))
        found.append(
            {
                "path": path,
                "rows": file.metadata.num_rows,
                "bytes": len(raw),
                "codec": file.metadata.row_group(0).column(0).compression,
                "schema": {one.name: str(one.type) for one in file.schema_arrow},
            }
        )
    return {"files": found}


def _tables(lake: str, manifests: Sequence[str] = ()) -> list[tuple[str, Any]]:
    return [(path, pq.read_table(pa.BufferReader(raw))) for path, raw in _objects(lake, manifests)]


def _objects(lake: str, manifests: Sequence[str] = ()) -> list[tuple[str, bytes]]:
    """What the pointers of some manifests name, or of all where none is named."""
    storage = open_storage(lake)
    pointers = [
        storage.read(uri).decode()
        for uri in storage.list_uris(f"{lake}pointers/")
        if not manifests or PurePosixPath(uri).stem in manifests
    ]
    return [(path, storage.read(path)) for pointer in pointers for path in pointer.splitlines()]


def _plain(value: object) -> object:
    match value:
        case date():
            return value.isoformat()
        case Decimal():
            return str(value)
    raise TypeError(type(value).__name__)


_DO: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "run": _run,
    "rows": _rows,
    "query": _query,
    "files": _files,
}

if __name__ == "__main__":
    main()
