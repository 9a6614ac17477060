"""The job on real Spark, against the emulator's S3: the output rows equal the input lines.

Each run processes the files of one manifest, a list of files. It writes Parquet files to the lake bucket, and publishes
them by pointers, which are objects that name the files of one manifest and date.
"""

import gzip
import json
import random
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import pytest

from components.ingestion.spark_job import to_ddl
from components.settings.ingestion import SparkSettings
from local import ROOT
from local.emulation.glue import spark_process
from tests.handlers.ingestion.glue.conftest import LAKE, LAKE_BUCKET, LANDING, SparkHarness
from tests.process_tree import list_listening_addresses, list_process_tree

pytestmark = [pytest.mark.spark, pytest.mark.xdist_group("spark")]

NEWEST_VIEW = ROOT / "handlers" / "ingestion" / "glue" / "newest.sql"
ODD_KEYS = ["a b.ndjson", "a+b.ndjson", "100%.ndjson", "a%20b%2F.ndjson", "ü/日本 🎈.MOV", "k" * 900, "a\n'\"\0.ndjson"]


def records(count: int, first_id: int = 0) -> list[bytes]:
    """Return lines with records of consecutive ids."""
    return [b'{"id":%d,"name":"n%d"}' % (number, number) for number in range(first_id, first_id + count)]


def join_lines(lines: Iterable[bytes]) -> bytes:
    return b"".join(line + b"\n" for line in lines)


VALID_FILES = {
    # More lines than a batch has, and random text, so that their Parquet file exceeds the target size.
    "plain": [
        b'{"id":%d,"noise":"%s"}' % (number, random.Random(number).randbytes(120).hex().encode())  # noqa: S311
        for number in range(9000)
    ],
    "gzip": records(3, 10100),
    "misnamed": records(2, 10200),
    "one line": records(1, 10400),
    "next day": records(2, 10500),
    **{key: records(1, 10800 + number) for number, key in enumerate(ODD_KEYS)},
}
"""Lines of the files of which each line becomes a row, by the file's name."""


@dataclass
class MixedRun:
    """One run of the job with all kinds of files."""

    files: dict[str, dict[str, Any]]
    """Entry of each file in the list of files, by the file's name."""
    counts: dict[str, Any]
    result: dict[str, Any]
    rows: list[dict[str, Any]]

    def rows_of(self, name: str) -> list[dict[str, Any]]:
        """Return the rows of a file in the order of its lines."""
        version = (self.files[name]["objectKey"], self.files[name]["versionId"])
        rows = [row for row in self.rows if (row["_source_key"], row["_source_version"]) == version]
        return sorted(rows, key=lambda row: int(row["_source_line"]))

    def result_of(self, name: str) -> tuple[str, str, int, int]:
        """Return the status and reason of a file, and its numbers of rows and rejected lines."""
        (entry,) = [entry for entry in self.result["files"] if entry["fileKey"] == self.files[name]["fileKey"]]
        return entry["status"], entry["reason"], entry["rows"], entry["rejectedRows"]


@pytest.fixture(scope="module")
def mixed(spark: SparkHarness) -> MixedRun:
    """Run the job once, with files of all kinds. S3 refuses to return one of them."""

    def upload(name: str, content: bytes, date: str = "2026-01-02", **options: str) -> dict[str, Any]:
        return spark.upload(f"incoming/mixed/{name}", content, date, **options)

    files = {
        "plain": upload("plain.ndjson", join_lines(VALID_FILES["plain"])),
        "gzip": upload("really-gzip.txt", gzip.compress(join_lines(VALID_FILES["gzip"]))),
        "misnamed": upload("not-gzip.gz", join_lines(VALID_FILES["misnamed"])),
        "one line": upload("one.ndjson", VALID_FILES["one line"][0]),
        "next day": upload("next.ndjson", join_lines(VALID_FILES["next day"]), "2026-01-03"),
        **{key: upload(key, join_lines(VALID_FILES[key])) for key in ODD_KEYS},
        "bad": upload(
            "bad.ndjson", join_lines([*records(1, 10300), b"canary-bad", b"", b"\xff", b"[]", *records(1, 10301)])
        ),
        "latin": upload("latin.ndjson", '{"a":"é"}\n'.encode("latin-1"), "2026-01-04"),
        "empty": upload("empty.ndjson", b""),
        "deleted": upload("deleted.ndjson", join_lines(records(1, 10600))),
        "archived": upload("archived-canary.ndjson", join_lines(records(2)), StorageClass="GLACIER"),
        "old": upload("twice.ndjson", join_lines(records(2, 10700))),
        "new": upload("twice.ndjson", join_lines(records(1, 10710))) | {"arrivedAt": "2026-01-02T03:04:05.900Z"},
    }
    spark.s3.delete_object(Bucket=LANDING, Key=files["deleted"]["objectKey"], VersionId=files["deleted"]["versionId"])
    spark.confirm("mixed", list(files.values()))
    run = spark.run("mixed", "r1")
    assert not run.error
    return MixedRun(files, run.counts, spark.result("mixed"), spark.rows("mixed"))


def test_each_line_of_a_file_with_any_key_and_compression_becomes_a_row(mixed: MixedRun) -> None:
    for name, lines in VALID_FILES.items():
        rows = mixed.rows_of(name)
        assert [row["_record"].encode() for row in rows] == lines, name
        assert [row["_source_line"] for row in rows] == list(range(1, len(lines) + 1)), name
        assert {row["_arrived_at"] for row in rows} == {"2026-01-02T03:04:05.678000+00:00"}, name
        assert mixed.result_of(name) == ("processed", "", len(lines), 0), name


def test_each_file_ends_processed_rejected_or_superseded_with_a_reason(mixed: MixedRun) -> None:
    assert [row["_source_line"] for row in mixed.rows_of("bad")] == [1, 6]
    assert mixed.result_of("bad") == ("processed", "", 2, 3)
    assert mixed.result_of("latin") == ("rejected", "no_good_line:not_utf8", 0, 1)
    assert mixed.result_of("empty") == ("processed", "empty", 0, 0)
    assert mixed.result_of("deleted") == ("superseded", "version_gone", 0, 0)
    assert mixed.result_of("archived") == ("rejected", "sealed", 0, 0)
    results = mixed.result["files"]
    assert [result["fileKey"] for result in results] == [file["fileKey"] for file in mixed.files.values()]
    assert mixed.counts["rows"] == len(mixed.rows) == sum(result["rows"] for result in results)


def test_both_versions_of_a_key_are_kept_and_the_view_shows_the_newer(mixed: MixedRun, spark: SparkHarness) -> None:
    assert (len(mixed.rows_of("old")), len(mixed.rows_of("new"))) == (2, 1)
    view = NEWEST_VIEW.read_text().replace("${table}", "lake")
    condition = "_source_key LIKE 'incoming/mixed/%' AND _source_line < 5"  # most rows have the same path
    view_rows = spark.session.query(LAKE, f"SELECT * FROM ({view}) WHERE {condition}")  # noqa: S608
    assert {row["_source_version"] for row in view_rows if row["_source_key"].endswith("/twice.ndjson")} == {
        mixed.files["new"]["versionId"]
    }
    assert len(view_rows) == len([row for row in mixed.rows if row["_source_line"] < 5]) - 2
    assert set(mixed.rows[0]) <= set(view_rows[0])
    assert "place" not in view_rows[0], "the view's query ranks the versions in `place`, which is no column of the view"


def test_output_is_zstd_parquet_by_date_below_the_runs_own_prefix(mixed: MixedRun, spark: SparkHarness) -> None:
    files = [file for file in spark.session.files(LAKE) if "/run=mixed-" in file["path"]]
    assert {file["codec"] for file in files} == {"ZSTD"}
    (run_name,) = {file["path"].split("/run=")[1].split("/")[0] for file in files}
    assert run_name.startswith("mixed-r1-")
    dates = ("2026-01-02", "2026-01-03")
    assert spark.lake_text("pointers/dt=2026-01-04/mixed.txt") == "", "a date without rows has an empty pointer"
    assert {file["path"].rpartition("/run=")[0] for file in files} == {f"{LAKE}data/dt={date}" for date in dates}
    for date in dates:
        paths = spark.lake_text(f"pointers/dt={date}/mixed.txt").splitlines()
        assert paths == sorted(file["path"] for file in files if f"dt={date}" in file["path"])
    assert files[0]["schema"]["_arrived_at"] == "timestamp[us, tz=UTC]"
    large_files = [file for file in files if file["rows"] > 100]
    assert len(large_files) > 1
    assert max(file["bytes"] for file in large_files) < 2.5 * 1024 * 1024, "the target of the run is 1 MB"


VALUES: dict[str, tuple[dict[str, Any], list[str]]] = {
    "boolean": ({"true": True}, ["1", '"true"']),
    "tinyint": ({"127": 127, "-128": -128}, ["128", "-129", "200", "1.0"]),
    "smallint": ({"-32768": -32768}, ["40000"]),
    "int": ({"-2147483648": -2147483648}, ["3000000000", '"7"']),
    "bigint": ({"9223372036854775807": 2**63 - 1}, ["9223372036854775808", "1.5"]),
    "double": ({"-1.5": -1.5, "7": 7.0, "9007199254740991": 9007199254740991.0}, ["1e400", "-1e400", '"NaN"', '"1.5"']),
    "decimal(10,2)": (
        {"12.5": "12.50", '"12.50"': "12.50", "12345678.5": "12345678.50", "1e3": "1000.00"},
        ["12.505", "1e30", '"12,50"', '"1,200"', "true", '"x"', '" 1"', "1e-999", '"1e99999"', "1" * 999],
    ),
    "decimal(38,38)": ({'"0.00000000000000000000000000000000000001"': "1E-38"}, ["1"]),
    "string": ({'"a"': "a", "1.5": "1.5", "true": "true", '{"a": [1]}': '{"a":[1]}', '"\\u0000"': "\0"}, []),
    "date": (
        {'"2024-02-29"': "2024-02-29", '"0001-01-01"': "0001-01-01"},
        ['"2026-13-01"', '"2026-02-29"', '"2026"', '"2026-01-02T03:04:05Z"', "20260102"],
    ),
    "timestamp": (
        {
            '"2026-01-02T03:04:05Z"': "2026-01-02T03:04:05+00:00",
            '"2026-01-02T03:04:05.123456+01:00"': "2026-01-02T02:04:05.123456+00:00",
            '"2026-01-02 03:04:05-17:59"': "2026-01-02T21:03:05+00:00",
        },
        [
            *('"2026-01-02T03:04:05"', '"2026-01-02"', '"2026-01-32T03:04:05Z"', "1767323045"),
            *('"2026-01-02T03:04Z"', '"2026-01-02T03:04:05+18:00"'),
        ],
    ),
    "array<int>": ({"[1,null,2]": [1, None, 2], "[]": []}, ['[1,"x"]', "5"]),
    "struct<x:int,day:date>": (
        {'{"x":1,"day":"2026-01-02"}': {"x": 1, "day": "2026-01-02"}, '{"x":1}': {"x": 1, "day": None}},
        ["5", "[]", '{"x":1,"day":"2026"}'],
    ),
    "array<date>": ({}, ['["2026-01-02","x"]']),
    "array<struct<n:int>>": ({}, []),
    "map<string,double>": ({}, ['{"a":1.5,"b":1e400}']),
    "map<string,string>": ({'{"a":{"b":[1, 2.5]},"c":null}': [["a", '{"b":[1,2.5]}'], ["c", None]]}, ["[]"]),
    "map<string,struct<select:date,B:array<decimal(9,0)>>>": ({}, ["5"]),
}
"""JSON values that a column holds and their values in the row, and JSON values that it does not hold, by its type."""
PARTLY_HELD: dict[str, dict[str, Any]] = {
    "struct<x:int,day:date>": {
        '{"x":1,"y":2,"day":"2026-01-02"}': {"x": 1, "day": "2026-01-02"},
        '{"x":"q"}': {"x": None, "day": None},
    },
    "double": {"9007199254740992": 9007199254740992.0, "-9007199254740993.0": -9007199254740992.0},
    "array<struct<n:int>>": {'[{"n":1,"N":null}]': [{"n": 1}]},
}
"""JSON values of which a column holds only a part, and their values in the row, by the type of the column."""


def test_a_value_that_its_declared_column_cannot_hold_is_null_and_the_line_is_kept(spark: SparkHarness) -> None:
    """The columns have every type that the settings accept, and names that are quoted or words of SQL."""
    kinds = list(VALUES)
    cases = [(kind, text, value, True) for kind in VALUES for text, value in VALUES[kind][0].items()]
    cases += [(kind, text, None, False) for kind in VALUES for text in VALUES[kind][1]]
    cases += [(kind, text, value, False) for kind in PARTLY_HELD for text, value in PARTLY_HELD[kind].items()]
    lines = [
        f'{{"c{kinds.index(kind)}":{text},"in Quotes.":{number}}}' for number, (kind, text, *_) in enumerate(cases)
    ]
    spark.upload_manifest("ddl", "\n".join([*lines, '{"other":1}']).encode())
    columns = {**{f"c{number}": kind for number, kind in enumerate(kinds)}, "in Quotes.": "int", "select": "string"}
    run = spark.run("ddl", "r", schema_ddl=to_ddl(SparkSettings.model_validate({"columns": columns}).columns))
    assert run.error == ""
    *rows, row_without_columns = sorted(spark.rows("ddl"), key=lambda row: int(row["_source_line"]))
    for (kind, text, value, is_held), line, row in zip(cases, lines, rows, strict=True):
        assert (kind, text, row[f"c{kinds.index(kind)}"]) == (kind, text, value)
        assert row["_record"] == (None if is_held else line), "the line is kept if the column may not hold its value"
    assert [row["in Quotes."] for row in rows] == list(range(len(lines))), "a value does not affect the other columns"
    assert row_without_columns["_record"] == '{"other":1}'
    assert [row_without_columns[name] for name in columns] == [None] * len(columns)


def test_a_manifest_without_rows_succeeds(spark: SparkHarness) -> None:
    spark.upload_manifest("no-rows", b"", b"\xff\xff")
    assert not spark.run("no-rows", "r").error
    assert [file["status"] for file in spark.result("no-rows")["files"]] == ["processed", "rejected"]


def test_a_run_with_too_many_rejected_lines_publishes_nothing_and_the_next_run_each_row_once(
    spark: SparkHarness,
) -> None:
    lines = [*records(4), b"canary-rejected", *records(5, 5)]
    expected = [(number, json.loads(line)) for number, line in enumerate(lines, 1) if line != b"canary-rejected"]
    [file] = spark.upload_manifest("failed", join_lines(lines))
    assert spark.run("failed", "first", max_rejected_share=0.09).error.startswith("TooManyRejected: 1 of 10 lines")
    assert spark.rows("failed") == []
    assert not [key for key in spark.lake_keys("") if "failed" in key and key.startswith(("data/", "pointers/"))]
    assert "manifests/failed.result.json" not in spark.lake_keys("manifests/")
    assert spark.lake_keys("rejected/dt=2026-01-02/run=failed-first-"), "an operator can look up the reasons"
    assert not spark.run("failed", "second").error, "a tenth of the lines may be rejected"
    rows = sorted(spark.rows("failed"), key=lambda row: int(row["_source_line"]))
    assert [(int(row["_source_line"]), json.loads(row["_record"])) for row in rows] == expected
    spark.s3.delete_object(Bucket=LANDING, Key=file["objectKey"], VersionId=file["versionId"])
    assert spark.run("failed", "third").error.startswith("VersionsGone: 1 published versions")
    assert spark.rows("failed"), "the rows of a file that can no longer be read stay published"


def test_a_request_that_s3_refuses_fails_the_run(spark: SparkHarness) -> None:
    assert spark.run("forbidden", "r1").error.startswith("JobFailed: ClientError (GetObject: NoSuchKey) at client.py:")
    [entry] = spark.upload_manifest("forbidden", join_lines(records(2)))
    spark.confirm("forbidden", [entry, entry | {"bucket": "canary"}])
    run = spark.run("forbidden", "r1")
    assert "JobFailed: ClientError (GetObject: NoSuchBucket) at client.py:" in run.error
    assert " of files[1]" in run.error
    assert "canary" not in run.error
    assert spark.rows("forbidden") == []


def test_a_run_whose_files_do_not_reach_the_lake_publishes_nothing(spark: SparkHarness) -> None:
    """Without the local argument, Spark writes to the lake itself. Here its files get to the disk of its machine."""
    spark.upload_manifest("lost", join_lines(records(3)))
    arguments = [argument for argument in spark.arguments("lost", "r1") if argument != spark_process.LOCAL_SPARK_FLAG]
    assert spark.session.run(arguments).error == "RowsMissing: the lake contains 0 of 3 rows"
    assert not spark.lake_keys("pointers/dt=2026-01-02/lost")
    assert not spark.lake_keys("manifests/lost.result")


def test_no_run_logs_a_key_or_a_line(mixed: MixedRun, spark: SparkHarness) -> None:
    log = spark.session.log
    assert "job.py" in log, "the log contains the tracebacks of failed runs"
    for canary in ("canary", "incoming/", "n10301", LAKE_BUCKET + "/data"):
        assert canary not in log


def test_spark_listens_on_loopback_only(spark: SparkHarness) -> None:
    addresses = {address for pid in list_process_tree(spark.session.pid) for address in list_listening_addresses(pid)}
    assert addresses, "Spark listens on some address"
    assert all(address.startswith("127.0.0.1") for address in addresses)
