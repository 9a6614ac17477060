"""Distribution of input files to Spark tasks, the number of writing tasks, and the row limit of Parquet files."""

from hypothesis import given
from hypothesis import strategies as st

from handlers.ingestion.glue.task_distribution import count_writers, distribute_files, max_rows_per_file

MB = 1024 * 1024


@given(st.lists(st.integers(0, 1000), max_size=40), st.integers(1, 8))
def test_each_file_goes_to_one_task_and_no_task_exceeds_its_share_by_more_than_one_file(
    sizes: list[int], tasks: int
) -> None:
    groups = distribute_files(sizes, tasks)
    assert sorted(index for group in groups for index in group) == list(range(len(sizes)))
    assert len(groups) <= tasks
    assert groups == distribute_files(sizes, tasks), "a retried run distributes the files in the same way"
    if sizes:
        weights = [max(1, size) for size in sizes]
        heaviest_task = max(sum(weights[index] for index in group) for group in groups)
        assert heaviest_task <= sum(weights) / len(groups) + max(weights)


def test_a_typical_manifest_uses_every_core_and_makes_no_small_files() -> None:
    assert count_writers(110 * MB, 128 * MB, cores=4) == 4
    assert count_writers(110 * MB, 128 * MB, cores=64) == 6, "each file is at least an eighth of the target"
    assert count_writers(5 * MB, 128 * MB, cores=4) == 1
    assert count_writers(0, 128 * MB, cores=4) == 1
    assert count_writers(20_000 * MB, 128 * MB, cores=4) == 160
    assert count_writers(260 * MB, 128 * MB, cores=2) == 4, "the number of tasks is a multiple of the cores"


def test_the_output_of_a_very_large_file_is_split_at_about_the_target() -> None:
    rows = max_rows_per_file(1_000_000, 1280 * MB, 128 * MB)
    assert 100_000 <= rows <= 150_000
    assert max_rows_per_file(10, 0, 128 * MB) >= 10
