"""Output of a run: after a crash at any write and a new run, readers always see one complete run.

Readers follow pointers. A pointer is an object that names the Parquet files of one manifest (a list of files) and date.
"""

import json
from contextlib import nullcontext, suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.ingestion.glue.lines import FileOutcome
from handlers.ingestion.glue.publication import ManifestRun, NewerRunStarted, VersionsGone
from handlers.ingestion.manifests import RunResult
from tests.handlers.ingestion.conftest import NOW
from tests.handlers.ingestion.fake_cloud import Cloud, FakeS3
from tests.handlers.ingestion.ingestion_harness import FaultGate, Killed, open_gate

DATES = ("2026-01-02", "2026-01-03")
OTHER_MANIFEST = {"data/dt=2026-01-02/run=other-1/a.parquet": b"other"}
CONFIRMED, RESULT = "manifests/m.confirmed.json", "manifests/m.result.json"
PROCESSED = FileOutcome("processed", rows=1)
ROWS = {DATES[0]: ["a", "b"], DATES[1]: ["c"]}


def entry(name: str, date: str) -> dict[str, Any]:
    """Return a file's entry in a list of files."""
    names = {"bucket": "landing", "objectKey": name, "versionId": "v", "fileKey": f"{name}#v"}
    return {**names, "size": 1, "arrivedAt": f"{date}T00:00:00.000Z", "datePrefix": date}


FILES = [entry("f", DATES[0]), entry("g", DATES[1])]


def new_s3() -> FakeS3:
    """Return an S3 with the output of another manifest and the list of a manifest with one file of each date."""
    s3 = FakeS3(Cloud(NOW), open_gate)
    file_list = {"schemaVersion": 1, "manifestId": "m", "files": FILES}
    s3.objects |= {**OTHER_MANIFEST, CONFIRMED: json.dumps(file_list).encode()}
    return s3


def manifest_run(s3: FakeS3, name: str) -> ManifestRun:
    return ManifestRun(s3, "lake", CONFIRMED, name)  # type: ignore[arg-type] # has the methods that it uses


def begin_run(s3: FakeS3, name: str, rows: dict[str, list[str]] = ROWS) -> tuple[ManifestRun, dict[str, list[str]]]:
    """Begin a run and write rejected lines, and a Parquet file for each row. Return the run and the keys to publish."""
    run = manifest_run(s3, name)
    run.begin()
    keys: dict[str, list[str]] = {}
    for date in DATES:
        s3.put_object(Key=f"{run.folder_key('rejected', date)}00000-000.ndjson", Body=b"bad")
        keys[date] = [f"{run.folder_key('data', date)}part-{row}.parquet" for row in reversed(rows.get(date, []))]
        for key in keys[date]:
            s3.put_object(Key=key, Body=key[-9:-8].encode())
    return run, keys


def complete_run(s3: FakeS3, name: str, rows: dict[str, list[str]] = ROWS) -> None:
    run, keys = begin_run(s3, name, rows)
    run.publish(keys)
    run.finish([PROCESSED, PROCESSED])


def visible_rows(s3: FakeS3) -> dict[str, list[str]]:
    """Return the rows that readers see, by date. Raise an error if a pointer names a missing object."""
    return {
        key.split("/dt=")[1][:10]: [
            s3.objects[path.removeprefix("s3://lake/")].decode() for path in body.decode().split()
        ]
        for key, body in s3.objects.items()
        if key.startswith("pointers/")
    }


@given(st.lists(st.integers(1, 120), max_size=4))
def test_after_runs_killed_at_any_write_the_last_run_publishes_all_rows_and_removes_older_output(
    kill_positions: list[int],
) -> None:
    """The numbers are those of the passes of the gate before and after each call. A run has fewer passes than 120."""
    s3 = new_s3()
    published = False

    def check() -> None:
        nonlocal published
        rows = visible_rows(s3)
        assert all(rows[date] == ROWS[date] for date in rows), "readers must never see a part of a run"
        assert not published or rows == ROWS, "a later run must not hide the rows of an earlier one"
        published = rows == ROWS

    for number, kill_at in enumerate(kill_positions):
        fault = FaultGate(kill_at)

        def gate(point: str, fault: FaultGate = fault) -> None:
            check()
            fault(point)

        with suppress(Killed):
            complete_run(s3.behind(gate), f"r{number}")
            assert list(s3.objects)[-1] == RESULT or number, "the result is written last"
    complete_run(s3.behind(lambda _: check()), "last")
    assert visible_rows(s3) == ROWS
    remaining_keys = [key for key in s3.objects if "/run=" in key and key not in OTHER_MANIFEST]
    assert len(remaining_keys) == 5, "only three files of data and two of rejected lines"
    assert all("run=m-last/" in key for key in remaining_keys)
    assert OTHER_MANIFEST.items() <= s3.objects.items()
    assert json.loads(s3.objects[RESULT])["run"] == "m-last"
    result = RunResult.model_validate_json(s3.objects[RESULT])
    assert [file.file_key for file in result.files] == ["f#v", "g#v"]


def test_an_older_run_cannot_publish_after_a_newer_run_started() -> None:
    s3 = new_s3()
    slow_run, keys = begin_run(s3, "slow")
    complete_run(s3, "quick")
    with pytest.raises(NewerRunStarted):
        slow_run.publish(keys)
    assert visible_rows(s3) == ROWS


def test_a_run_deletes_only_objects_that_existed_when_it_started() -> None:
    s3 = new_s3()
    earlier_keys = {f"data/dt={DATES[0]}/run=m-earlier/part-{number}.parquet" for number in range(1001)}
    s3.objects |= dict.fromkeys(earlier_keys, b"x")
    first, keys = begin_run(s3, "first")
    key_of_later_run = f"{manifest_run(s3, 'later').folder_key('data', DATES[0])}part-0.parquet"
    s3.put_object(Key=key_of_later_run, Body=b"x")
    first.publish(keys)
    assert key_of_later_run in s3.objects
    assert not earlier_keys & s3.objects.keys()


def test_a_run_fails_if_older_output_cannot_be_deleted(monkeypatch: pytest.MonkeyPatch) -> None:
    s3 = new_s3()
    complete_run(s3, "first")
    monkeypatch.setattr(s3, "delete_objects", lambda **_: {"Errors": [{"Code": "AccessDenied", "Key": "canary"}]})
    with pytest.raises(RuntimeError, match=r"^DeleteObjects failed with AccessDenied$"):
        complete_run(s3, "second")


GONE, SEALED = FileOutcome("superseded", "version_gone"), FileOutcome("rejected", "sealed")


@pytest.mark.parametrize(
    ("pointer", "outcome", "is_lost"),
    [
        (b"x", GONE, True),
        (b"x", SEALED, True),
        (b"x", FileOutcome("rejected", "too_large"), False),
        (b"", GONE, False),
        (None, GONE, False),
    ],
    ids=["deleted", "sealed", "too large", "no rows", "not published"],
)
def test_a_run_stops_if_it_would_remove_rows_that_cannot_be_read_again(
    pointer: bytes | None, outcome: FileOutcome, *, is_lost: bool
) -> None:
    s3 = new_s3()
    if pointer is not None:
        s3.objects[f"pointers/dt={DATES[0]}/m.txt"] = pointer
    run = manifest_run(s3, "r")
    with pytest.raises(VersionsGone, match="1 published versions") if is_lost else nullcontext():
        run.check_published_files([outcome, PROCESSED])
