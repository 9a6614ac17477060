"""Order of a run's writes: after a crash at any write and a new run, readers always see one complete run."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.ingestion.glue.run_output import AnotherRunPublished, NewerRunStarted, RunOutput
from tests.handlers.ingestion.glue.memory_storage import Killed, MemoryStorage

LAKE = "s3://lake/"
DATES = ("2026-01-02", "2026-01-03")
OTHERS = {f"{LAKE}data/dt=2026-01-02/run=other-1/a.parquet": b"theirs"}


def output(storage: MemoryStorage, run: str, dates: tuple[str, ...] = DATES) -> RunOutput:
    return RunOutput(storage, LAKE, "m", run, dates)


def one_run(storage: MemoryStorage, run: str, rows: dict[str, list[str]]) -> None:
    """Write a run like the job, but without Spark: `rows` by date, one Parquet file per row."""
    out = output(storage, run)
    out.begin()
    for date in DATES:
        storage.put(f"{out.rejected_uri(date)}00000-000.ndjson", b"bad")
    paths: dict[str, list[str]] = {}
    for date, some in rows.items():
        paths[date] = [f"{out.data_uri(date)}part-{number}.parquet" for number in range(len(some))]
        for path, row in zip(paths[date], some, strict=True):
            storage.put(path, row.encode())
    out.publish(paths)
    out.finish(run.encode())


def seen(storage: MemoryStorage) -> dict[str, list[str]]:
    """Return the rows that readers see. Raise an error if a pointer names a missing object."""
    return {
        uri.split("/dt=")[1][:10]: [storage.read(path).decode() for path in storage.read(uri).decode().splitlines()]
        for uri in storage.list_uris(f"{LAKE}pointers/")
    }


ROWS = {DATES[0]: ["a", "b"], DATES[1]: ["c"]}
COUNTED = MemoryStorage()
one_run(COUNTED, "r", ROWS)
one_run(COUNTED, "s", ROWS)
WRITES = COUNTED.writes + 4


def fresh() -> MemoryStorage:
    storage = MemoryStorage()
    storage.objects |= OTHERS
    return storage


def watching(storage: MemoryStorage) -> Callable[[], None]:
    def whole() -> None:
        for date, rows in seen(storage).items():
            assert rows == ROWS[date], "readers must never see a part of a run"

    return whole


@given(st.lists(st.integers(1, WRITES), max_size=4))
def test_a_run_killed_after_any_write_and_run_again_ends_in_exactly_the_right_rows(kills: list[int]) -> None:
    storage = fresh()
    storage.after_each = watching(storage)
    for number, kill in enumerate(kills):
        storage.writes, storage.dies_after = 0, kill
        try:
            one_run(storage, f"r{number}", ROWS)
        except Killed:
            continue
    storage.dies_after = None
    one_run(storage, "last", ROWS)
    assert seen(storage) == ROWS
    left = [uri for uri in storage.objects if "/run=" in uri and uri not in OTHERS]
    assert len(left) == 5, "three files of data, two of bad lines; what earlier runs wrote is gone"
    assert all("run=m-last/" in uri for uri in left)
    assert OTHERS.items() <= storage.objects.items(), "the output of other manifests is unchanged"
    assert storage.objects[f"{LAKE}manifests/m.result.json"] == b"last"


@pytest.mark.parametrize("kill", range(1, WRITES + 1))
def test_each_write_can_be_the_last_one_in_the_test_above(kill: int) -> None:
    storage = fresh()
    one_run(storage, "first", ROWS)
    storage.after_each = watching(storage)
    storage.writes, storage.dies_after = 0, kill
    try:
        one_run(storage, "second", ROWS)
    except Killed:
        assert seen(storage) == ROWS
        storage.dies_after = None
        one_run(storage, "third", ROWS)
    assert seen(storage) == ROWS


def test_the_result_is_written_last() -> None:
    storage = fresh()
    one_run(storage, "first", ROWS)
    assert list(storage.objects)[-1] == f"{LAKE}manifests/m.result.json"


def test_a_pointer_lists_its_paths_sorted_one_per_line() -> None:
    storage = MemoryStorage()
    out = output(storage, "r")
    out.begin()
    out.publish({DATES[0]: ["s3://lake/b.parquet", "s3://lake/a.parquet"]})
    assert storage.objects[f"{LAKE}pointers/dt={DATES[0]}/m.txt"] == b"s3://lake/a.parquet\ns3://lake/b.parquet\n"


def test_a_date_without_rows_gets_an_empty_pointer() -> None:
    storage = fresh()
    one_run(storage, "first", ROWS)
    one_run(storage, "second", {DATES[0]: ["a"]})
    assert seen(storage) == {DATES[0]: ["a"], DATES[1]: []}
    assert not output(storage, "third").is_visible(DATES[1])


def test_an_older_run_cannot_publish_after_a_newer_run_started() -> None:
    storage = fresh()
    slow, paths = begin_slow_run(storage)
    one_run(storage, "quick", ROWS)
    with pytest.raises(NewerRunStarted):
        slow.publish(paths)
    assert seen(storage) == ROWS


class PausedStorage(MemoryStorage):
    """Storage that calls a function after the next read or before the next conditional write of a run."""

    def __init__(self) -> None:
        super().__init__()
        self.after_read: Callable[[], None] = lambda: None
        self.before_replacement: Callable[[], None] = lambda: None

    def read(self, uri: str) -> bytes:
        body = super().read(uri)
        after, self.after_read = self.after_read, lambda: None
        after()
        return body

    def put_if_unchanged(self, uri: str, body: bytes, etag: str | None) -> None:
        before, self.before_replacement = self.before_replacement, lambda: None
        before()
        super().put_if_unchanged(uri, body, etag)


def begin_slow_run(storage: MemoryStorage, rows: dict[str, list[str]] = ROWS) -> tuple[RunOutput, dict[str, list[str]]]:
    """Begin a run and write its data. Return the run and the paths to publish."""
    slow = output(storage, "slow")
    slow.begin()
    paths = {date: [f"{slow.data_uri(date)}part-0.parquet"] for date in rows}
    for (path,) in paths.values():
        storage.put(path, b"slow")
    return slow, paths


@pytest.mark.parametrize("earlier", [[], ["first"]])
def test_a_run_that_another_run_overtakes_after_its_check_does_not_replace_the_pointers(earlier: list[str]) -> None:
    storage = PausedStorage()
    for run in earlier:
        one_run(storage, run, ROWS)
    slow, paths = begin_slow_run(storage)
    storage.after_read = lambda: one_run(storage, "quick", ROWS)
    with pytest.raises(AnotherRunPublished):
        slow.publish(paths)
    assert seen(storage) == ROWS


def test_a_late_pointer_for_a_date_whose_rows_are_gone_is_refused() -> None:
    storage = PausedStorage()
    slow, paths = begin_slow_run(storage, {DATES[1]: ["c"]})
    storage.after_read = lambda: one_run(storage, "quick", {})
    with pytest.raises(AnotherRunPublished):
        slow.publish(paths)
    assert seen(storage) == {date: [] for date in DATES}


def test_a_late_result_does_not_replace_that_of_another_run() -> None:
    storage = PausedStorage()
    slow, paths = begin_slow_run(storage)
    slow.publish(paths)
    storage.before_replacement = lambda: one_run(storage, "quick", ROWS)
    with pytest.raises(AnotherRunPublished):
        slow.finish(b"slow")
    assert storage.read(f"{LAKE}manifests/m.result.json") == b"quick"


def test_of_two_runs_that_begin_together_one_stops() -> None:
    storage = PausedStorage()
    slow = output(storage, "slow")
    storage.before_replacement = output(storage, "quick").begin
    with pytest.raises(NewerRunStarted):
        slow.begin()


def test_a_repeated_request_for_the_same_write_is_no_conflict() -> None:
    storage = PausedStorage()
    slow, paths = begin_slow_run(storage)
    pointer, content = f"{LAKE}pointers/dt={DATES[0]}/m.txt", f"{paths[DATES[0]][0]}\n".encode()
    storage.before_replacement = lambda: storage.put(pointer, content)  # its response was lost
    slow.publish(paths)
    slow.finish(b"slow")


def test_a_run_deletes_only_objects_that_existed_when_it_started() -> None:
    storage = fresh()
    first = output(storage, "first")
    first.begin()
    late = f"{output(storage, 'later').data_uri(DATES[0])}part-0.parquet"
    storage.put(late, b"of a run that began meanwhile")
    first.publish({})
    assert late in storage.objects
