"""Output of a run of the Spark job: after a crash at any write and a new run, readers always see one complete run.

Readers follow pointers. A pointer is an object that names the Parquet files of one manifest (a list of files) and date.
"""

from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.ingestion.glue.run_output import AnotherRunPublished, NewerRunStarted, RunOutput
from tests.handlers.ingestion.glue.memory_storage import MemoryStorage
from tests.handlers.ingestion.ingestion_harness import Killed

LAKE = "s3://lake/"
DATES = ("2026-01-02", "2026-01-03")
OBJECTS_OF_OTHER_MANIFEST = {f"{LAKE}data/dt=2026-01-02/run=other-1/a.parquet": b"other"}


def run_output(storage: MemoryStorage, run: str, dates: tuple[str, ...] = DATES) -> RunOutput:
    return RunOutput(storage, LAKE, "m", run, dates)


def complete_run(storage: MemoryStorage, run: str, rows_by_date: dict[str, list[str]]) -> None:
    """Write what the job writes, but without Spark: for each date rejected lines, and a Parquet file for each row."""
    output = run_output(storage, run)
    output.begin()
    for date in DATES:
        storage.put(f"{output.rejected_uri(date)}00000-000.ndjson", b"bad")
    paths: dict[str, list[str]] = {}
    for date, rows in rows_by_date.items():
        paths[date] = [f"{output.data_uri(date)}part-{number}.parquet" for number in range(len(rows))]
        for path, row in zip(paths[date], rows, strict=True):
            storage.put(path, row.encode())
    output.publish(paths)
    output.finish(run.encode())


def visible_rows(storage: MemoryStorage) -> dict[str, list[str]]:
    """Return the rows that readers see, by date. Raise an error if a pointer names a missing object."""
    return {
        uri.split("/dt=")[1][:10]: [storage.read(path).decode() for path in storage.read(uri).decode().splitlines()]
        for uri in storage.list_uris(f"{LAKE}pointers/")
    }


ROWS = {DATES[0]: ["a", "b"], DATES[1]: ["c"]}
TWO_RUNS = MemoryStorage()
complete_run(TWO_RUNS, "r", ROWS)
complete_run(TWO_RUNS, "s", ROWS)
MAX_KILL_AT = TWO_RUNS.write_count + 4
"""Highest number of the write after which a test kills a run. It is higher than the number of any run's writes."""


def new_storage() -> MemoryStorage:
    """Return a storage with the output of another manifest."""
    storage = MemoryStorage()
    storage.objects |= OBJECTS_OF_OTHER_MANIFEST
    return storage


def check_rows_after_each_write(storage: MemoryStorage) -> None:
    def check() -> None:
        for date, rows in visible_rows(storage).items():
            assert rows == ROWS[date], "readers must never see a part of a run"

    storage.on_write = check


@given(st.lists(st.integers(1, MAX_KILL_AT), max_size=4))
def test_after_runs_killed_at_any_write_the_last_run_publishes_all_rows_and_removes_older_output(
    kill_positions: list[int],
) -> None:
    storage = new_storage()
    check_rows_after_each_write(storage)
    for number, kill_at in enumerate(kill_positions):
        storage.write_count, storage.kill_after_write = 0, kill_at
        with suppress(Killed):
            complete_run(storage, f"r{number}", ROWS)
    storage.kill_after_write = None
    complete_run(storage, "last", ROWS)
    assert visible_rows(storage) == ROWS
    remaining_uris = [uri for uri in storage.objects if "/run=" in uri and uri not in OBJECTS_OF_OTHER_MANIFEST]
    assert len(remaining_uris) == 5, "only three files of data and two of rejected lines"
    assert all("run=m-last/" in uri for uri in remaining_uris)
    assert OBJECTS_OF_OTHER_MANIFEST.items() <= storage.objects.items()
    assert storage.objects[f"{LAKE}manifests/m.result.json"] == b"last"


@pytest.mark.parametrize("kill_at", range(1, MAX_KILL_AT + 1))
def test_a_run_killed_at_any_write_leaves_all_rows_of_the_previous_run_or_of_itself(kill_at: int) -> None:
    storage = new_storage()
    complete_run(storage, "first", ROWS)
    check_rows_after_each_write(storage)
    storage.write_count, storage.kill_after_write = 0, kill_at
    try:
        complete_run(storage, "second", ROWS)
    except Killed:
        assert visible_rows(storage) == ROWS
        storage.kill_after_write = None
        complete_run(storage, "third", ROWS)
    assert visible_rows(storage) == ROWS


def test_the_result_is_written_last() -> None:
    storage = new_storage()
    complete_run(storage, "first", ROWS)
    assert list(storage.objects)[-1] == f"{LAKE}manifests/m.result.json"


def test_a_pointer_lists_its_paths_sorted_one_per_line() -> None:
    storage = MemoryStorage()
    output = run_output(storage, "r")
    output.begin()
    output.publish({DATES[0]: ["s3://lake/b.parquet", "s3://lake/a.parquet"]})
    assert storage.objects[f"{LAKE}pointers/dt={DATES[0]}/m.txt"] == b"s3://lake/a.parquet\ns3://lake/b.parquet\n"


def test_a_date_without_rows_gets_an_empty_pointer() -> None:
    storage = new_storage()
    complete_run(storage, "first", ROWS)
    complete_run(storage, "second", {DATES[0]: ["a"]})
    assert visible_rows(storage) == {DATES[0]: ["a"], DATES[1]: []}
    assert not run_output(storage, "third").is_visible(DATES[1])


def test_an_older_run_cannot_publish_after_a_newer_run_started() -> None:
    storage = new_storage()
    slow_run, paths = begin_slow_run(storage)
    complete_run(storage, "quick", ROWS)
    with pytest.raises(NewerRunStarted):
        slow_run.publish(paths)
    assert visible_rows(storage) == ROWS


class InterruptedStorage(MemoryStorage):
    """Storage that calls a function after the next read or before the next conditional write of a run."""

    def __init__(self) -> None:
        super().__init__()
        self.after_read: Callable[[], None] = lambda: None
        self.before_replacement: Callable[[], None] = lambda: None

    def read(self, uri: str) -> bytes:
        body = super().read(uri)
        call, self.after_read = self.after_read, lambda: None
        call()
        return body

    def put_if_unchanged(self, uri: str, body: bytes, etag: str | None) -> None:
        call, self.before_replacement = self.before_replacement, lambda: None
        call()
        super().put_if_unchanged(uri, body, etag)


def begin_slow_run(storage: MemoryStorage, dates: tuple[str, ...] = DATES) -> tuple[RunOutput, dict[str, list[str]]]:
    """Begin a run, and write its data of these dates. Return the run and the paths to publish."""
    slow_run = run_output(storage, "slow")
    slow_run.begin()
    paths = {date: [f"{slow_run.data_uri(date)}part-0.parquet"] for date in dates}
    for (path,) in paths.values():
        storage.put(path, b"slow")
    return slow_run, paths


@pytest.mark.parametrize("earlier_runs", [[], ["first"]])
def test_a_run_does_not_replace_the_pointers_of_a_run_that_published_after_its_check(earlier_runs: list[str]) -> None:
    storage = InterruptedStorage()
    for run in earlier_runs:
        complete_run(storage, run, ROWS)
    slow_run, paths = begin_slow_run(storage)
    storage.after_read = lambda: complete_run(storage, "quick", ROWS)
    with pytest.raises(AnotherRunPublished):
        slow_run.publish(paths)
    assert visible_rows(storage) == ROWS


def test_a_late_pointer_is_refused_for_a_date_for_which_a_newer_run_has_no_rows() -> None:
    storage = InterruptedStorage()
    slow_run, paths = begin_slow_run(storage, DATES[1:])
    storage.after_read = lambda: complete_run(storage, "quick", {})
    with pytest.raises(AnotherRunPublished):
        slow_run.publish(paths)
    assert visible_rows(storage) == {date: [] for date in DATES}


def test_a_late_result_does_not_replace_the_result_of_another_run() -> None:
    storage = InterruptedStorage()
    slow_run, paths = begin_slow_run(storage)
    slow_run.publish(paths)
    storage.before_replacement = lambda: complete_run(storage, "quick", ROWS)
    with pytest.raises(AnotherRunPublished):
        slow_run.finish(b"slow")
    assert storage.read(f"{LAKE}manifests/m.result.json") == b"quick"


def test_of_two_runs_that_begin_at_the_same_time_one_stops() -> None:
    storage = InterruptedStorage()
    slow_run = run_output(storage, "slow")
    storage.before_replacement = run_output(storage, "quick").begin
    with pytest.raises(NewerRunStarted):
        slow_run.begin()


def test_a_repeated_request_for_a_write_is_no_conflict() -> None:
    storage = InterruptedStorage()
    slow_run, paths = begin_slow_run(storage)
    pointer, content = f"{LAKE}pointers/dt={DATES[0]}/m.txt", f"{paths[DATES[0]][0]}\n".encode()
    # The first request wrote the pointer, but its response was lost.
    storage.before_replacement = lambda: storage.put(pointer, content)
    slow_run.publish(paths)
    slow_run.finish(b"slow")


def test_a_run_deletes_only_objects_that_existed_when_it_started() -> None:
    storage = new_storage()
    first = run_output(storage, "first")
    first.begin()
    uri_of_later_run = f"{run_output(storage, 'later').data_uri(DATES[0])}part-0.parquet"
    storage.put(uri_of_later_run, b"x")
    first.publish({})
    assert uri_of_later_run in storage.objects
