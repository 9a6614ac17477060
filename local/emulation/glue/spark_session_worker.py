"""The child process of `spark_process.SparkChildSession`. It runs in `.venv-spark` and imports no module of `local`.

It reads one request per line as JSON and writes one line of JSON as the answer. It runs the job, and reads the lake as
readers do: only the files that the pointers name.
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
    """Answer requests until the standard input is closed."""
    # Spark and its child processes may print. Their output goes to standard error, so only answers go to the parent.
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
    """Return the session, and start it on first use. Reading the lake's files needs no session."""
    return SparkSession.builder.getOrCreate()


def _run(question: dict[str, Any]) -> dict[str, Any]:
    try:
        return {"counts": job.main(question["argv"], _spark())}
    except Exception as error:  # noqa: BLE001 # a failed run is a result, too
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
    files = []
    for path, raw in _objects(question["lake"]):
        file = pq.ParquetFile(pa.BufferReader(raw))
        files.append(
            {
                "path": path,
                "rows": file.metadata.num_rows,
                "bytes": len(raw),
                "codec": file.metadata.row_group(0).column(0).compression,
                "schema": {column.name: str(column.type) for column in file.schema_arrow},
            }
        )
    return {"files": files}


def _tables(lake: str, manifests: Sequence[str] = ()) -> list[tuple[str, Any]]:
    return [(path, pq.read_table(pa.BufferReader(raw))) for path, raw in _objects(lake, manifests)]


def _objects(lake: str, manifests: Sequence[str] = ()) -> list[tuple[str, bytes]]:
    """Return the files that the pointers of the given manifests name, or those of all manifests."""
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
