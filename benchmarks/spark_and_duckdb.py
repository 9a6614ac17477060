"""Comparison of ingestion's Glue job with DuckDB: both convert the generated files of one manifest (a list of files) to
Parquet.

Spark runs the shipped job from start to end, with a folder in place of S3. DuckDB reads the same files, adds the source
of each row and writes the same kind of Parquet. Unlike the job, it stores neither rejected lines (which are not JSON
records) nor values without a column. It also writes no pointers, with which readers find the Parquet files of a run.
The job also runs on a single file, which shows how long the start of Spark takes.
"""

import argparse
import json
import os
import random
import shutil
import tempfile
from pathlib import Path

from benchmarks.benchmark_report import percentile, print_heading, print_table
from benchmarks.process_use import MB, ProcessUse, run_process
from handlers.ingestion.glue.object_storage import FolderStorage
from local.emulation.glue import spark_process

FILE_MB = 3.5
DATE = "2026-01-02"
JAVA = {"spark.driver.memory": "4g", "spark.driver.extraJavaOptions": "-XX:-UsePerfData"}
"""Options of Spark's Java process as on Glue, with the memory of a small worker. They replace those of the local
platform, which starts faster because it switches off Java's optimizing compiler."""
CORES = os.cpu_count() or 1
DUCKDB = """
import sys, duckdb
folder, target, threads = sys.argv[1:]
duckdb.sql(f"SET threads = {threads}; SET memory_limit = '4GB'; SET preserve_insertion_order = false")
duckdb.sql(f'''COPY (
  SELECT * EXCLUDE filename, filename AS _source_key, row_number() OVER (PARTITION BY filename) AS _source_line
  FROM read_json('{folder}/*', format = 'newline_delimited', filename = true, sample_size = -1)
) TO '{target}/out.parquet' (FORMAT parquet, COMPRESSION zstd)''')
"""


def generate_files(folder: Path, megabytes: int) -> None:
    """Write files and two manifests: `whole` lists all files, `single` only the first."""
    generator = random.Random(1)  # noqa: S311 - the same data each time
    words = [f"{generator.randrange(16**6):06x}" for _ in range(5000)]
    objects = FolderStorage(folder / "objects")
    (folder / "plain").mkdir()
    files = []
    for number in range(max(1, round(megabytes / FILE_MB))):
        lines: list[str] = []
        size = 0
        while size < FILE_MB * MB:
            lines.append(json.dumps(_create_row(generator, words, number)))
            size += len(lines[-1]) + 1
        key = f"incoming/{number:04}.ndjson"
        path = objects.version_path(f"s3://landing/{key}", "v1")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(lines) + "\n")
        (folder / "plain" / f"{number:04}.ndjson").hardlink_to(path)
        other_fields = {
            "versionId": "v1",
            "arrivedAt": f"{DATE}T03:04:05.678Z",
            "datePrefix": DATE,
            "fileKey": f"{key}#v1",
        }
        files.append({"bucket": "landing", "key": key, "size": size, **other_fields})
    for name, listed in (("whole", files), ("single", files[:1])):
        manifest = {"schemaVersion": 1, "manifestId": name, "createdAt": f"{DATE}T00:00:00.000Z", "files": listed}
        objects.put(f"s3://lake/manifests/{name}.confirmed.json", json.dumps(manifest).encode())


def _create_row(generator: random.Random, words: list[str], file_number: int) -> dict[str, object]:
    return {
        "id": f"{generator.randrange(16**24):024x}",
        "at": f"{DATE}T{generator.randrange(24):02}:{generator.randrange(60):02}:00.000Z",
        "user": generator.choice(words),
        "kind": generator.choice(["view", "click", "purchase"]),
        # Integers in some files and decimals in others, so the column must be widened.
        "amount": generator.randrange(10_000) if file_number % 2 else generator.randrange(1_000_000) / 100,
        "ok": generator.random() < 0.9,
        "place": {"lat": round(generator.uniform(-90, 90), 5), "city": generator.choice(words)},
        "tags": generator.sample(words, generator.randrange(4)),
        "text": " ".join(generator.choices(words, k=20)),
    }


def run_job(folder: Path, manifest_id: str, run_id: str) -> ProcessUse:
    """Run the Glue job on a manifest."""
    scratch = folder / "scratch"
    scratch.mkdir(exist_ok=True)
    settings = {**JAVA, "spark.master": f"local[{CORES}]"}
    variables = spark_process.spark_environment(scratch, objects=folder / "objects", settings=settings)
    arguments = spark_process.job_arguments(f"s3://lake/manifests/{manifest_id}.confirmed.json", "s3://lake/", run_id)
    return run_process([str(spark_process.PYTHON), "-P", str(spark_process.JOB_SCRIPT), *arguments], variables, scratch)


def run_duckdb(folder: Path) -> ProcessUse:
    """Convert all files with DuckDB."""
    target = folder / "out"
    target.mkdir()
    command = [str(spark_process.PYTHON), "-P", "-c", DUCKDB, str(folder / "plain"), str(target), str(CORES)]
    measured = run_process(command, os.environ, target)
    shutil.rmtree(target)
    return measured


def main() -> None:
    """Print one row for each kind of run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=700)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    print_heading(f"Spark job: {options.megabytes} MB of NDJSON, median of {options.rounds} rounds")
    runs: dict[str, list[ProcessUse]] = {"Glue job": [], "Glue job, one file": [], "DuckDB": []}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        generate_files(folder, options.megabytes)
        for number in range(options.rounds):
            runs["Glue job"].append(run_job(folder, "whole", f"r{number}"))
            runs["Glue job, one file"].append(run_job(folder, "single", f"r{number}"))
            runs["DuckDB"].append(run_duckdb(folder))
    print_table(
        {
            kind_of_run: {
                "elapsed, s": percentile([use.elapsed_seconds for use in uses], 0.5),
                "processor, s": percentile([use.processor_seconds for use in uses], 0.5),
                "peak memory, MB": round(percentile([use.memory_mb for use in uses], 0.5)),
            }
            for kind_of_run, uses in runs.items()
        }
    )


if __name__ == "__main__":
    main()
