"""Program that runs ingestion's Glue job and reads its output, as the child process of
`spark_process.SparkChildSession`.

Each line on standard input is a request in JSON, and each line on standard output is the answer. `SparkChildSession`
describes the requests. The program runs in `.venv-spark`, which lacks the dependencies of `local`, so it imports no
module of `local`.

A run of the job processes a manifest, which is a list of files. It writes Parquet files to the lake, a bucket that
requests give as `s3://<bucket>/`. Then it publishes them with pointers. `pointers/dt=<date>/<manifest id>.txt` lists
the URIs of the Parquet files of one manifest and date. The program reads only Parquet files that a pointer lists.
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

import boto3
import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import SparkSession

from handlers.ingestion.glue import job


def main() -> None:
    """Answer requests until the standard input is closed."""
    # Spark and its child processes can print. Their output goes to standard error, so the parent reads only answers.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    for line in sys.stdin:
        request = json.loads(line)
        answer = _ACTIONS[request.pop("action")](request)
        answers.write(json.dumps(answer, default=_to_json_value) + "\n")
        answers.flush()
    if session := SparkSession.getActiveSession():
        session.stop()


def _get_spark() -> SparkSession:
    """Return the Spark session. It starts on first use, because some requests need no session."""
    return SparkSession.builder.getOrCreate()


def _run(request: dict[str, Any]) -> dict[str, Any]:
    try:
        return {"counts": job.main(request["argv"], _get_spark())}
    except Exception as error:  # noqa: BLE001 # a failed run is a result, too
        traceback.print_exc()
        return {"error": f"{type(error).__name__}: {error}"}


def _rows(request: dict[str, Any]) -> dict[str, Any]:
    tables = _read_tables(request["lake"], request["manifests"])
    return {"rows": [row for table in tables for row in table.to_pylist()]}


def _file_rows(request: dict[str, Any]) -> dict[str, Any]:
    """Return the first rows of one source file, in the order of its lines, and the number of all its rows."""
    key, version = request["source"]
    filters = [("_source_key", "=", key), ("_source_version", "=", version)]
    tables = [
        pq.read_table(pa.BufferReader(raw), filters=filters)
        for _, raw in _read_files(request["lake"], request["manifests"])
    ]
    # The file's rows can be in several tables, so its first lines are known only after each table was sorted.
    firsts = [table.sort_by("_source_line").slice(0, request["max_rows"]) for table in tables]
    rows = [row for table in firsts for row in table.to_pylist()]
    rows.sort(key=lambda row: row["_source_line"])
    return {"rows": rows[: request["max_rows"]], "total": sum(table.num_rows for table in tables)}


def _query(request: dict[str, Any]) -> dict[str, Any]:
    spark = _get_spark()
    with tempfile.TemporaryDirectory() as folder:
        for number, table in enumerate(_read_tables(request["lake"])):
            pq.write_table(table, Path(folder, f"{number}.parquet"))
        spark.read.parquet(folder).createOrReplaceTempView("lake")
        return {"rows": [row.asDict(recursive=True) for row in spark.sql(request["sql"]).collect()]}


def _files(request: dict[str, Any]) -> dict[str, Any]:
    files = []
    for uri, raw in _read_files(request["lake"]):
        file = pq.ParquetFile(pa.BufferReader(raw))
        files.append(
            {
                "path": uri,
                "rows": file.metadata.num_rows,
                "bytes": len(raw),
                "codec": file.metadata.row_group(0).column(0).compression,
                "schema": {column.name: str(column.type) for column in file.schema_arrow},
            }
        )
    return {"files": files}


def _read_tables(lake: str, manifests: Sequence[str] = ()) -> list[Any]:
    return [pq.read_table(pa.BufferReader(raw)) for _, raw in _read_files(lake, manifests)]


def _read_files(lake: str, manifests: Sequence[str] = ()) -> list[tuple[str, bytes]]:
    """Return URI and content of each Parquet file that the pointers of these manifests, or else all pointers, list."""
    bucket, s3 = lake.removeprefix("s3://").rstrip("/"), boto3.client("s3")

    def read(key: str) -> bytes:
        return bytes(s3.get_object(Bucket=bucket, Key=key)["Body"].read())

    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix="pointers/")
    keys = sorted(entry["Key"] for page in pages for entry in page.get("Contents", []))
    pointers = [read(key).decode() for key in keys if not manifests or PurePosixPath(key).stem in manifests]
    return [(uri, read(uri.removeprefix(lake))) for pointer in pointers for uri in pointer.splitlines()]


def _to_json_value(value: object) -> object:
    match value:
        case date():
            return value.isoformat()
        case Decimal():
            return str(value)
    raise TypeError(type(value).__name__)


_ACTIONS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "run": _run,
    "rows": _rows,
    "file_rows": _file_rows,
    "query": _query,
    "files": _files,
}

if __name__ == "__main__":
    main()
