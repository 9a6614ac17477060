"""How fast the Glue job is beside DuckDB and pyarrow, on one generated manifest, and what that means on Glue.

Each engine is a process of its own, and the rounds of all alternate, so that a machine that slows down slows all of
them down. Spark runs the real job, start to end, on a folder in place of S3. The other two read the same files, widen
the same column, add where each row comes from and write the same zstd Parquet. What they do not do: set bad lines
aside, know each line's number where a file has blank ones (pyarrow), see a name given twice, keep what has no column,
publish.

The job runs once more on a single file: what that takes is starting (Java, Spark, the first query's code), and the
difference to the whole manifest is the work. Only the work is divided among a larger cluster's cores.

Memory is the proportional share (PSS) of the whole process tree, looked at ten times a second.
"""

import argparse
import gzip
import json
import os
import platform
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from handlers.ingestion.glue.storage import Folder  # noqa: E402 # the project is no package: its root must be known first
from local import spark  # noqa: E402

FILE_MB = 3.5
DATE = "2026-01-02"
MB = 1_000_000
JAVA = {"spark.driver.memory": "4g", "spark.driver.extraJavaOptions": "-XX:-UsePerfData"}
"""Java as on Glue, not as in tests: the full compiler, and memory as a small worker has it."""
PRICES = ROOT / "policies" / "guardrails" / "pricing" / "book.toml"
JOBS_A_MONTH = 40 * 30
WORKERS = {"G.1X": (1, 4), "G.2X": (2, 8), "G.4X": (4, 16)}
"""DPU and vCPU of a worker. One worker of each run holds the driver and reads no file."""
CHOICES = (("G.1X", 2), ("G.1X", 3), ("G.1X", 5), ("G.1X", 10), ("G.2X", 2), ("G.4X", 2))

JOB, STARTING = "Spark (the job)", "  one file"

DUCKDB = """
import sys, duckdb
folder, target, threads = sys.argv[1:]
duckdb.sql(f"SET threads = {threads}; SET memory_limit = '4GB'; SET preserve_insertion_order = false")
duckdb.sql(f'''COPY (
  SELECT * EXCLUDE filename, filename AS _source_key, row_number() OVER (PARTITION BY filename) AS _source_line
  FROM read_json('{folder}/*', format = 'newline_delimited', filename = true, sample_size = -1)
) TO '{target}/out.parquet' (FORMAT parquet, COMPRESSION zstd)''')
"""
PYARROW = """
import sys, pathlib, concurrent.futures, pyarrow as pa, pyarrow.json, pyarrow.parquet
folder, target, threads = sys.argv[1:]
pa.set_cpu_count(int(threads))
def table(path):
    read = pyarrow.json.read_json(path)
    names = pa.array([path.name]).take(pa.array([0] * len(read)))
    return read.append_column("_source_key", names).append_column("_source_line", pa.array(range(1, len(read) + 1)))
paths = sorted(pathlib.Path(folder).iterdir())
with concurrent.futures.ThreadPoolExecutor(int(threads)) as pool:
    tables = list(pool.map(table, paths))
whole = pa.concat_tables(tables, promote_options="permissive")
pyarrow.parquet.write_table(whole, f"{target}/out.parquet", compression="zstd")
"""


@dataclass
class Measured:
    """One engine's one round."""

    seconds: float
    peak_mb: float
    output_mb: float
    first_pass: float = 0.0
    second_pass: float = 0.0


def main() -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=700)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--slower", type=float, default=2.0, help="how much slower than a core here a Glue vCPU may be")
    given = parser.parse_args()
    cores = os.cpu_count() or 1
    with tempfile.TemporaryDirectory(prefix="polyphony-bench-") as name:
        base = Path(name)
        size = _generate(base, given.megabytes)
        print(
            f"{platform.system()} {platform.machine()}, {_processor()}, {cores} cores, Python {platform.python_version()}"
        )
        print(f"{len(list((base / 'plain').iterdir()))} files, {size / MB:.0f} MB, median of {given.rounds} rounds\n")
        rounds: dict[str, list[Measured]] = {JOB: [], STARTING: [], "DuckDB": [], "pyarrow": []}
        for number in range(given.rounds):
            rounds[STARTING].append(_spark(base, "single", f"r{number}", cores))
            rounds[JOB].append(_spark(base, "bench", f"r{number}", cores))
            rounds["DuckDB"].append(_script(DUCKDB, base, cores))
            rounds["pyarrow"].append(_script(PYARROW, base, cores))
        medians = {engine: _median(some) for engine, some in rounds.items()}
        _engines(medians, size)
        _glue(medians, size, cores, given.slower)


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")


def _generate(base: Path, megabytes: int) -> int:
    """Files of 3.5 MB, each both as a version that the job reads and under a name for the others."""
    chance = random.Random(1)  # noqa: S311 # the same data each time
    words = [f"{chance.randrange(16**6):06x}" for _ in range(5000)]
    objects = Folder(base / "objects")
    (base / "plain").mkdir()
    files = []
    for number in range(max(1, round(megabytes / FILE_MB))):
        lines: list[str] = []
        length = 0
        while length < FILE_MB * MB:
            lines.append(json.dumps(_record(chance, words, number)))
            length += len(lines[-1]) + 1
        body = ("\n".join(lines) + "\n").encode()
        key = f"incoming/{number:04}.ndjson"
        staged = objects.version_path(f"s3://landing/{key}", "v1")
        staged.parent.mkdir(parents=True, exist_ok=True)
        staged.write_bytes(body)
        (base / "plain" / f"{number:04}.ndjson").hardlink_to(staged)
        files.append(_entry(key, len(body)))
    for name, some in (("bench", files), ("single", files[:1])):
        listed = {"schemaVersion": 1, "manifestId": name, "createdAt": f"{DATE}T00:00:00.000Z", "files": some}
        objects.put(f"s3://lake/manifests/{name}.confirmed.json", json.dumps(listed).encode())
    sample = (base / "plain" / "0000.ndjson").read_bytes()
    print(
        f"a record has {len(sample) // sample.count(10)} bytes; gzip makes a file {len(sample) / len(gzip.compress(sample)):.1f} times smaller"
    )
    return sum(int(str(one["size"])) for one in files)


def _record(chance: random.Random, words: list[str], number: int) -> dict[str, object]:
    return {
        "id": f"{chance.randrange(16**24):024x}",
        "at": f"{DATE}T{chance.randrange(24):02}:{chance.randrange(60):02}:{chance.randrange(60):02}.{chance.randrange(1000):03}Z",
        "user": chance.choice(words),
        "kind": chance.choice(["view", "click", "purchase"]),
        # Whole in some files, not in others: the column is widened.
        "amount": chance.randrange(10_000) if number % 2 else chance.randrange(1_000_000) / 100,
        "ok": chance.random() < 0.9,
        "place": {
            "lat": round(chance.uniform(-90, 90), 5),
            "lon": round(chance.uniform(-180, 180), 5),
            "city": chance.choice(words),
        },
        "tags": chance.sample(words, chance.randrange(4)),
        "text": " ".join(chance.choices(words, k=20)),
    }


def _entry(key: str, size: int) -> dict[str, object]:
    return {
        "bucket": "landing",
        "key": key,
        "versionId": "v1",
        "size": size,
        "arrivedAt": f"{DATE}T03:04:05.678Z",
        "datePrefix": DATE,
        "fileKey": f"{key}#v1",
    }


def _spark(base: Path, manifest_id: str, run_id: str, cores: int) -> Measured:
    scratch = base / "scratch"
    scratch.mkdir(exist_ok=True)
    settings = {**JAVA, "spark.master": f"local[{cores}]"}
    variables = spark.environment(scratch, objects=base / "objects", settings=settings)
    argv = spark.arguments(f"s3://lake/manifests/{manifest_id}.confirmed.json", "s3://lake/", run_id)
    seconds, peak, printed = _watched([str(spark.PYTHON), "-P", str(spark.JOB), *argv], variables)
    counts = json.loads(printed.splitlines()[-1])
    found = (base / "objects" / "lake" / "data").rglob(f"run={manifest_id}-*/*.parquet")
    written = sum(one.stat().st_size for one in found)
    return Measured(seconds, peak, written / MB, counts["seconds_first_pass"], counts["seconds_second_pass"])


def _script(script: str, base: Path, cores: int) -> Measured:
    target = base / "out"
    target.mkdir()
    command = [str(spark.PYTHON), "-P", "-c", script, str(base / "plain"), str(target), str(cores)]
    seconds, peak, _ = _watched(command, os.environ)
    written = sum(one.stat().st_size for one in target.iterdir())
    shutil.rmtree(target)
    return Measured(seconds, peak, written / MB)


def _watched(command: list[str], variables: Mapping[str, str]) -> tuple[float, float, str]:
    """Runs a command; its seconds, the peak of its tree's memory in MB, and what it printed."""
    began = time.monotonic()
    process = subprocess.Popen(command, env=dict(variables), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    peak, over = 0.0, threading.Event()

    def watch() -> None:
        nonlocal peak
        while not over.wait(0.1):
            peak = max(peak, sum(_pss(pid) for pid in _tree(process.pid)))

    watcher = threading.Thread(target=watch)
    watcher.start()
    printed, complaint = process.communicate()
    seconds = time.monotonic() - began
    over.set()
    watcher.join()
    if process.returncode:
        sys.exit(f"{command[:3]} failed:\n{complaint[-3000:]}")
    return seconds, peak, printed


def _tree(pid: int) -> list[int]:
    found = [pid]
    for one in found:
        try:
            for task in Path(f"/proc/{one}/task").iterdir():
                found += [int(child) for child in (task / "children").read_text().split()]
        except OSError:
            continue  # it has ended meanwhile
    return found


def _pss(pid: int) -> float:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) * 1024 / MB for line in lines if line.startswith("Pss:"))


def _median(some: list[Measured]) -> Measured:
    columns = zip(*(vars(one).values() for one in some), strict=True)
    return Measured(*(statistics.median(column) for column in columns))


def _engines(medians: Mapping[str, Measured], size: int) -> None:
    fastest = medians["DuckDB"].seconds
    print(f"{'':18}{'s':>8}{'MB/s':>8}{'ratio':>8}{'peak MB':>10}{'out MB':>8}")
    for engine, one in medians.items():
        rate = f"{size / MB / one.seconds:8.1f}{one.seconds / fastest:8.2f}" if engine != STARTING else " " * 16
        print(f"{engine:18}{one.seconds:8.1f}{rate}{one.peak_mb:10.0f}{one.output_mb:8.1f}")
    job = medians[JOB]
    work = job.seconds - medians[STARTING].seconds
    print(
        f"\nof the job: first pass {job.first_pass:.1f} s, second {job.second_pass:.1f} s, with what starting adds to them"
    )
    print(f"once started: {(size / MB - FILE_MB) / work:.1f} MB/s, {work / fastest:.1f} times as long as DuckDB")


def _glue(medians: Mapping[str, Measured], size: int, cores: int, slower: float) -> None:
    """What a manifest of 700 MB takes on Glue, if a vCPU there is so much slower than a core here."""
    book = tomllib.loads(PRICES.read_text())
    standard, flex = book["glue_dpu_hour"]["usd"], book["glue_flex_dpu_hour"]["usd"]
    starting = medians[STARTING].seconds * slower
    work = (medians[JOB].seconds - medians[STARTING].seconds) * cores * slower * 700 * MB / size  # vCPU-seconds
    print(
        f"\na manifest of 700 MB on Glue: {slower:g} times slower a vCPU, a minute billed at least, {JOBS_A_MONTH} a month"
    )
    print(
        f"{'workers':12}{'DPU':>5}{'cores':>7}{'s':>7}{'billed min':>12}{'standard $':>12}{'flex $':>9}{'$/month':>9}{'flex':>8}"
    )
    for kind, count in CHOICES:
        dpu, vcpus = WORKERS[kind][0] * count, WORKERS[kind][1] * (count - 1)
        seconds = starting + work / vcpus
        billed = max(60.0, seconds) / 60
        cost, cheap = (dpu * billed / 60 * price for price in (standard, flex))
        print(
            f"{kind + ' x ' + str(count):12}{dpu:5}{vcpus:7}{seconds:7.0f}{billed:12.2f}{cost:12.4f}{cheap:9.4f}"
            f"{cost * JOBS_A_MONTH:9.2f}{cheap * JOBS_A_MONTH:8.2f}"
        )


if __name__ == "__main__":
    main()
