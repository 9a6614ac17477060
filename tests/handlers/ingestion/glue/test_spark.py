"""The job on real Spark, against the emulator's S3: the output rows equal the input lines."""

import gzip
import hashlib
import json
from collections.abc import Collection, Iterable
from typing import Any

import pytest

from components.settings.spark_ddl import DECIMALS, HIVE, parse_data_columns
from handlers.ingestion.glue.json_schema_inference import MAX_NAMES
from handlers.ingestion.manifest_documents import RunResult
from local import ROOT
from local.emulation.glue import spark_process
from tests.handlers.ingestion.glue.conftest import ARRIVED, LAKE, LAKE_BUCKET, LANDING, SparkHarness
from tests.process_tree import listening, tree

pytestmark = [pytest.mark.spark, pytest.mark.xdist_group("spark")]

GOOD = b'{"id":%d,"name":"n%d"}'
NEWEST = ROOT / "handlers" / "ingestion" / "glue" / "newest.sql"
DRIFT = [
    b'{"id":1,"n":1,"w":1,"o":{"x":1},"tags":["a"],"big":1,"mixed":1,"nothing":null}',
    b'{"id":2,"n":2.5,"w":"text","o":{"x":2,"y":"z"},"tags":[],"big":9007199254740993,"mixed":{"k":[1]}}',
    '{"id":3,"mixed":"ü","größe":"日本","emoji":"\\ud83d\\ude00","ID":"other case","dt":"taken","_unknown":{"a":1}}'.encode(),
    b'{"id":4,"big":123456789012345678901234567890,"o":null,"w":true}',
    b'{"id":5,"a.b":1,"with space":2,"semi;colon=(x),{y}":3,"tab\\tline\\n":4,"`tick`":5,"quo\\"te":6,"o":{"x":7,"y":"\\u0000"}}',
]
AWKWARD = ["a b.ndjson", "a+b.ndjson", "100%.ndjson", "a%20b%2F.ndjson", "ü/日本 🎈.MOV", "k" * 900, "a\n'\"\0.ndjson"]


def good(count: int, start: int = 0) -> list[bytes]:
    return [GOOD % (number, number) for number in range(start, start + count)]


def body(lines: Iterable[bytes]) -> bytes:
    return b"".join(line + b"\n" for line in lines)


@pytest.fixture(scope="module")
def mixed(lake: SparkHarness) -> dict[str, Any]:
    """Run the job once over all kinds of files. Return the files by name, the counts and the result."""

    def land(name: str, content: bytes, date: str = "2026-01-02") -> dict[str, Any]:
        return lake.land(f"incoming/mixed/{name}", content, date)

    files = {
        "plain": land("plain.ndjson", body(good(9000))),
        "gzip": land("really-gzip.txt", gzip.compress(body(good(3, 10100)))),
        "misnamed": land("not-gzip.gz", body(good(2, 10200))),
        "bad": land("bad.ndjson", body([*good(1, 10300), b"canary-bad", b"", b"\xff", b"[]", *good(1, 10301)])),
        "latin": land("latin.ndjson", '{"a":"é"}\n'.encode("latin-1")),
        "empty": land("empty.ndjson", b""),
        "one line": land("one.ndjson", good(1, 10400)[0]),
        "drift": land("drift.ndjson", body(DRIFT)),
        "next day": land("next.ndjson", body(good(2, 10500)), "2026-01-03"),
        "gone": land("gone.ndjson", body(good(1, 10600))),
        "old": land("twice.ndjson", body(good(2, 10700))),
        "new": land("twice.ndjson", body(good(1, 10710))) | {"arrivedAt": "2026-01-02T03:04:05.900Z"},
        **{name: land(name, body(good(1, 10800 + number))) for number, name in enumerate(AWKWARD)},
    }
    lake.s3.delete_object(Bucket=LANDING, Key=files["gone"]["key"], VersionId=files["gone"]["versionId"])
    lake.confirm("mixed", list(files.values()))
    done = lake.run("mixed", "r1", max_rejected_share=0.1)
    assert not done.error
    rows = lake.rows("mixed")
    return {"files": files, "counts": done.counts, "result": lake.result("mixed"), "rows": rows}


def of(mixed: dict[str, Any], name: str) -> list[dict[str, Any]]:
    entry = mixed["files"][name]
    rows = [
        row
        for row in mixed["rows"]
        if (row["_source_key"], row["_source_version"]) == (entry["key"], entry["versionId"])
    ]
    return sorted(rows, key=lambda row: int(row["_source_line"]))


def restored(row: dict[str, Any], json_columns: Iterable[str] = ()) -> dict[str, Any]:
    """Return the record of a row, without nulls."""
    values = {name: value for name, value in row.items() if not name.startswith("_") and value is not None}
    values |= {name: json.loads(values[name]) for name in json_columns if name in values}
    beside: dict[str, Any] = json.loads(row["_unknown"] or "{}")
    return values | beside


def outcome(mixed: dict[str, Any], name: str) -> tuple[str, str, int, int]:
    (entry,) = [file for file in mixed["result"]["files"] if file["fileKey"] == mixed["files"][name]["fileKey"]]
    return entry["status"], entry["reason"], entry["rows"], entry["rejectedRows"]


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("plain", good(9000)),
        ("gzip", good(3, 10100)),
        ("misnamed", good(2, 10200)),
        ("one line", good(1, 10400)),
        ("next day", good(2, 10500)),
        *((name, good(1, 10800 + number)) for number, name in enumerate(AWKWARD)),
    ],
    ids=["plain", "gzip", "misnamed", "one line", "next day", *AWKWARD[:-2], "long", "control characters"],
)
def test_each_line_of_a_file_becomes_a_row_with_any_key_and_compression(
    mixed: dict[str, Any], name: str, lines: list[bytes]
) -> None:
    rows = of(mixed, name)
    assert [restored(row) for row in rows] == [json.loads(line) for line in lines]
    assert [row["_source_line"] for row in rows] == list(range(1, len(lines) + 1))
    assert {row["_arrived_at"] for row in rows} == {"2026-01-02T03:04:05.678000+00:00"}
    assert outcome(mixed, name) == ("processed", "", len(lines), 0)


def test_each_file_ends_processed_rejected_or_superseded_with_a_reason(mixed: dict[str, Any]) -> None:
    assert [row["_source_line"] for row in of(mixed, "bad")] == [1, 6]
    assert outcome(mixed, "bad") == ("processed", "", 2, 3)
    assert outcome(mixed, "latin") == ("rejected", "no_good_line:not_utf8", 0, 1)
    assert outcome(mixed, "empty") == ("processed", "empty", 0, 0)
    assert outcome(mixed, "gone") == ("superseded", "version_gone", 0, 0)
    read = RunResult.model_validate(mixed["result"])
    assert [file.file_key for file in read.files] == [file["fileKey"] for file in mixed["files"].values()]
    assert mixed["counts"]["rows"] == len(mixed["rows"]) == sum(file.rows for file in read.files)


def test_columns_with_mixed_kinds_are_widened_and_no_value_is_lost(mixed: dict[str, Any], lake: SparkHarness) -> None:
    first, second, third, fourth, _ = of(mixed, "drift")
    assert (first["n"], second["n"]) == (1.0, 2.5)
    assert [row["w"] for row in (first, second, third, fourth)] == ["1", "text", None, "true"]
    assert [row["mixed"] for row in (first, second, third)] == ["1", '{"k":[1]}', '"ü"']
    assert [row["big"] for row in (first, second, fourth)] == ["1", "9007199254740993", "1234567890" * 3]
    assert (first["o"], second["o"]) == ({"x": 1, "y": None}, {"x": 2, "y": "z"})
    assert (first["tags"], second["tags"]) == (["a"], [])
    assert (third["größe"], third["emoji"]) == ("日本", "😀")
    widened = {item["column"]: (item["saw"], item["became"]) for item in mixed["result"]["widened"]}
    assert widened == {
        "n": (["double", "integer"], "double"),
        "w": (["boolean", "integer", "text"], "string"),
        "mixed": (["integer", "object", "text"], "json"),
        "big": (["big", "integer", "long"], "decimal(38,0)"),
    }


def test_values_of_a_name_that_cannot_be_a_column_are_kept_in_the_unknown_column(mixed: dict[str, Any]) -> None:
    rows = of(mixed, "drift")
    # For Athena, "ID" and "id" are one column. The name in lower case is the column, the other goes to `_unknown`.
    assert restored(rows[2], ["mixed"]) == json.loads(DRIFT[2])
    assert json.loads(rows[2]["_unknown"]).keys() == {"ID", "dt", "_unknown"}
    assert restored(rows[4]) == json.loads(DRIFT[4]), "any other name can be that of a column"


def test_both_versions_of_a_key_are_kept_and_the_view_shows_the_newer(
    mixed: dict[str, Any], lake: SparkHarness
) -> None:
    assert len(of(mixed, "old")) == 2
    assert len(of(mixed, "new")) == 1
    view = NEWEST.read_text().replace("${table}", "lake")
    shown = lake.session.query(LAKE, f"SELECT * FROM ({view}) WHERE _source_key LIKE 'incoming/mixed/%'")  # noqa: S608
    assert {row["_source_version"] for row in shown if row["_source_key"].endswith("/twice.ndjson")} == {
        mixed["files"]["new"]["versionId"]
    }
    assert len(shown) == len(mixed["rows"]) - 2
    assert set(mixed["rows"][0]) <= set(shown[0])
    assert "place" not in shown[0], "the ranking is no column of the view"


def test_output_is_zstd_parquet_by_date_below_the_runs_own_prefix(mixed: dict[str, Any], lake: SparkHarness) -> None:
    files = [file for file in lake.session.files(LAKE) if "/run=mixed-" in file["path"]]
    assert {file["codec"] for file in files} == {"ZSTD"}
    folders = {file["path"].rpartition("/")[0] for file in files}
    names = {folder.rpartition("/run=")[2] for folder in folders}
    assert len(names) == 1
    assert names.pop().startswith("mixed-r1-")
    assert {folder.rpartition("/run=")[0] for folder in folders} == {
        f"{LAKE}data/dt={date}" for date in ("2026-01-02", "2026-01-03")
    }
    for date in ("2026-01-02", "2026-01-03"):
        paths = lake.text(f"pointers/dt={date}/mixed.txt").splitlines()
        assert paths == sorted(file["path"] for file in files if f"dt={date}" in file["path"])
    assert files[0]["schema"]["_arrived_at"] == "timestamp[us, tz=UTC]"


def test_a_given_schema_is_used_and_other_values_are_kept_in_the_unknown_column(lake: SparkHarness) -> None:
    lines = [
        b'{"id":1,"at":"2026-01-02T03:04:05Z","price":"12.50","extra":{"a":[1]},"geo":{"x":1}}',
        b'{"id":"seven","at":"yesterday","price":12.505,"geo":{"x":2,"y":3}}',
        b'{"id":2,"day":"0001-01-01"}',
    ]
    lake.confirm("ddl", [lake.land("incoming/ddl/a", body(lines))])
    ddl = "id BIGINT, at TIMESTAMP, price DECIMAL(10,2), geo STRUCT<x: INT>, day DATE, never STRING"
    assert not lake.run("ddl", "r", schema_ddl=ddl).error
    first, second, third = sorted(lake.rows("ddl"), key=lambda row: int(row["_source_line"]))
    assert (first["id"], first["at"], first["price"]) == (1, "2026-01-02T03:04:05+00:00", "12.50")
    assert json.loads(first["_unknown"]) == {"extra": {"a": [1]}}
    assert (second["id"], second["at"], second["price"], second["geo"]) == (None, None, None, {"x": 2})
    assert json.loads(second["_unknown"]) == json.loads(lines[1])
    assert (third["id"], third["day"], third["_unknown"], third["never"]) == (2, "0001-01-01", None, None)


def test_a_run_can_use_every_schema_that_the_settings_accept(lake: SparkHarness) -> None:
    kinds = [*HIVE, *DECIMALS, *(f"{item}(38,38)" for item in DECIMALS)]
    kinds += ["array<int>", "map<string, struct<`a b`: date>>"]
    ddl = ", ".join(f"c{number} {kind} NOT NULL COMMENT 'a, b'" for number, kind in enumerate(kinds))
    ddl += ", plain: INT, `in quotes.` STRING, select STRING, not STRING"
    lake.confirm("kinds", [lake.land("incoming/kinds/a", b'{"c0":true}\n{"plain":7,"in quotes.":"x"}\n')])
    done = lake.run("kinds", "r", schema_ddl=ddl)
    assert not done.error
    assert done.counts["columns"] == len(parse_data_columns(ddl)) == len(kinds) + 4
    assert [(row["c0"], row["plain"], row["in quotes."]) for row in lake.rows("kinds")] == [
        (True, None, None),
        (None, 7, "x"),
    ]


def test_a_given_schema_works_for_records_with_too_many_names(lake: SparkHarness) -> None:
    lines = [b'{"id":1.5,"geo":{"x":1,"y":2},"tags":["a",1]}', b'{"id":"seven"}', b'{"id":2,"geo":{"x":3}}']
    wide = [json.dumps({"id": 9, **{f"k{number}": 1 for number in range(MAX_NAMES + 1)}}).encode()]
    files = [lake.land(f"incoming/wide/{number}", body(some)) for number, some in enumerate((lines, wide))]
    lake.confirm("wide", files)
    ddl = "id BIGINT, geo STRUCT<x: BIGINT>, tags ARRAY<STRING>"
    assert not lake.run("wide", "r", schema_ddl=ddl).error
    found = sorted(lake.rows("wide"), key=lambda row: (row["_source_key"], int(row["_source_line"])))
    first, second, third, fourth = found
    assert (first["id"], first["geo"], first["tags"]) == (None, {"x": 1}, ["a", "1"])
    assert json.loads(first["_unknown"]) == {"id": 1.5, "geo": {"x": 1, "y": 2}}
    assert (second["id"], json.loads(second["_unknown"])) == (None, {"id": "seven"})
    assert (third["id"], third["geo"], third["_unknown"]) == (2, {"x": 3}, None)
    assert (fourth["id"], len(json.loads(fourth["_unknown"]))) == (9, MAX_NAMES + 1)


def test_a_large_file_becomes_several_parquet_files_of_about_the_target(lake: SparkHarness) -> None:
    lines = [
        b'{"id":%d,"noise":"%s"}' % (number, hashlib.sha512(b"%d" % number).hexdigest().encode())
        for number in range(40_000)
    ]
    lake.confirm("large", [lake.land("incoming/large/a", body(lines))])
    assert not lake.run("large", "r", target_file_mb=1).error
    files = [file for file in lake.session.files(LAKE) if "/run=large-" in file["path"]]
    assert sum(file["rows"] for file in files) == len(lines)
    assert len(files) > 1
    assert max(file["bytes"] for file in files) < 2.5 * 1024 * 1024, "the size is guessed before anything is written"


def test_too_many_rejected_lines_fail_the_run_and_publish_nothing(lake: SparkHarness) -> None:
    lake.confirm("noisy", [lake.land("incoming/noisy/a", body([*good(9), b"canary-noise"]))])
    done = lake.run("noisy", "r1", max_rejected_share=0.05)
    assert done.error.startswith("TooManyRejected: 1 of 10 lines")
    assert not [key for key in lake.keys("") if "noisy" in key and key.startswith(("data/", "pointers/"))]
    assert "manifests/noisy.result.json" not in lake.keys("manifests/")
    assert lake.keys("rejected/dt=2026-01-02/run=noisy-r1-"), "an operator can look up the reasons"
    assert not lake.run("noisy", "r2", max_rejected_share=0.1).error
    assert len(lake.rows("noisy")) == 9


def test_a_manifest_without_rows_publishes_empty_pointers_and_succeeds(lake: SparkHarness) -> None:
    lake.confirm("hollow", [lake.land("incoming/hollow/a", b""), lake.land("incoming/hollow/b", b"\xff\xff")])
    assert not lake.run("hollow", "r").error
    assert [file["status"] for file in lake.result("hollow")["files"]] == ["processed", "rejected"]
    assert lake.text("pointers/dt=2026-01-02/hollow.txt") == ""
    assert not lake.rows("hollow")


def test_a_run_killed_after_any_write_and_retried_ends_in_exactly_the_right_rows(lake: SparkHarness) -> None:
    lines = [*good(5), b"bad", *good(5, 5)]
    expected = [(number, json.loads(line)) for number, line in enumerate(lines, 1) if line != b"bad"]
    lake.confirm("killed", [lake.land("incoming/killed/a", body(lines))])

    def seen() -> list[tuple[int, dict[str, Any]]]:
        return sorted(
            ((int(row["_source_line"]), restored(row)) for row in lake.rows("killed")), key=lambda one: one[0]
        )

    def named_paths_are_there() -> None:
        pointers = [key for key in lake.keys("pointers/") if key.endswith("/killed.txt")]
        paths = [path.removeprefix(LAKE) for key in pointers for path in lake.text(key).splitlines()]
        assert set(paths) <= set(lake.keys("data/")), f"after write {lake.gate.written}, a pointer names what is gone"
        assert len({path.split("/run=")[1].split("/")[0] for path in paths}) <= 1, "readers see one run"

    lake.gate.after_each = named_paths_are_there
    writes, finished = 0, False
    while not finished:
        writes += 1
        lake.gate.open(writes)
        finished = not lake.run("killed", f"first{writes}", max_rejected_share=0.5).error
        lake.gate.open()
        assert seen() in ([], expected)
        assert not finished or writes > 6, "a run has at least this many writes"
        if not finished:
            assert not lake.run("killed", f"second{writes}", max_rejected_share=0.5).error
            assert seen() == expected
            left = {key.split("/run=")[1].split("/")[0] for key in lake.keys("") if "/run=killed-" in key}
            assert len(left) == 1
            assert left.pop().startswith(f"killed-second{writes}-")
    lake.gate.after_each = lambda: None
    assert not lake.gate.problems


def test_a_run_fails_rather_than_remove_published_rows_of_a_deleted_version(lake: SparkHarness) -> None:
    kept, gone = lake.land("incoming/kept/a", body(good(2))), lake.land("incoming/kept/b", body(good(3, 10)))
    lake.confirm("kept", [kept, gone])
    assert not lake.run("kept", "r1").error
    lake.s3.delete_object(Bucket=LANDING, Key=gone["key"], VersionId=gone["versionId"])
    seen = lake.rows("kept")
    assert lake.run("kept", "r2").error.startswith("VersionsGone: 1 published versions")
    # The same if the previous run published its output and died before it wrote the result.
    lake.s3.delete_object(Bucket=LAKE_BUCKET, Key="manifests/kept.result.json")
    assert lake.run("kept", "r3").error.startswith("VersionsGone: 1 published versions")
    assert lake.rows("kept") == seen
    # After an operator has deleted the pointer, the rows may be lost.
    lake.s3.delete_object(Bucket=LAKE_BUCKET, Key="pointers/dt=2026-01-02/kept.txt")
    assert not lake.run("kept", "r4").error
    assert len(lake.rows("kept")) == 2


def test_a_sealed_file_is_rejected_unless_its_rows_are_published(
    lake: SparkHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = [lake.land(f"incoming/sealed/{name}", body(good(2))) for name in ("a", "b", "canary")]
    lake.confirm("sealed", files)
    _refuse(lake, monkeypatch, "canary", 403, "InvalidObjectState")
    assert not lake.run("sealed", "r1").error
    results = [(file["status"], file["reason"], file["rows"]) for file in lake.result("sealed")["files"]]
    assert results == [("processed", "", 2), ("processed", "", 2), ("rejected", "sealed", 0)]
    assert len(seen := lake.rows("sealed")) == 4
    assert not lake.run("sealed", "r2").error, "a file without rows has none to lose"
    _refuse(lake, monkeypatch, "sealed/a", 400, "InvalidRequest")
    assert lake.run("sealed", "r3").error.startswith("VersionsGone: 1 published versions")
    assert [row["_source_version"] for row in lake.rows("sealed")] == [row["_source_version"] for row in seen]


def test_a_file_with_a_foreign_kms_key_is_rejected_and_a_role_without_permission_fails_the_run(
    lake: SparkHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": "arn:aws:kms:us-east-1:999999999999:key/of-the-uploader"}
    names = ("a", "canary", "c")
    files = [
        lake.land(f"incoming/foreign/{name}", body(good(2)), **(key if name == "canary" else {})) for name in names
    ]
    lake.confirm("foreign", files)
    _refuse(lake, monkeypatch, "canary", 403, "AccessDenied")
    assert not lake.run("foreign", "r1").error
    results = [(file["status"], file["reason"], file["rows"]) for file in lake.result("foreign")["files"]]
    assert results == [("processed", "", 2), ("rejected", "sealed", 0), ("processed", "", 2)]
    assert len(lake.rows("foreign")) == 4
    lake.confirm("foreign-2", files)
    _refuse(lake, monkeypatch, "incoming/", 403, "AccessDenied", methods=("GET", "HEAD"))
    assert "StorageFailed (GetObject: AccessDenied)" in lake.run("foreign-2", "r1").error
    assert lake.rows("foreign-2") == []


def test_a_storage_error_is_reported_with_its_code_and_the_number_of_the_file(
    lake: SparkHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake.confirm("denied", [lake.land(f"incoming/denied/{name}", body(good(1))) for name in ("a", "canary", "c")])
    _refuse(lake, monkeypatch, "canary", 403, "AccessDenied")
    done = lake.run("denied", "r")
    assert "TaskFailed: StorageFailed (GetObject: AccessDenied) at object_storage.py:" in done.error
    assert " of files[1]" in done.error
    assert "canary" not in done.error + lake.session.log


def test_a_run_whose_files_do_not_reach_the_lake_publishes_nothing(
    lake: SparkHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Spark counts the rows that it produces, also if the files get lost."""
    forward = lake.gate.forward

    def losing(method: str, path: str, headers: dict[str, str], sent: bytes) -> tuple[int, dict[str, str], bytes]:
        if method == "PUT" and "/data/" in path:
            return 200, {"ETag": '"0"'}, b""
        return forward(method, path, headers, sent)

    lake.confirm("lost", [lake.land("incoming/lost/a", body(good(3)))])
    with monkeypatch.context() as patches:
        patches.setattr(lake.gate, "forward", losing)
        done = lake.run("lost", "r1")
    assert done.error == "RowsMissing: Spark wrote 3 of 3 rows, and the lake contains 0"
    assert not lake.keys("pointers/dt=2026-01-02/lost")
    assert not lake.keys("manifests/lost.result")


def test_only_an_argument_makes_the_job_write_through_this_machine(lake: SparkHarness) -> None:
    """Without it, Spark writes to S3 itself. The Spark of this test cannot, so it fails."""
    lake.confirm("direct", [lake.land("incoming/direct/a", body(good(1)))])
    arguments = [argument for argument in lake.arguments("direct", "r1") if argument != spark_process.LOCAL_SPARK_FLAG]
    assert "No FileSystem for scheme" in lake.session.run(arguments).error
    assert not lake.keys("pointers/dt=2026-01-02/direct")


def _refuse(
    lake: SparkHarness,
    monkeypatch: pytest.MonkeyPatch,
    part: str,
    status: int,
    code: str,
    methods: Collection[str] = ("GET",),
) -> None:
    """Let S3 return this error for every object with this text in its key."""
    forward = lake.gate.forward

    def refusing(method: str, path: str, headers: dict[str, str], sent: bytes) -> tuple[int, dict[str, str], bytes]:
        if method in methods and part in path.partition("?")[0] and "versionId" in path:
            answer = f"<Error><Code>{code}</Code><Message>canary</Message></Error>" if method != "HEAD" else ""
            return status, {"Content-Type": "application/xml"}, answer.encode()
        return forward(method, path, headers, sent)

    monkeypatch.setattr(lake.gate, "forward", refusing)


def test_rejected_lines_stay_if_their_file_is_not_confirmed_again(lake: SparkHarness) -> None:
    files = [lake.land("incoming/aside/a", body(good(2))), lake.land("incoming/aside/b", b"no\n")]
    built = {"schemaVersion": 1, "manifestId": "aside", "createdAt": ARRIVED, "files": files}
    lake.s3.put_object(Bucket=LAKE_BUCKET, Key="manifests/aside.json", Body=json.dumps(built))
    lake.confirm("aside", files)
    assert not lake.run("aside", "r1").error
    lake.confirm("aside", files[:1])
    assert not lake.run("aside", "r2").error
    (key,) = lake.keys("rejected/dt=2026-01-02/run=aside-r2-")
    line = json.loads(lake.text(key))
    assert (line["file"], line["line"], line["reason"]) == ("incoming/aside/b", 1, "not_json")


def test_an_error_on_an_executor_is_reported_with_its_source_line_and_no_content(lake: SparkHarness) -> None:
    lake.confirm("wrong", [lake.land("incoming/wrong/a", body(good(1)), arrived="canary-time")])
    done = lake.run("wrong", "r")
    assert "TaskFailed: ValueError at arrow_batches.py:" in done.error
    assert "canary" not in done.error + lake.session.log


def test_no_run_logs_a_key_or_a_line(mixed: dict[str, Any], lake: SparkHarness) -> None:
    log = lake.session.log
    assert "job.py" in log, "the log contains the tracebacks of failed runs"
    for canary in ("canary", "incoming/", "n10301", LAKE_BUCKET + "/data"):
        assert canary not in log


def test_spark_listens_on_loopback_only(lake: SparkHarness) -> None:
    addresses = {address for pid in tree(lake.session.pid) for address in listening(pid)}
    assert addresses, "Spark listens on some address"
    assert all(address.startswith("127.0.0.1") for address in addresses)


def test_names_that_multiply_with_each_level_do_not_fail_the_run(lake: SparkHarness) -> None:
    days = [{"by": {f"d{day}": {f"c{number}": {"n": day, "m": 2} for number in range(100)}}} for day in range(20)]
    files = [
        lake.land(f"incoming/multiplied/{number}.ndjson", body(json.dumps(day).encode() for day in days[number::2]))
        for number in range(2)
    ]
    files.append(lake.land("incoming/multiplied/usual.ndjson", body(good(3))))
    lake.confirm("multiplied", files)
    done = lake.run("multiplied", "r1")
    assert not done.error
    assert (done.counts["columns"], done.counts["rows"]) == (3, 23)
    rows = lake.rows("multiplied")
    assert sorted((row["id"], row["name"]) for row in rows if row["by"] is None) == [(0, "n0"), (1, "n1"), (2, "n2")]
    kept = [(name, json.loads(text)) for row in rows for name, text in (row["by"] or {}).items() if text is not None]
    assert sorted(kept, key=str) == sorted((item for day in days for item in day["by"].items()), key=str)
